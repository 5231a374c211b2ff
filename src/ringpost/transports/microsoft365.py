"""Microsoft 365: sending through Microsoft Graph (learn.microsoft.com, user: sendMail, MIME format)."""

from base64 import b64encode
from typing import Any, cast
from urllib.parse import quote

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GraphEndpoint
from ringpost.domain.traps import Trap
from ringpost.domain.traps import provider_apis as traps
from ringpost.transports.providers import ApiTransport, Providers, not_taken
from ringpost.transports.web import Answer


def microsoft365(
    endpoint: GraphEndpoint, providers: Providers, *, overall_s: float | None = None, urgent: bool = False
) -> ApiTransport:
    """The transport for one mailbox."""
    base = providers.options.graphs[endpoint.app.cloud]
    return ApiTransport(
        Graph(endpoint, base), providers, providers.pace_of(endpoint), overall_s=overall_s, urgent=urgent
    )


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
        party, trap = _whose(answer.status, code)
        return not_taken(answer, party, trap, words)


def _whose(status: int, code: str) -> tuple[Party | None, Trap]:  # noqa: PLR0911  a table
    if status < 300:
        return None, traps.NOT_GRAPH
    if status == 400:
        return (
            (Party.RECIPIENT, traps.GRAPH_RECIPIENT_REFUSED)
            if code == "ErrorInvalidRecipients"
            else (Party.MESSAGE, traps.GRAPH_MAIL_REFUSED)
        )
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
