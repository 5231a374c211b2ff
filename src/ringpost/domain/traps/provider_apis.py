"""Traps of Microsoft Graph and the Gmail API."""

from typing import Final

from ringpost.domain.traps.trap import Trap

_AMBIGUOUS: Final = "Nobody knows whether the mail was taken; a delivery is tried again."

GRAPH_NO_PERMISSION: Final = Trap(
    "GRAPH_NO_PERMISSION",
    "Microsoft 365: the app may not send for this mailbox",
    "403 of Microsoft Graph.",
    "Microsoft does not let the app send for this mailbox.",
    "Give the app the application permission Mail.Send and let an administrator choose Grant admin consent; an "
    "application access policy must not leave the mailbox out.",
)
GRAPH_SEND_AS: Final = Trap(
    "GRAPH_SEND_AS",
    "Microsoft 365: not this mailbox's address",
    "403 of Microsoft Graph, ErrorSendAsDenied.",
    "The mailbox may not send from this address.",
    "Make the username the mailbox's own main address.",
)
GRAPH_LOGIN_REFUSED: Final = Trap(
    "GRAPH_LOGIN_REFUSED",
    "Microsoft 365: the access token is not accepted",
    "401 of Microsoft Graph to a fresh token.",
    "Microsoft does not accept the access token, not even a fresh one.",
    "Check that the app is of the same organisation as the mailbox.",
)
GRAPH_NO_MAILBOX: Final = Trap(
    "GRAPH_NO_MAILBOX",
    "Microsoft 365: there is no such mailbox",
    "404 of Microsoft Graph.",
    "There is no such mailbox in the organisation.",
    "Check the username; it must be the address of a mailbox with an Exchange Online licence, or of a shared mailbox.",
)
GRAPH_TOO_LARGE: Final = Trap(
    "GRAPH_TOO_LARGE",
    "Microsoft 365: the mail is too large",
    "413 of Microsoft Graph, or ErrorMessageSizeExceeded.",
    "The mail is larger than Microsoft accepts (about 3 MB by this way).",
    "Leave attachments out.",
)
GRAPH_BUSY: Final = Trap(
    "GRAPH_BUSY",
    "Microsoft 365: no more mails just now",
    "408, 429 or 5xx of Microsoft Graph, or a limit of the mailbox, such as ErrorExceededMessageLimit.",
    "Microsoft takes no more mails just now.",
    "A delivery is tried again as soon as Microsoft permits.",
)
GRAPH_BLOCKED: Final = Trap(
    "GRAPH_BLOCKED",
    "Microsoft 365: the mailbox may send no more",
    "ErrorMessageSubmissionBlocked or ErrorAccountSuspend of Microsoft Graph.",
    "Microsoft has blocked this mailbox from sending.",
    "An administrator of the organisation sees why, and can unblock it, in the Microsoft Defender portal under "
    "Restricted entities; or sign in to the mailbox and do what Microsoft asks for there.",
)
GRAPH_MAILBOX_FULL: Final = Trap(
    "GRAPH_MAILBOX_FULL",
    "Microsoft 365: the mailbox is full",
    "ErrorQuotaExceeded of Microsoft Graph.",
    "The mailbox that sends is full, and what it sends is kept there as well.",
    "Make room in it, also among the sent items, or let an administrator enlarge it.",
)
GRAPH_RECIPIENT_REFUSED: Final = Trap(
    "GRAPH_RECIPIENT_REFUSED",
    "Microsoft 365: the recipient is refused",
    "400 of Microsoft Graph, ErrorInvalidRecipients.",
    "Microsoft refused the recipient.",
    "Check the address.",
)
GRAPH_MAIL_REFUSED: Final = Trap(
    "GRAPH_MAIL_REFUSED",
    "Microsoft 365: the mail is refused",
    "Another 400 of Microsoft Graph.",
    "Microsoft refused the mail for good.",
    "Its own words say more.",
)
NOT_GRAPH: Final = Trap(
    "NOT_GRAPH",
    "Something else answers in the place of Microsoft Graph",
    "An answer in the 200s that is no 202.",
    "What answered is not Microsoft Graph, or not as it is documented.",
    _AMBIGUOUS,
)
GRAPH_UNKNOWN: Final = Trap(
    "GRAPH_UNKNOWN",
    "Microsoft 365: an unexpected answer",
    "Any other status of Microsoft Graph.",
    "Microsoft answered something unexpected.",
    "A delivery is tried again by itself.",
)
GMAIL_NO_PERMISSION: Final = Trap(
    "GMAIL_NO_PERMISSION",
    "Gmail: not permitted for this mailbox",
    "403 of the Gmail API that is no limit.",
    "Google does not let us send for this mailbox.",
    "Enable the Gmail API in the Google Cloud project, and give the service account or the consent the scope "
    "https://www.googleapis.com/auth/gmail.send.",
)
GMAIL_LOGIN_REFUSED: Final = Trap(
    "GMAIL_LOGIN_REFUSED",
    "Gmail: the access token is not accepted",
    "401 of the Gmail API to a fresh token.",
    "Google does not accept the access token, not even a fresh one.",
    "Check the OAuth credentials.",
)
GMAIL_NO_MAILBOX: Final = Trap(
    "GMAIL_NO_MAILBOX",
    "Gmail: there is no such mailbox",
    "404 of the Gmail API.",
    "Google knows no such mailbox, or it has no Gmail.",
    "Check the username.",
)
GMAIL_SWITCHED_OFF: Final = Trap(
    "GMAIL_SWITCHED_OFF",
    "Gmail is not switched on for this user",
    "400 of the Gmail API, failedPrecondition.",
    "Gmail is not switched on for this user.",
    "Their administrator can give them a licence with Gmail.",
)
GMAIL_TOO_LARGE: Final = Trap(
    "GMAIL_TOO_LARGE",
    "Gmail: the mail is too large",
    "413 of the Gmail API.",
    "The mail is larger than Gmail accepts (25 MB).",
    "Leave attachments out.",
)
GMAIL_BUSY: Final = Trap(
    "GMAIL_BUSY",
    "Gmail: no more mails just now",
    "429, 5xx, or 403 with a limit (rateLimitExceeded and its kin).",
    "Gmail takes no more mails just now: a limit of the user or the project is used up.",
    "A delivery is tried again by itself.",
)
GMAIL_RECIPIENT_REFUSED: Final = Trap(
    "GMAIL_RECIPIENT_REFUSED",
    "Gmail: the recipient is refused",
    "400 of the Gmail API, `Invalid To header`.",
    "Gmail refused the recipient.",
    "Check the address.",
)
GMAIL_MAIL_REFUSED: Final = Trap(
    "GMAIL_MAIL_REFUSED",
    "Gmail: the mail is refused",
    "Another 400 of the Gmail API.",
    "Gmail refused the mail for good.",
    "Its own words say more.",
)
NOT_GMAIL: Final = Trap(
    "NOT_GMAIL",
    "Something else answers in the place of the Gmail API",
    "An answer in the 200s without the id of a message.",
    "What answered is not the Gmail API, or not as it is documented.",
    _AMBIGUOUS,
)
GMAIL_UNKNOWN: Final = Trap(
    "GMAIL_UNKNOWN",
    "Gmail: an unexpected answer",
    "Any other status of the Gmail API.",
    "Gmail answered something unexpected.",
    "A delivery is tried again by itself.",
)
