"""Microsoft 365: sending through Microsoft Graph (learn.microsoft.com, user: sendMail, MIME format)."""

from base64 import b64encode
from typing import Any, Final, cast
from urllib.parse import quote

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import REJECTED, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GraphEndpoint
from ringpost.domain.traps import Trap
from ringpost.domain.traps import provider_apis as traps
from ringpost.transports.providers import ApiTransport, MailRequest, Providers, not_taken
from ringpost.transports.web import Answer

LARGEST: Final = 4 * 1024 * 1024
"""Octets of a request to Graph; it may hang up on a larger one before all of it is out."""
_OF_THE_MAILBOX: Final = {
    "ErrorExceededMessageLimit": (Party.MAIL_SERVER, traps.GRAPH_BUSY),
    "ErrorSubmissionQuotaExceeded": (Party.MAIL_SERVER, traps.GRAPH_BUSY),
    "ErrorMessageSubmissionBlocked": (Party.CONFIGURATION, traps.GRAPH_BLOCKED),
    "ErrorAccountSuspend": (Party.CONFIGURATION, traps.GRAPH_BLOCKED),
    "ErrorQuotaExceeded": (Party.CONFIGURATION, traps.GRAPH_MAILBOX_FULL),
}
"""What is about who sends, and not about the one mail, whatever its status: 400 and 403 are seen with them."""

_OF_A_MAIL: Final = {
    "ErrorInvalidRecipients": (Party.RECIPIENT, traps.GRAPH_RECIPIENT_REFUSED),
    "ErrorMessageSizeExceeded": (Party.MESSAGE, traps.GRAPH_TOO_LARGE),
}
"""What is said with 400 of the one mail."""


def microsoft365(
    endpoint: GraphEndpoint, providers: Providers, *, overall_s: float | None = None, urgent: bool = False
) -> ApiTransport:
    """The transport for one mailbox."""
    base = providers.options.graphs[endpoint.app.cloud]
    return ApiTransport(Graph(endpoint, base), endpoint, providers, overall_s=overall_s, urgent=urgent)


class Graph:
    """How Graph takes a mail, and what its answers mean. Implements `MailApi`."""

    def __init__(self, endpoint: GraphEndpoint, base: str) -> None:
        self._endpoint = endpoint
        self._url = f"{base}/v1.0/users/{quote(endpoint.mailbox, safe='@')}/sendMail"

    @property
    def grant(self) -> Grant:
        """The access token that it takes."""
        return self._endpoint.grant

    def request(self, message: bytes) -> MailRequest | Outcome:
        """The mail in base64, as text. One that is too large is not even begun: the answer to it may not be heard."""
        body = b64encode(message)
        return MailRequest(self._url, "text/plain", body) if len(body) <= LARGEST else _too_large(message)

    def judge(self, answer: Answer) -> Outcome:
        """202 is an acceptance; nothing else is."""
        if answer.status == 202:
            return Outcome(SENT, Stage.ACCEPTED, code=202, reply="202 Accepted")
        code, words = _error(answer)
        party, trap = _whose(answer.status, code)
        return not_taken(answer, party, trap, words)


def _too_large(message: bytes) -> Outcome:
    trap = traps.GRAPH_TOO_LARGE
    hint = f"{trap.hint} It has {len(message)} bytes."
    return Outcome(REJECTED, Stage.API, Party.MESSAGE, hint=hint, trap=trap.code)


def _whose(status: int, code: str) -> tuple[Party | None, Trap]:  # noqa: PLR0911  a table
    if status < 300:
        return None, traps.NOT_GRAPH
    if code in _OF_THE_MAILBOX:
        return _OF_THE_MAILBOX[code]
    if status == 400:
        return _OF_A_MAIL.get(code, (Party.MESSAGE, traps.GRAPH_MAIL_REFUSED))
    if status == 401:
        return Party.CONFIGURATION, traps.GRAPH_LOGIN_REFUSED
    if status == 403:
        return Party.CONFIGURATION, traps.GRAPH_SEND_AS if "SendAs" in code else traps.GRAPH_NO_PERMISSION
    if status == 404:
        return Party.CONFIGURATION, traps.GRAPH_NO_MAILBOX
    if status == 413:
        return Party.MESSAGE, traps.GRAPH_TOO_LARGE
    if status in (408, 429) or status >= 500:
        return Party.MAIL_SERVER, traps.GRAPH_BUSY
    return Party.MAIL_SERVER, traps.GRAPH_UNKNOWN


def _error(answer: Answer) -> tuple[str, str]:
    """The code of Graph's error body, and its words."""
    error: Any = (answer.fields or {}).get("error")
    if not isinstance(error, dict):
        return "", ""
    fields = cast("dict[str, object]", error)
    code, message = str(fields.get("code") or ""), str(fields.get("message") or "")
    return code, f"{code}: {message}" if message else code
