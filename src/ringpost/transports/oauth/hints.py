"""Our words for what a token authority says no with: what to change, for someone who is no administrator by trade."""

import re
from typing import Final

MICROSOFT_WRONG_VALUE: Final = (
    "Microsoft does not accept the client secret. Enter the secret's value, not its id; when in doubt, make a new one "
    "under Certificates & secrets of the app registration."
)
MICROSOFT_EXPIRED: Final = (
    "The client secret has expired. Make a new one under Certificates & secrets of the app registration and enter its "
    "value."
)
MICROSOFT_CONSENT: Final = (
    "The app has no consent yet. Give it the application permission Mail.Send and let an administrator of the "
    "organisation choose Grant admin consent."
)
MICROSOFT_APP: Final = (
    "Microsoft knows no app with this client_id in this organisation. Copy the Application (client) ID and the "
    "Directory (tenant) ID from the overview of the app registration."
)
MICROSOFT_TENANT: Final = (
    "Microsoft knows no organisation like this tenant. Enter the Directory (tenant) ID of the app registration, and "
    "check which cloud the organisation is in."
)
MICROSOFT_CERTIFICATE: Final = (
    "Microsoft does not know the certificate. Upload the same certificate under Certificates & secrets of the app "
    "registration."
)
MICROSOFT_DISABLED: Final = "The app is switched off in this organisation. Its administrator can enable it again."
MICROSOFT_CLOUD: Final = "The organisation is in another cloud of Microsoft. Set cloud to the one that it is in."
MICROSOFT_POLICY: Final = (
    "A Conditional Access policy of the organisation keeps the app out. Its administrator has to except the app, or "
    "the address of this machine."
)
MICROSOFT_OTHER: Final = (
    "Microsoft does not give the app a token. Check tenant, client_id and the secret or certificate; Microsoft's own "
    "words say more."
)
CLOCK: Final = "The clocks differ too much. Set the clock of this machine right."
GOOGLE_MAILBOX: Final = (
    "Google knows no such mailbox. The username must be the address of a user of the organisation, not of a group or "
    "an alias."
)
GOOGLE_ACCOUNT: Final = "Google knows the service account no more. Make a new key and enter the new key file."
GOOGLE_KEY: Final = (
    "The key of the service account is not valid any more. Make a new key for it and enter the new key file."
)
GOOGLE_REVOKED: Final = (
    "The user's consent has ended or was withdrawn. Give it again and enter the new refresh token. While the consent "
    "screen is in state Testing, every consent ends after 7 days."
)
GOOGLE_DELEGATION: Final = (
    "The service account may not act for users. In the admin console, under API controls, Domain-wide delegation, add "
    "its client id with the scope https://www.googleapis.com/auth/gmail.send (https://mail.google.com/ for SMTP)."
)
GOOGLE_CLIENT: Final = "Google does not accept the OAuth client. Check client_id and client_secret."
GOOGLE_POLICY: Final = (
    "An administrator of the organisation does not permit this app. They can trust it in the console."
)
GOOGLE_OTHER: Final = "Google does not give a token. Check the OAuth credentials; Google's own words say more."
BROKEN: Final = "The stored OAuth credentials cannot be used: a key or certificate is damaged. Enter them again."
NO_OAUTH: Final = "What answered for tokens is not the mail provider. Something in the network stands between."
BUSY: Final = "The provider gives no tokens just now. The mail is tried again."

_AADSTS = re.compile(r"AADSTS(\d+)")
_MICROSOFT: Final = {
    "7000215": MICROSOFT_WRONG_VALUE,
    "7000222": MICROSOFT_EXPIRED,
    "65001": MICROSOFT_CONSENT,
    "7000229": MICROSOFT_CONSENT,
    "700016": MICROSOFT_APP,
    "90002": MICROSOFT_TENANT,
    "900023": MICROSOFT_TENANT,
    "700027": MICROSOFT_CERTIFICATE,
    "1000502": "The certificate has expired. Make a new one, upload it to the app registration and enter it here.",
    "700024": CLOCK,
    "7000112": MICROSOFT_DISABLED,
    "500011": MICROSOFT_CLOUD,
    "900382": MICROSOFT_CLOUD,
    "53003": MICROSOFT_POLICY,
}
"""By the number of the error (AADSTS...)."""
_MICROSOFT_LATER: Final = frozenset({"90033", "90019", "50196", "90055"})
_GOOGLE_GRANT: Final = (
    ("email or user id", GOOGLE_MAILBOX),
    ("account not found", GOOGLE_ACCOUNT),
    ("jwt signature", GOOGLE_KEY),
    ("timeframe", CLOCK),
    ("expired or revoked", GOOGLE_REVOKED),
)
_GOOGLE: Final = {
    "unauthorized_client": GOOGLE_DELEGATION,
    "invalid_client": GOOGLE_CLIENT,
    "deleted_client": GOOGLE_CLIENT,
    "access_denied": GOOGLE_POLICY,
    "admin_policy_enforced": GOOGLE_POLICY,
    "org_internal": GOOGLE_POLICY,
    "invalid_scope": GOOGLE_DELEGATION,
}


def for_microsoft(error: str, description: str) -> str | None:
    """Hint for a refusal; None when it is a matter of time."""
    numbers: list[str] = _AADSTS.findall(description)
    if error == "temporarily_unavailable" or _MICROSOFT_LATER.intersection(numbers):
        return None
    return next((_MICROSOFT[number] for number in numbers if number in _MICROSOFT), MICROSOFT_OTHER)


def for_google(error: str, description: str) -> str | None:
    """Hint for a refusal; None when it is a matter of time."""
    if error in ("temporarily_unavailable", "server_error", "internal_failure"):
        return None
    if error == "invalid_grant":
        said = description.lower()
        return next((hint for words, hint in _GOOGLE_GRANT if words in said), GOOGLE_OTHER)
    return _GOOGLE.get(error, GOOGLE_OTHER)
