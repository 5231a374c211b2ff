"""Keeping within what a provider allows: so many requests at once, so many in a span of time, and none while it rests.

A mail that cannot go soon is not waited for: it goes back into the outbox, so that it holds no place in a worker. The
counts are one process's own; with several, the operator divides the settings.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

PATIENCE: Final = 5.0
"""Seconds that a mail waits for its turn before it goes back into the outbox."""


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
        return None

    def end(self) -> None:
        """Give the turn back."""
        self._slots.release()


def _now() -> float:
    return asyncio.get_running_loop().time()
