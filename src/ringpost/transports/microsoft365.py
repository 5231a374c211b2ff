"""Microsoft 365: sending through Microsoft Graph (learn.microsoft.com, user: sendMail, MIME format)."""

from base64 import b64encode
from typing import Any, Final, cast
from urllib.parse import quote

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GraphEndpoint
from ringpost.transports.providers import ApiTransport, Providers
from ringpost.transports.web import Answer

_PERMISSION: Final = (
    "Microsoft does not let the app send for this mailbox. Give the app the application permission Mail.Send and let "
    "an administrator choose Grant admin consent; an application access policy must not leave the mailbox out."
)
_SEND_AS: Final = "The mailbox may not send from this address. Make the username the mailbox's own main address."
_LOGIN: Final = (
    "Microsoft does not accept the access token, not even a fresh one. Check that the app is of the same organisation "
    "as the mailbox."
)
_MAILBOX: Final = (
    "There is no such mailbox in the organisation. Check the username; it must be the address of a mailbox with an "
    "Exchange Online licence, or of a shared mailbox."
)
_TOO_LARGE: Final = "The mail is larger than Microsoft accepts (about 3 MB by this way). Leave attachments out."
_BUSY: Final = "Microsoft takes no more mails just now. The mail is tried again as soon as Microsoft permits."
_RECIPIENT: Final = "Microsoft refused the recipient. Check the address."
_MESSAGE: Final = "Microsoft refused the mail for good. Its own words say more."
_NOT_GRAPH: Final = (
    "What answered is not Microsoft Graph, or not as it is documented. The mail is tried again; nobody knows whether "
    "it was taken."
)
_UNKNOWN: Final = "Microsoft answered something unexpected. The mail is tried again."


def microsoft365(endpoint: GraphEndpoint, providers: Providers, *, overall_s: float | None = None) -> ApiTransport:
    """The transport for one mailbox."""
    base = providers.options.graphs[endpoint.app.cloud]
    return ApiTransport(Graph(endpoint, base), providers, providers.pace_of(endpoint), overall_s=overall_s)


class Graph:
    """How Graph takes a mail, and what its answers mean. Implements `MailApi`."""

    def __init__(self, endpoint: GraphEndpoint, base: str) -> None:
        self._endpoint = endpoint
        self._url = f"{base}/v1.0/users/{quote(endpoint.mailbox, safe='@')}/sendMail"

    @property
    def grant(self) -> Grant:
        """The access token that it takes."""
        return self._endpoint.grant

    def request(self, message: bytes) -> tuple[str, str, bytes]:
        """The mail in base64, as text."""
        return self._url, "text/plain", b64encode(message)

    def judge(self, answer: Answer) -> Outcome:
        """202 is an acceptance; nothing else is."""
        if answer.status == 202:
            return Outcome(SENT, Stage.ACCEPTED, code=202, reply="202 Accepted")
        code, words = _error(answer)
        party, hint = _whose(answer.status, code)
        rejected = party in (Party.MESSAGE, Party.RECIPIENT) and answer.status in (400, 413)
        return Outcome(
            REJECTED if rejected else RETRY,
            Stage.API,
            party,
            answer.status,
            reply=words,
            hint=hint,
            ambiguous=answer.status < 300,
            retry_after=answer.retry_after if party is Party.MAIL_SERVER else None,
        )


def _whose(status: int, code: str) -> tuple[Party | None, str]:  # noqa: PLR0911  a table
    if status < 300:
        return None, _NOT_GRAPH
    if status == 400:
        return (Party.RECIPIENT, _RECIPIENT) if code == "ErrorInvalidRecipients" else (Party.MESSAGE, _MESSAGE)
    if status == 401:
        return Party.CONFIGURATION, _LOGIN
    if status == 403:
        return Party.CONFIGURATION, _SEND_AS if "SendAs" in code else _PERMISSION
    if status == 404:
        return Party.CONFIGURATION, _MAILBOX
    if status == 413:
        return Party.MESSAGE, _TOO_LARGE
    if status in (408, 429) or status >= 500:
        return Party.MAIL_SERVER, _BUSY
    return Party.MAIL_SERVER, _UNKNOWN


def _error(answer: Answer) -> tuple[str, str]:
    """The code of Graph's error body, and its words."""
    error: Any = (answer.fields or {}).get("error")
    if not isinstance(error, dict):
        return "", ""
    fields = cast("dict[str, object]", error)
    code, message = str(fields.get("code") or ""), str(fields.get("message") or "")
    return code, f"{code}: {message}" if message else code
