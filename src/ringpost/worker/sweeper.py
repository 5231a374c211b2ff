"""Keeps the outbox in order beside the sending.

It pulls back what waits for a time that a wrong clock showed, recovers what lost workers had in hand, gives back
what lost commits have claimed, expires, purges, and warns of credentials that end soon.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from ringpost.domain.times import HOUR_MS
from ringpost.storage import leases, workers
from ringpost.usecases.expire_overdue import expire_overdue
from ringpost.usecases.give_back import give_back
from ringpost.usecases.purge import purge
from ringpost.usecases.recover_lost import recover_lost
from ringpost.usecases.room import Room
from ringpost.usecases.warn_of_expiry import warn_of_expiry
from ringpost.worker import metrics
from ringpost.worker.in_hand import InHand, settle
from ringpost.worker.lease_watch import LeaseWatch, Moment, worker_of
from ringpost.worker.options import WorkerOptions
from ringpost.worker.presence import Presence
from ringpost.worker.steps import safely

WARN_EVERY_S: Final = 600
"""How often to look for OAuth credentials that end soon."""
NOTEWORTHY_S: Final = 5.0
"""A change of the clock that is told; by less than this, clocks are disciplined all the time (RFC 5905)."""

_log = structlog.get_logger("ringpost.worker")


class Sweeper:
    """The sweeping of one worker, of whom it knows what is in hand."""

    def __init__(self, room: Room, options: WorkerOptions, presence: Presence, in_hand: InHand) -> None:
        self._room = room
        self._options = options
        self._presence = presence
        self._in_hand = in_hand
        self._set_back = ClockWatch(room.clock)
        self._lease_watch = LeaseWatch(options)
        self._missed: set[str] = set()
        """Claims of its own worker that were not in hand when it looked last."""
        self._lost: set[str] = set()
        """Workers that it has found to be lost."""
        self._warn_at = 0.0

    async def sweep(self) -> None:
        """Take every step once, or as often as there is more to do and its turn lasts."""
        for step in (self._pull_back, self._recover, self._expire, self._purge, self._warn):
            begun = time.monotonic()
            while await safely(step) and time.monotonic() - begun < self._options.sweep_s:
                pass  # the others have their turn, however much there is to do

    async def _pull_back(self) -> bool:
        """After a clock that was ahead has been set right, mail must not wait for the time that it showed."""
        if self._set_back.was_set_back():
            found = await self._room.database.write(leases.pull_back, self._room.clock(), self._longest_wait_ms())
            if found:
                _log.warning("clock_set_back", pulled_back=found)
        return False

    def _longest_wait_ms(self) -> int:
        """No retry and no hold waits longer than this."""
        policy = self._room.options.retry_policy
        delays = [delay for of in (policy.emergency, policy.others) for delay in (*of.first, of.then_every)]
        holds = policy.longest_retry_after, policy.longest_hold, policy.configuration_hold
        return max(HOUR_MS, int(max(*holds, max(delays) * (1 + policy.jitter)) * 1000))

    async def _recover(self) -> bool:
        """Take over what lost workers had in hand: of the dead at once, of others when their leases are over."""
        in_hand = self._in_hand.claims()
        loop = asyncio.get_running_loop()
        wall, asked = self._room.clock(), loop.time()
        lengths = await self._room.database.read(workers.lease_lengths)
        in_force = await self._room.database.read(leases.leases)
        answered = loop.time()
        await self._give_back({claim for claim, _ in in_force if worker_of(claim) == self._presence.name} - in_hand)
        dead = self._presence.dead({worker_of(claim) for claim, _ in in_force})
        lost = {claim for claim, _ in in_force if worker_of(claim) in dead}
        others = [lease for lease in in_force if lease[0] not in in_hand]
        lost |= self._lease_watch.over(others, lengths, Moment(wall, asked, answered))
        if lost:
            recovered = await recover_lost(self._room, lost)
            workers_lost = {worker_of(claim) for claim in recovered.claims}
            if workers_lost:
                _log.warning("workers_lost", workers=sorted(workers_lost), deliveries=recovered.deliveries)
            metrics.observe_lost(len(workers_lost - self._lost), recovered.set_aside)
            self._lost |= workers_lost
            self._room.bell.ring()
        return False

    async def _give_back(self, not_in_hand: set[str]) -> None:
        """Give back what this worker has claimed without hearing that the claim was stored; nobody has tried it.

        `not_in_hand` was not in hand before the claims in force were read, so it is not what was just being recorded.
        It may be what a commit took on that was just ending: after one more commit, that is in hand.
        """
        again, self._missed = not_in_hand & self._missed, not_in_hand
        if again:
            await settle(self._room)
        again -= self._in_hand.claims() | self._in_hand.unrecorded
        if again:
            await give_back(self._room, again)
            self._room.bell.ring()

    async def _expire(self) -> bool:
        expired = await expire_overdue(self._room)
        metrics.observe_expired(expired)
        return expired > 0

    async def _purge(self) -> bool:
        return await purge(self._room)

    async def _warn(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._warn_at:
            self._warn_at = now + WARN_EVERY_S
            await warn_of_expiry(self._room)
        return False


class ClockWatch:
    """Finds out when the wall clock was set back, by the monotonic one."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._offset: float | None = None

    def was_set_back(self) -> bool:
        """Whether it was since the last call. True at the first one, because nobody knows what was before."""
        offset = self._clock() / 1000 - asyncio.get_running_loop().time()
        before, self._offset = self._offset, offset
        return before is None or offset < before - NOTEWORTHY_S
