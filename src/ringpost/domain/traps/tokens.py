"""Traps of OAuth credentials: why Microsoft or Google gives no access token."""

from typing import Final

from ringpost.domain.traps.trap import Trap

_CERTIFICATES: Final = "Certificates & secrets of the app registration"

MICROSOFT_SECRET_WRONG: Final = Trap(
    "MICROSOFT_SECRET_WRONG",
    "Microsoft 365: the client secret is wrong",
    "AADSTS7000215.",
    "Microsoft does not accept the client secret.",
    f"Enter the secret's value, not its id; when in doubt, make a new one under {_CERTIFICATES}.",
)
MICROSOFT_SECRET_EXPIRED: Final = Trap(
    "MICROSOFT_SECRET_EXPIRED",
    "Microsoft 365: the client secret has expired",
    "AADSTS7000222.",
    "The client secret has expired.",
    f"Make a new one under {_CERTIFICATES} and enter its value.",
)
MICROSOFT_NO_CONSENT: Final = Trap(
    "MICROSOFT_NO_CONSENT",
    "Microsoft 365: the app has no consent",
    "AADSTS65001 or AADSTS7000229.",
    "The app has no consent yet.",
    "Give it the application permission Mail.Send and let an administrator of the organisation choose Grant admin "
    "consent.",
)
MICROSOFT_APP_UNKNOWN: Final = Trap(
    "MICROSOFT_APP_UNKNOWN",
    "Microsoft 365: the app is not known",
    "AADSTS700016.",
    "Microsoft knows no app with this client_id in this organisation.",
    "Copy the Application (client) ID and the Directory (tenant) ID from the overview of the app registration.",
)
MICROSOFT_TENANT_UNKNOWN: Final = Trap(
    "MICROSOFT_TENANT_UNKNOWN",
    "Microsoft 365: the organisation is not known",
    "AADSTS90002 or AADSTS900023.",
    "Microsoft knows no organisation like this tenant.",
    "Enter the Directory (tenant) ID of the app registration, and check which cloud the organisation is in.",
)
MICROSOFT_CERTIFICATE_UNKNOWN: Final = Trap(
    "MICROSOFT_CERTIFICATE_UNKNOWN",
    "Microsoft 365: the certificate is not known",
    "AADSTS700027.",
    "Microsoft does not know the certificate.",
    f"Upload the same certificate under {_CERTIFICATES}.",
)
MICROSOFT_CERTIFICATE_EXPIRED: Final = Trap(
    "MICROSOFT_CERTIFICATE_EXPIRED",
    "Microsoft 365: the certificate has expired",
    "AADSTS1000502.",
    "The certificate has expired.",
    "Make a new one, upload it to the app registration and enter it here.",
)
MICROSOFT_APP_DISABLED: Final = Trap(
    "MICROSOFT_APP_DISABLED",
    "Microsoft 365: the app is switched off",
    "AADSTS7000112.",
    "The app is switched off in this organisation.",
    "Its administrator can enable it again.",
)
MICROSOFT_OTHER_CLOUD: Final = Trap(
    "MICROSOFT_OTHER_CLOUD",
    "Microsoft 365: the organisation is in another cloud",
    "AADSTS500011, AADSTS900382, or a discovery that names another authority.",
    "The organisation is in another cloud of Microsoft.",
    "Set cloud to the one that it is in.",
)
MICROSOFT_POLICY: Final = Trap(
    "MICROSOFT_POLICY",
    "Microsoft 365: a policy keeps the app out",
    "AADSTS53003.",
    "A Conditional Access policy of the organisation keeps the app out.",
    "Its administrator has to except the app, or the address of this machine.",
)
MICROSOFT_NO_TOKEN: Final = Trap(
    "MICROSOFT_NO_TOKEN",
    "Microsoft 365: no access token",
    "Another refusal of the authority.",
    "Microsoft does not give the app a token.",
    "Check tenant, client_id and the secret or certificate; Microsoft's own words say more.",
)
CLOCK_WRONG: Final = Trap(
    "CLOCK_WRONG",
    "The clock of this machine is wrong",
    "AADSTS700024, or Google's words about a reasonable timeframe.",
    "The clocks differ too much.",
    "Set the clock of this machine right.",
)
GOOGLE_MAILBOX_UNKNOWN: Final = Trap(
    "GOOGLE_MAILBOX_UNKNOWN",
    "Google: the mailbox is not known",
    "invalid_grant, `Invalid email or User ID`.",
    "Google knows no such mailbox.",
    "The username must be the address of a user of the organisation, not of a group or an alias.",
)
GOOGLE_ACCOUNT_GONE: Final = Trap(
    "GOOGLE_ACCOUNT_GONE",
    "Google: the service account is gone",
    "invalid_grant, `account not found`.",
    "Google knows the service account no more.",
    "Make a new key and enter the new key file.",
)
GOOGLE_KEY_INVALID: Final = Trap(
    "GOOGLE_KEY_INVALID",
    "Google: the key of the service account is not valid",
    "invalid_grant, `Invalid JWT Signature`.",
    "The key of the service account is not valid any more.",
    "Make a new key for it and enter the new key file.",
)
GOOGLE_CONSENT_ENDED: Final = Trap(
    "GOOGLE_CONSENT_ENDED",
    "Google: the user's consent has ended",
    "invalid_grant, `Token has been expired or revoked`.",
    "The user's consent has ended or was withdrawn.",
    "Give it again and enter the new refresh token. While the consent screen is in state Testing, every consent ends "
    "after 7 days.",
)
GOOGLE_NO_DELEGATION: Final = Trap(
    "GOOGLE_NO_DELEGATION",
    "Google: the service account may not act for users",
    "unauthorized_client or invalid_scope.",
    "The service account may not act for users.",
    "In the admin console, under API controls, Domain-wide delegation, add its client id with the scope "
    "https://www.googleapis.com/auth/gmail.send (https://mail.google.com/ for SMTP).",
)
GOOGLE_CLIENT_REFUSED: Final = Trap(
    "GOOGLE_CLIENT_REFUSED",
    "Google: the OAuth client is not accepted",
    "invalid_client or deleted_client.",
    "Google does not accept the OAuth client.",
    "Check client_id and client_secret.",
)
GOOGLE_POLICY: Final = Trap(
    "GOOGLE_POLICY",
    "Google: the organisation does not permit the app",
    "access_denied, admin_policy_enforced or org_internal.",
    "An administrator of the organisation does not permit this app.",
    "They can trust it in the console.",
)
GOOGLE_NO_TOKEN: Final = Trap(
    "GOOGLE_NO_TOKEN",
    "Google: no access token",
    "Another refusal of the authority.",
    "Google does not give a token.",
    "Check the OAuth credentials; Google's own words say more.",
)
NO_CREDENTIALS: Final = Trap(
    "NO_CREDENTIALS",
    "Nothing to log in to the provider with",
    "Microsoft 365 or Gmail, and neither OAuth credentials for it nor a password are stored.",
    "There are neither OAuth credentials for this provider nor a password.",
    "Set up OAuth. An app password does as well, as long as the provider takes it.",
)
CREDENTIALS_DAMAGED: Final = Trap(
    "CREDENTIALS_DAMAGED",
    "The stored OAuth credentials cannot be used",
    "The key or certificate cannot be read.",
    "The stored OAuth credentials cannot be used: a key or certificate is damaged.",
    "Enter them again.",
)
NOT_AN_AUTHORITY: Final = Trap(
    "NOT_AN_AUTHORITY",
    "Something else answers in the place of the provider",
    "The answer of the authority is not one of OAuth.",
    "What answered for tokens is not the mail provider.",
    "Something in the network stands between.",
)
TOKENS_NOT_NOW: Final = Trap(
    "TOKENS_NOT_NOW",
    "The provider gives no tokens just now",
    "429, 5xx, or words that it is a matter of time.",
    "The provider gives no tokens just now.",
    "A delivery is tried again by itself.",
)
