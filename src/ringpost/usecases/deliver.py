"""Deliver one mail: through the mail server in force, and judge what comes next."""

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import structlog

from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage, State, Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.messages import Envelope, Message, assemble
from ringpost.domain.retries import TryAgain, hold, next_step, uses_up_attempt
from ringpost.storage.outbox import Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.storage.queues import is_borrowed
from ringpost.storage.sealing import Place, SealBroken
from ringpost.storage.settings import ServerInForce
from ringpost.transports import Transport
from ringpost.transports.lease import ENDLESS, Lease
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.deliver")


@dataclass(slots=True)
class Work:
    """A claimed delivery with all that is needed to try it, once."""

    claimed: Claimed
    content: bytes | Message | None
    """The message, sealed when it comes out of the database; None when it has been erased."""
    server: ServerInForce | None
    """None when there is nothing to send through."""
    failures: int
    """How often in a row the lane has failed before."""
    falls_over_to: str | None = None
    """The queue on which an emergency goes on when this server fails: its tenant's other server is not known to."""
    counts_as: int | None = None
    """As how many bytes it counts, when there was no memory for it; None for as many as it has."""
    lease: Lease = ENDLESS
    """That of its claim."""

    size: int = field(init=False)
    """Bytes of the message that count."""
    more: int = field(init=False)
    """Bytes of the message beside those."""

    def __post_init__(self) -> None:
        octets = len(self.content.content if isinstance(self.content, Message) else self.content or b"")
        self.size = octets if self.counts_as is None else self.counts_as
        self.more = octets - self.size

    def take_content(self) -> bytes | Message | None:
        """The message, which is kept here no longer: while it is being sent, once in memory is enough."""
        content, self.content = self.content, None
        return content


_LONGEST_MS: Final = 2**31 - 1
"""What the database holds (a 32-bit integer on PostgreSQL)."""


class Start(NamedTuple):
    """When a try began, by both clocks: that of the wall may be set while it lasts."""

    at: int
    """Milliseconds since 1970, UTC."""
    monotonic: float
    """Seconds."""

    @classmethod
    def now(cls, room: Room) -> "Start":
        """It begins."""
        return cls(room.clock(), time.monotonic())

    @property
    def ms_ago(self) -> int:
        """How long ago that was, as it can be stored."""
        return min(int((time.monotonic() - self.monotonic) * 1000), _LONGEST_MS)


FALL_OVER_S = 10.0
"""How long a server has with an emergency when another one stands by; a deadline like that of no other mail."""


class TransportTo(Protocol):
    """The transport to a mail server; `overall_s` is how long one send may take in all."""

    def __call__(self, endpoint: Endpoint, overall_s: float | None, *, urgent: bool) -> Transport: ...


async def deliver(room: Room, work: Work, transport_to: TransportTo, jitter: float) -> Recorded:
    """Try once. Never raises for what a server does; the result is still to be recorded.

    `jitter` is a random number from -1 to 1. Raises LeaseOver when the mail has not been sent and may be another
    worker's by now: there is nothing to record.
    """
    started = Start.now(room)
    ready = _make_ready(room, work)
    if isinstance(ready, Outcome):
        return judge(room, work, ready, started, jitter)
    endpoint, envelope, mail = ready
    overall_s = FALL_OVER_S if work.falls_over_to else None
    transport = transport_to(endpoint, overall_s, urgent=work.claimed.urgency is Urgency.EMERGENCY)
    return judge(room, work, await transport.send(envelope, mail, work.lease), started, jitter)


def _make_ready(room: Room, work: Work) -> tuple[Endpoint, Envelope, bytes] | Outcome:
    """Where the mail goes through, and the mail; or why it cannot go."""
    claimed, server, content = work.claimed, work.server, work.take_content()
    if content is None:
        return Outcome(REJECTED, Stage.RESOLVE, Party.MESSAGE, hint="The message has been erased.")
    if server is None:
        hint = "There is no mail server to send through. Fill it in, with its password or OAuth credentials."
        return Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION, hint=hint)
    try:
        message = _open(room, claimed, content)
    except SealBroken:
        _log.error("message_does_not_open", delivery=claimed.id, tenant=claimed.tenant)
        hint = "The stored message cannot be opened: its key is missing from the key ring. The operator can mend that."
        return Outcome(RETRY, Stage.RESOLVE, Party.MESSAGE, hint=hint)
    envelope = Envelope(server.sender, _address(claimed.recipient))
    mail = assemble(message, envelope=envelope, delivery_id=claimed.id, reply_to=server.reply_to)
    return server.endpoint, envelope, mail


def _open(room: Room, claimed: Claimed, content: bytes | Message) -> Message:
    if isinstance(content, Message):
        return content
    return Message.unpack(room.sealer.unseal(Place(claimed.tenant, "messages", claimed.event, "content"), content))


@lru_cache(4096)
def _address(text: str) -> Address:
    """What was checked when it came in; the recipients of a phone system are the same again and again."""
    return parse_address(text)


def judge(room: Room, work: Work, outcome: Outcome, started: Start, jitter: float) -> Recorded:
    """Where the delivery goes after an outcome, and whether its lane has to wait.

    An emergency whose own server fails goes on through the system's at once, and back when that one fails too, each
    time only to a server that is not known to fail. That also holds when touch was lost after the final dot: better
    twice than never. But then neither is known to fail, so on its way back it waits: else it would go to and fro as
    fast as they take it, and may arrive each time.
    """
    claimed, policy, now = work.claimed, room.options.retry_policy, room.clock()
    costs_retry = uses_up_attempt(outcome) or claimed.urgency is Urgency.EMERGENCY
    step = next_step(
        claimed.urgency,
        attempts=claimed.retries + costs_retry,
        age_s=policy.schedule(claimed.urgency).lifetime - (claimed.expires_at - now) / 1000,
        outcome=outcome,
        jitter=jitter,
        policy=policy,
    )
    hold_s = hold(outcome, work.failures + 1, policy)
    again = isinstance(step, TryAgain)
    falls_over = again and work.falls_over_to is not None and another_server_may_take_it(outcome)
    at_once = falls_over and not (outcome.ambiguous and is_borrowed(claimed.queue))
    endpoint = work.server.endpoint if work.server else None
    return Recorded(
        claimed,
        outcome,
        server=endpoint.label if endpoint else "",
        started_at=started.at,
        duration_ms=started.ms_ago,
        state=State.QUEUED if again else step.state,
        due_at=now + int(step.after_s * 1000) if again and not at_once else now,
        costs_retry=costs_retry,
        hold_for_ms=None if hold_s is None else int(hold_s * 1000),
        erase_at=None if again else erase_at(room, now, secret=claimed.secret),
        queue=work.falls_over_to if falls_over else None,
        endpoint=endpoint,
    )


def another_server_may_take_it(outcome: Outcome) -> bool:
    """Whether it was not the mail's or its recipient's fault that it was not sent."""
    return outcome.ambiguous or not uses_up_attempt(outcome)


def erase_at(room: Room, now: int, *, secret: bool) -> int:
    """When the message of a delivery that ends now may go: secrets at once, the rest after a while."""
    return now if secret else now + room.options.keep_messages_s * 1000


def lost_worker() -> Outcome:
    """The outcome of a delivery whose worker died or stood still: the server may have the mail, nobody knows."""
    return Outcome(
        RETRY,
        Stage.DATA,
        hint="Ringpost was stopped while this mail was being sent, so it may have been sent. It is tried again.",
        ambiguous=True,
    )


def set_aside() -> Outcome:
    """The outcome of a delivery that was claimed again and again without an outcome."""
    return Outcome(
        REJECTED,
        Stage.DATA,
        Party.MESSAGE,
        hint="Sending this mail stopped Ringpost several times, so it was set aside. Once that is mended, retry it.",
    )
