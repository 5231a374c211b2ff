"""Sending through a provider's API: in its time, with a token, once more with a fresh one, and what came of it."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ringpost.domain.credentials import Cloud, Grant
from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint
from ringpost.domain.messages import Envelope
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import Trap
from ringpost.transports.lease import ENDLESS, Lease, LeaseOver
from ringpost.transports.oauth import Authorities, Tokens, google, microsoft
from ringpost.transports.pacing import Allowance, Pace
from ringpost.transports.web import Answer, WebOptions, open_client, post, words_of

KEPT: Final = 0.1
"""The share of a mailbox's allowance that is kept for emergencies."""
GRAPH_ALLOWANCE: Final = Allowance(4, ((30, 60), (10_000, 600)), KEPT)
"""What one app may do at one mailbox: requests at once; messages a minute; requests in ten minutes."""
GMAIL_ALLOWANCE: Final = Allowance(4, ((120, 60),), KEPT)
"""What one user may do: Google counts 100 units for a message, and gives 15,000 a minute."""
MOST_PACES: Final = 10_000
_CLOSING: Final = "Ringpost is shutting down. A delivery is tried again by itself."
_SLOW: Final = "The mail provider did not answer in time."
_RESTING: Final = (
    "The provider takes only so many mails a minute from one mailbox, and this mailbox has used them up. The others "
    "wait their turn."
)


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

    def pace_of(self, endpoint: GraphEndpoint | GmailEndpoint) -> Pace:
        """The pace of a mailbox; a test mail and the worker share it.

        Only who has the same secrets does: a tenant that names another's mailbox cannot use up its allowance.
        """
        pace = self._paces.get(endpoint)
        if pace is None:
            if len(self._paces) >= MOST_PACES:
                del self._paces[next(iter(self._paces))]
            of_graph = isinstance(endpoint, GraphEndpoint)
            pace = Pace(self.options.graph_allowance if of_graph else self.options.gmail_allowance)
            self._paces[endpoint] = pace
        return pace


class MailApi(Protocol):
    """What is peculiar to one provider's API. No I/O."""

    @property
    def grant(self) -> Grant:
        """The access token that it takes."""
        ...

    def request(self, message: bytes) -> tuple[str, str, bytes]:
        """Where a mail is posted, as what type, and the body."""
        ...

    def judge(self, answer: Answer) -> Outcome:
        """What an answer means."""
        ...


class ApiTransport:
    """Sends the mail of one mailbox. Implements `Transport`."""

    def __init__(
        self, api: MailApi, providers: Providers, pace: Pace, *, overall_s: float | None = None, urgent: bool = False
    ) -> None:
        """`overall_s`: how long one send may take in all; `urgent`: what it sends are emergencies."""
        self._api = api
        self._tokens = providers.tokens
        self._pace = pace
        self._web = providers.options.web
        self._overall_s = overall_s
        self._urgent = urgent
        self._client = open_client(self._web, pace.allowance.at_once)
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
        ends_at = None if self._overall_s is None else _now() + self._overall_s
        wait = await self._pace.begin(urgent=self._urgent)
        if wait is not None:
            return Outcome(RETRY, Stage.API, Party.MAIL_SERVER, hint=_RESTING, retry_after=wait)
        try:
            outcome = await self._send(message, ends_at, lease)
        finally:
            self._pace.end(urgent=self._urgent)
        if outcome.retry_after is not None:
            self._pace.rest(outcome.retry_after)
        return outcome

    async def close(self) -> None:
        """Close the kept connections."""
        self._closed = True
        await self._client.aclose()

    async def _send(self, message: bytes, ends_at: float | None, lease: Lease) -> Outcome:
        """With the token at hand; once more with a fresh one when the API does not take it."""
        refused: Secret | None = None
        while True:
            token = await self._token(refused, ends_at)
            if isinstance(token, Outcome):
                return token
            if lease.over:
                raise LeaseOver
            outcome = await self._post(message, token, ends_at)
            if outcome.code != 401 or refused is not None:
                return outcome
            refused = token

    async def _token(self, refused: Secret | None, ends_at: float | None) -> Secret | Outcome:
        try:
            async with asyncio.timeout(_left(ends_at)):
                return await self._tokens.token(self._api.grant, instead_of=refused)
        except TimeoutError:
            return Outcome(RETRY, Stage.TOKEN, Party.MAIL_SERVER, hint=_SLOW)

    async def _post(self, message: bytes, token: Secret, ends_at: float | None) -> Outcome:
        url, content_type, body = self._api.request(message)
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": content_type}
        request = self._client.build_request("POST", url, headers=headers, content=body)
        left = _left(ends_at)
        answer = await post(self._client, request, self._web.answer if left is None else min(left, self._web.answer))
        if isinstance(answer, Outcome):
            return answer
        outcome = self._api.judge(answer)
        return replace(outcome, reply=words_of(outcome.reply, (token,)))


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
