"""Keeping within what a provider allows: so many requests at once, so many in a span of time, and none while it rests.

A mail that cannot go soon is not waited for: it goes back into the outbox, so that it holds no place in a worker. The
counts are one process's own; with several, the operator divides the settings.
"""

import asyncio
import math
import sys
import time
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.messages import Envelope
from ringpost.domain.paces import PaceRule, per_minute
from ringpost.transports import Transport
from ringpost.transports.lease import ENDLESS, Lease

PATIENCE: Final = 5.0
"""Seconds that a mail waits for its turn before it goes back into the outbox."""
BURST_S: Final = 6.0
"""So many seconds' worth of mails may go to a paced mail server at once."""


class Why(Enum):
    """What a mail waits for whose turn does not come."""

    UNANSWERED = auto()
    """As many requests as may be under way at once have not been answered."""
    USED_UP = auto()
    """As many have begun as may in a span of time."""
    RESTING = auto()
    """The provider asked for it."""


class Wait(NamedTuple):
    """How long a mail has to wait at least, and for what."""

    seconds: float
    why: Why


_HINTS: Final = {
    Why.UNANSWERED: (
        "The mail server has not answered yet to the mails that it was just given, and the pace that the operator has "
        "set for it permits only so many at once. A delivery is tried again by itself."
    ),
    Why.USED_UP: (
        "The operator has set how many mails a minute this mail server is given, and they have gone. The others wait "
        "their turn."
    ),
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one mailbox may use."""

    at_once: int
    spans: tuple[tuple[int, float], ...]
    """Requests, and the seconds in which there may be so many."""
    kept: float | None = None
    """The share of it that is kept for emergencies; None when these do not wait for their turn, although they count."""

    @property
    def of_others(self) -> "Allowance":
        """What is left to mail that is no emergency; one at least."""

        def left(count: int) -> int:
            return max(1, count - math.ceil(count * (self.kept or 0)))

        return Allowance(left(self.at_once), tuple((left(count), span) for count, span in self.spans))


class Pace:
    """The requests of one mailbox. Belongs to one event loop."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._of_others = allowance.of_others
        self._slots = asyncio.Semaphore(allowance.at_once)
        self._slots_of_others = asyncio.Semaphore(self._of_others.at_once)
        self._begun: deque[float] = deque(maxlen=max((count for count, _ in allowance.spans), default=1))
        self._resting_until = 0.0
        self._under_way = Counter[bool]()
        """Of emergencies, and of others."""

    def soon(self, *, urgent: bool) -> int:
        """How many requests can be under way or begin within `PATIENCE`; what is more would only wait.

        Emergencies do not wait for the end of a rest: who begins is told of it at once, and may go another way.
        """
        if not self._waits(urgent=urgent):
            return sys.maxsize
        by = _now() + PATIENCE
        if self._resting_until > by:
            return self.allowance.at_once if urgent else 0
        begun, allowance = self._begun, self._allowance(urgent=urgent)
        left = [count - (len(begun) - bisect_right(begun, by - span)) for count, span in allowance.spans]
        return self._under_way[urgent] + max(0, min(left, default=allowance.at_once))

    @property
    def idle(self) -> bool:
        """Whether nothing that has begun counts any more, and nobody asked for a rest."""
        longest = max((span for _, span in self.allowance.spans), default=0.0)
        counts_until = self._begun[-1] + longest if self._begun else 0.0
        return not any(self._under_way.values()) and max(counts_until, self._resting_until) <= _now()

    def rest(self, seconds: float) -> None:
        """The provider asked for it: nothing goes for so long."""
        self._resting_until = max(self._resting_until, _now() + seconds)

    def wait(self, *, urgent: bool) -> Wait | None:
        """What one more request would wait for; None when it may begin now."""
        now, begun = _now(), self._begun
        spans = [(count, span) for count, span in self._allowance(urgent=urgent).spans if len(begun) >= count]
        waits = [Wait(begun[-count] + span - now, Why.USED_UP) for count, span in spans]
        longest = max(waits, default=Wait(0.0, Why.USED_UP), key=lambda wait: wait.seconds)
        if (rest := self._resting_until - now) >= longest.seconds:
            longest = Wait(rest, Why.RESTING)
        return longest if longest.seconds > 0 else None

    async def begin(self, patience: float = PATIENCE, *, urgent: bool) -> Wait | None:
        """Take a turn: None when it has come, to be given back with `end`; else what to come back after.

        `patience`: seconds to wait for it.
        """
        if self._waits(urgent=urgent):
            wait = await self._wait_for_turn(_now() + patience, urgent=urgent)
            if wait is not None:
                return wait
        self._begun.append(_now())
        self._under_way[urgent] += 1
        return None

    def end(self, *, urgent: bool) -> None:
        """Give the turn back."""
        self._under_way[urgent] -= 1
        if self._waits(urgent=urgent):
            self._release(urgent=urgent)

    def _waits(self, *, urgent: bool) -> bool:
        return not urgent or self.allowance.kept is not None

    async def _wait_for_turn(self, give_up: float, *, urgent: bool) -> Wait | None:
        try:
            async with asyncio.timeout(give_up - _now()):
                await self._acquire(urgent=urgent)
        except TimeoutError:
            seconds, why = self.wait(urgent=urgent) or (0.0, Why.UNANSWERED)
            return Wait(max(1.0, seconds), why)
        try:
            while wait := self.wait(urgent=urgent):
                if _now() + wait.seconds > give_up:
                    self._release(urgent=urgent)
                    return wait
                await asyncio.sleep(wait.seconds)
        except asyncio.CancelledError:
            self._release(urgent=urgent)
            raise
        return None

    async def _acquire(self, *, urgent: bool) -> None:
        if urgent:
            await self._slots.acquire()
            return
        await self._slots_of_others.acquire()
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            self._slots_of_others.release()
            raise

    def _release(self, *, urgent: bool) -> None:
        self._slots.release()
        if not urgent:
            self._slots_of_others.release()

    def _allowance(self, *, urgent: bool) -> Allowance:
        return self.allowance if urgent else self._of_others


class Paces:
    """The paces of mail servers that the operator has given one; shared by all lanes of a process to the same host."""

    def __init__(self, rules: tuple[PaceRule, ...] = ()) -> None:
        self._rules = rules
        self._paces: dict[str, Pace] = {}

    def of(self, host: str) -> Pace | None:
        """The pace of a host; None when it has none."""
        if not self._rules:
            return None
        pace = self._paces.get(host)
        if pace is None and (mails := per_minute(self._rules, host)) is not None:
            at_once = max(1, int(mails * BURST_S / 60))
            allowance = Allowance(mails, ((at_once, at_once * 60 / mails), (mails, 60.0)))
            pace = self._paces.setdefault(host, Pace(allowance))  # two threads may get here at once
        return pace


class PacedTransport:
    """Another transport at a pace. Emergencies do not wait for their turn, but count. Implements `Transport`."""

    def __init__(self, transport: Transport, pace: Pace, *, urgent: bool) -> None:
        self._transport = transport
        self._pace = pace
        self._urgent = urgent

    async def send(self, envelope: Envelope, message: bytes, lease: Lease = ENDLESS) -> Outcome:
        """Send when its turn comes; try again later when that is not soon."""
        patience = PATIENCE + BURST_S  # also when emergencies went before it
        wait = await self._pace.begin(patience, urgent=self._urgent)
        if wait is not None:
            hint = _HINTS[wait.why]
            return Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER, hint=hint, retry_after=wait.seconds)
        try:
            return await self._transport.send(envelope, message, lease)
        finally:
            self._pace.end(urgent=self._urgent)

    async def close(self) -> None:
        """Close the other one."""
        await self._transport.close()


def _now() -> float:
    return time.monotonic()  # `soon` is also asked on the thread that writes, which has no loop
