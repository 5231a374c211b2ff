"""Tells now and then that a worker is alive and what became of its attempts, so that `ringpost status` can show it."""

from collections import Counter
from typing import Final

from ringpost.domain.deliveries import Outcome, Party, Verdict
from ringpost.storage.workers import SignOfLife
from ringpost.usecases.report_work import report_work, sign_off
from ringpost.usecases.room import Room
from ringpost.worker.options import WorkerOptions

QUIET_MS: Final = 20_000
"""How often a worker that has nothing to tell shows that it is alive."""
BELIEVED_MS: Final = 60_000
"""How long it is then believed to be."""


class Reporter:
    """The reports of one worker: they cost one small write now and then, whatever the mail does."""

    def __init__(self, room: Room, name: str, options: WorkerOptions) -> None:
        self._room = room
        self._name = name
        self._slots = options.slots
        self._lease_ms = int(options.lease_s * 1000)
        self._since = room.clock()
        self._told_at: int | None = None
        self._tally: Counter[tuple[Verdict, Party | None]] = Counter()

    def count(self, outcome: Outcome) -> None:
        """An attempt was recorded."""
        self._tally[outcome.verdict, outcome.party] += 1

    async def report(self, in_hand: int) -> None:
        """Write down what there is to tell. Raises StorageUnavailable; then it is told the next time."""
        now = self._room.clock()
        if not self._tally and self._told_at is not None and 0 <= now - self._told_at < QUIET_MS:
            return
        tally = Counter(self._tally)
        host, until = self._room.options.host_name, now + BELIEVED_MS
        sign = SignOfLife(self._name, host, self._since, until, self._slots, in_hand, self._lease_ms)
        await report_work(self._room, sign, tally)
        self._told_at = now
        self._tally = self._tally - tally

    async def sign_off(self) -> None:
        """The worker has stopped: tell the last, and that it is gone. Raises StorageUnavailable."""
        if self._tally:
            self._told_at = None
            await self.report(0)
        await sign_off(self._room, self._name)
