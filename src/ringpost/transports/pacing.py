"""Keeping within what a provider allows: so many requests at once, so many in a span of time, and none while it rests.

A mail that cannot go soon is not waited for: it goes back into the outbox, so that it holds no place in a worker. The
counts are one process's own; with several, the operator divides the settings.
"""

import asyncio
import time
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Final

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.messages import Envelope
from ringpost.domain.paces import PaceRule, per_minute
from ringpost.transports import Transport

PATIENCE: Final = 5.0
"""Seconds that a mail waits for its turn before it goes back into the outbox."""
BURST_S: Final = 6.0
"""So many seconds' worth of mails may go to a paced mail server at once."""
_RESTING: Final = (
    "The operator has set how many mails a minute this mail server is given, and they have gone. The others wait their "
    "turn."
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one mailbox may use."""

    at_once: int
    spans: tuple[tuple[int, float], ...]
    """Requests, and the seconds in which there may be so many."""


class Pace:
    """The requests of one mailbox. Belongs to one event loop."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._slots = asyncio.Semaphore(allowance.at_once)
        self._begun: deque[float] = deque(maxlen=max((count for count, _ in allowance.spans), default=1))
        self._resting_until = 0.0
        self._under_way = 0

    def soon(self) -> int:
        """How many requests can be under way or begin within `PATIENCE`; what is more would only wait."""
        by = _now() + PATIENCE
        if self._resting_until > by:
            return 0
        begun = self._begun
        left = [count - (len(begun) - bisect_right(begun, by - span)) for count, span in self.allowance.spans]
        return self._under_way + max(0, min(left, default=self.allowance.at_once))

    @property
    def idle(self) -> bool:
        """Whether nothing that has begun counts any more."""
        longest = max((span for _, span in self.allowance.spans), default=0.0)
        return not self._under_way and (not self._begun or self._begun[-1] + longest <= _now())

    def rest(self, seconds: float) -> None:
        """The provider asked for it: nothing goes for so long."""
        self._resting_until = max(self._resting_until, _now() + seconds)

    def wait(self) -> float:
        """Seconds until one more request may begin; 0 for now."""
        now = _now()
        ready = self._resting_until
        for count, span in self.allowance.spans:
            if len(self._begun) >= count:
                ready = max(ready, self._begun[-count] + span)
        return max(0.0, ready - now)

    async def begin(self, patience: float = PATIENCE) -> float | None:
        """Take a turn: None when it has come, to be given back with `end`; else the seconds to come back after."""
        give_up = _now() + patience
        try:
            async with asyncio.timeout(patience):
                await self._slots.acquire()
        except TimeoutError:
            return max(1.0, self.wait())
        try:
            while (wait := self.wait()) > 0:
                if _now() + wait > give_up:
                    self._slots.release()
                    return wait
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self._slots.release()
            raise
        self._begun.append(_now())
        self._under_way += 1
        return None

    def end(self) -> None:
        """Give the turn back."""
        self._under_way -= 1
        self._slots.release()

    def jump(self) -> None:
        """Something goes without waiting for its turn; what comes after it waits the longer."""
        self._begun.append(_now())


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
            pace = self._paces[host] = Pace(Allowance(mails, ((at_once, at_once * 60 / mails), (mails, 60.0))))
        return pace


class PacedTransport:
    """Another transport at a pace. Emergencies do not wait for their turn, but count. Implements `Transport`."""

    def __init__(self, transport: Transport, pace: Pace, *, urgent: bool) -> None:
        self._transport = transport
        self._pace = pace
        self._urgent = urgent

    async def send(self, envelope: Envelope, message: bytes) -> Outcome:
        """Send when its turn comes; try again later when that is not soon."""
        if self._urgent:
            self._pace.jump()
            return await self._transport.send(envelope, message)
        wait = await self._pace.begin(PATIENCE + BURST_S)  # also when emergencies went before it
        if wait is not None:
            return Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER, hint=_RESTING, retry_after=wait)
        try:
            return await self._transport.send(envelope, message)
        finally:
            self._pace.end()

    async def close(self) -> None:
        """Close the other one."""
        await self._transport.close()


def _now() -> float:
    return time.monotonic()  # `soon` is also asked on the thread that writes, which has no loop
