"""Sending through a provider's API: in its time, with a token, once more with a fresh one, and what came of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, NamedTuple, Protocol

from ringpost.domain.credentials import Cloud, Grant
from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint
from ringpost.domain.messages import Envelope
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import Trap
from ringpost.transports.lease import ENDLESS, Lease, LeaseOver
from ringpost.transports.oauth import google, microsoft
from ringpost.transports.oauth.tokens import Authorities, Tokens
from ringpost.transports.pacing import Allowance, Pace, Why
from ringpost.transports.web import Answer, WebOptions, open_client, post, words_of

KEPT: Final = 0.1
"""The share of a mailbox's allowance that is kept for emergencies."""
GRAPH_ALLOWANCE: Final = Allowance(4, ((30, 60), (10_000, 600)), KEPT)
"""What one app may do at one mailbox: requests at once; messages a minute; requests in ten minutes."""
GMAIL_ALLOWANCE: Final = Allowance(4, ((120, 60),), KEPT)
"""What one user may do: Google counts 100 units for a message, and gives 15,000 a minute."""
MANY_PACES: Final = 10_000
"""So many are kept without a look at which of them nobody needs any more."""
_PIECE: Final = 65_536
"""Octets of a request that are written at once."""
_CLOSING: Final = "Ringpost is shutting down. A delivery is tried again by itself."
_SLOW: Final = "The mail provider did not answer in time."
_HINTS: Final = {
    Why.UNANSWERED: (
        "The provider has not answered yet to the mails that it was just given for this mailbox, and takes only so "
        "many at once. A delivery is tried again by itself."
    ),
    Why.USED_UP: (
        "The provider takes only so many mails a minute from one mailbox, and this mailbox has used them up. The "
        "others wait their turn."
    ),
    Why.RESTING: (
        "The provider has asked to be given no more mails for this mailbox for a while. A delivery is tried again by "
        "itself."
    ),
}


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What the operator decides about the providers."""

    web: WebOptions = field(default_factory=WebOptions)
    authorities: Authorities = field(default_factory=Authorities)
    graphs: dict[Cloud, str] = field(default_factory=lambda: dict(microsoft.GRAPHS))
    gmail: str = google.API
    graph_allowance: Allowance = GRAPH_ALLOWANCE
    gmail_allowance: Allowance = GMAIL_ALLOWANCE


class Providers:
    """What all mailboxes of a process share: the options, the tokens, and how much of its allowance each has used."""

    def __init__(self, options: ProviderOptions) -> None:
        self.options = options
        self.tokens = Tokens(options.authorities, options.web)
        self._paces: dict[GraphEndpoint | GmailEndpoint, Pace] = {}
        self._many = MANY_PACES
        self._lock = Lock()

    def pace_of(self, endpoint: GraphEndpoint | GmailEndpoint) -> Pace:
        """The pace of a mailbox; a test mail and the worker share it. Also asked on the thread that writes.

        Only who has the same secrets does: a tenant that names another's mailbox cannot use up its allowance. One that
        is idle may be another the next time, so who sends asks anew for each mail.
        """
        with self._lock:
            pace = self._paces.get(endpoint)
            if pace is None:
                if len(self._paces) >= self._many:
                    self._forget_idle()
                pace = self._paces[endpoint] = Pace(self.allowance_of(endpoint))
            return pace

    def allowance_of(self, endpoint: GraphEndpoint | GmailEndpoint) -> Allowance:
        """What a mailbox may use."""
        return self.options.graph_allowance if isinstance(endpoint, GraphEndpoint) else self.options.gmail_allowance

    def _forget_idle(self) -> None:
        self._paces = {endpoint: pace for endpoint, pace in self._paces.items() if not pace.idle}
        self._many = max(MANY_PACES, 2 * len(self._paces))


class MailRequest(NamedTuple):
    """How a mail is handed over."""

    url: str
    content_type: str
    body: bytes


class MailApi(Protocol):
    """What is peculiar to one provider's API. No I/O."""

    @property
    def grant(self) -> Grant:
        """The access token that it takes."""
        ...

    def request(self, message: bytes) -> MailRequest | Outcome:
        """What to post for a mail; or the outcome of one that it is known not to take."""
        ...

    def judge(self, answer: Answer) -> Outcome:
        """What an answer means."""
        ...


class ApiTransport:
    """Sends the mail of one mailbox. Implements `Transport`."""

    def __init__(
        self,
        api: MailApi,
        endpoint: GraphEndpoint | GmailEndpoint,
        providers: Providers,
        *,
        overall_s: float | None = None,
        urgent: bool = False,
    ) -> None:
        """`overall_s`: how long one send may take in all; `urgent`: what it sends are emergencies."""
        self._api = api
        self._endpoint = endpoint
        self._providers = providers
        self._web = providers.options.web
        self._overall_s = overall_s
        self._urgent = urgent
        self._client = open_client(self._web, providers.allowance_of(endpoint).at_once)
        self._closed = False

    async def send(
        self,
        envelope: Envelope,  # noqa: ARG002  the API reads the headers
        message: bytes,
        lease: Lease = ENDLESS,
    ) -> Outcome:
        """Try once to hand over a message; see `Transport.send`."""
        if self._closed:
            return Outcome(RETRY, Stage.CONNECT, Party.NETWORK, hint=_CLOSING)
        request = self._api.request(message)
        if isinstance(request, Outcome):
            return request
        ends_at = None if self._overall_s is None else _now() + self._overall_s
        pace = self._providers.pace_of(self._endpoint)
        wait = await pace.begin(urgent=self._urgent)
        if wait is not None:
            hint = _HINTS[wait.why]
            return Outcome(RETRY, Stage.API, Party.MAIL_SERVER, hint=hint, retry_after=wait.seconds)
        try:
            outcome = await self._send(request, ends_at, lease)
        finally:
            pace.end(urgent=self._urgent)
        if outcome.retry_after is not None:
            pace.rest(outcome.retry_after)
        return outcome

    async def close(self) -> None:
        """Close the kept connections."""
        self._closed = True
        await self._client.aclose()

    async def _send(self, request: MailRequest, ends_at: float | None, lease: Lease) -> Outcome:
        """With the token at hand; once more with a fresh one when it may be the token that the API does not take."""
        refused: Secret | None = None
        while True:
            token = await self._token(refused, ends_at)
            if isinstance(token, Outcome):
                return token
            outcome = await self._post(request, token, ends_at, lease)
            if refused is not None or not _may_be_the_token(outcome):
                return outcome
            refused = token

    async def _token(self, refused: Secret | None, ends_at: float | None) -> Secret | Outcome:
        try:
            async with asyncio.timeout(_left(ends_at)):
                return await self._providers.tokens.token(self._api.grant, instead_of=refused)
        except TimeoutError:
            return Outcome(RETRY, Stage.TOKEN, Party.MAIL_SERVER, hint=_SLOW)

    async def _post(self, request: MailRequest, token: Secret, ends_at: float | None, lease: Lease) -> Outcome:
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Content-Type": request.content_type,
            "Content-Length": str(len(request.body)),
        }
        content = _in_pieces(request.body, lease)
        built = self._client.build_request("POST", request.url, headers=headers, content=content)
        left = _left(ends_at)
        answer = await post(self._client, built, self._web.answer if left is None else min(left, self._web.answer))
        if isinstance(answer, Outcome):
            return answer
        outcome = self._api.judge(answer)
        return replace(outcome, reply=words_of(outcome.reply, (token,)))


async def _in_pieces(body: bytes, lease: Lease) -> AsyncIterator[bytes]:
    """The last one only while the mail is ours to send: what ends before it is no request (RFC 9112 8)."""
    last = max(0, len(body) - 1) // _PIECE * _PIECE
    for start in range(0, last, _PIECE):
        yield body[start : start + _PIECE]
    if lease.over:
        raise LeaseOver
    yield body[last:]


def _may_be_the_token(outcome: Outcome) -> bool:
    """Whether a fresh one is worth a try: it says what its owner was permitted when it was made."""
    return outcome.party is Party.CONFIGURATION and outcome.code in (401, 403)


def not_taken(answer: Answer, party: Party | None, trap: Trap, reply: str) -> Outcome:
    """The outcome of an answer that is no acceptance. `party` is None when nobody knows whether the mail was taken."""
    final = party in (Party.MESSAGE, Party.RECIPIENT) and answer.status in (400, 413)
    return Outcome(
        REJECTED if final else RETRY,
        Stage.API,
        party,
        answer.status,
        reply=reply,
        hint=trap.hint,
        ambiguous=answer.status < 300,
        retry_after=answer.retry_after if party is Party.MAIL_SERVER else None,
        trap=trap.code,
    )


def _left(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.1, ends_at - _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
