"""One worker: claims what is due, hands each mail to its lane's transport, and records what became of it."""

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from ringpost.domain.deliveries import Outcome, Party, Stage, Verdict
from ringpost.domain.retries import uses_up_attempt
from ringpost.domain.settings import Endpoint
from ringpost.errors import StorageUnavailable
from ringpost.storage import outbox
from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.deliver import Work, deliver, judge
from ringpost.usecases.purge import purge
from ringpost.usecases.record_attempt import bury, expire_overdue, record_attempt, recover_lost
from ringpost.usecases.room import Room
from ringpost.usecases.warn_of_expiry import warn_of_expiry
from ringpost.worker.lanes import Lanes
from ringpost.worker.metrics import observe_attempt, observe_error
from ringpost.worker.presence import Presence
from ringpost.worker.windows import Windows

WARN_EVERY_S = 600
"""How often to look for OAuth credentials that end soon."""

_log = structlog.get_logger("ringpost.worker")


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How much a worker takes on; times in seconds."""

    slots: int = 1024
    """Mails in hand at once; a tenth is kept for class emergency."""
    lease_s: float = 60
    """After so long without a sign of life, another worker takes over what this one had in hand."""
    poll_s: float = 0.25
    """How often to look for what other processes put into the outbox."""
    sweep_s: float = 5
    """How often to look for what has lapsed or expired, and to purge."""
    grace_s: float = 20
    """How long a stopping worker waits for what is in hand."""
    presence: Path | None = None
    """Folder where the workers of this machine show that they are alive."""


class Worker:
    """Runs until it is told to stop."""

    def __init__(self, room: Room, options: WorkerOptions | None = None) -> None:
        self._room = room
        self._options = options or WorkerOptions()
        self._name = f"w{secrets.token_hex(6)}"
        self._presence = Presence(self._options.presence, self._name)
        self._claims = 0
        self._ring = Ring()
        self._lanes = Lanes(room.open_transport)
        self._windows = Windows(self._options.slots)
        self._in_hand: dict[asyncio.Task[None], Work] = {}
        self._busy: Counter[Endpoint] = Counter()
        self._warn_at = 0.0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take on nothing new; `run` returns when what is in hand has ended."""
        self._stopping.set()
        self._room.bell.set()

    async def run(self) -> None:
        """Work until `stop`. What is in hand then gets its time to end; the rest goes back into the outbox."""
        self._presence.begin()
        _log.info("worker_started", worker=self._name)
        helpers = [asyncio.create_task(self._keep_leases()), asyncio.create_task(self._sweep_for_ever())]
        try:
            while not self._stopping.is_set():
                if not await self._safely(self._claim):
                    await self._rest()
        finally:
            await self._finish()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._lanes.close()
            self._presence.end()
        _log.info("worker_stopped", worker=self._name)

    async def _claim(self) -> bool:
        """Take on what is due; True when there may be more at once."""
        self._room.bell.clear()
        free = self._options.slots - len(self._in_hand)
        kept = max(2, self._options.slots // 10)
        if free <= 0:
            return False
        self._claims += 1
        wanted = Wanted(
            f"{self._name}-{self._claims}",
            int(self._options.lease_s * 1000),
            max(0, free - kept),
            free,
            self._windows.room_for,
        )
        works, more = await self._ring.claim_deliveries(self._room, wanted)
        for work in works:
            self._windows.took(work.claimed.queue)
            if work.server:
                self._busy[work.server.endpoint] += 1
            task = asyncio.create_task(self._handle(work))
            self._in_hand[task] = work
            task.add_done_callback(self._in_hand.pop)
        return more

    async def _handle(self, work: Work) -> None:
        good = False
        try:
            recorded = await self._deliver(work)
            good = uses_up_attempt(recorded.outcome)
            if await self._until_stored(recorded):
                observe_attempt(recorded, self._room.clock())
        finally:
            self._windows.ended(work.claimed.queue, good=good)
            if work.server:
                self._busy[work.server.endpoint] -= 1
            self._room.bell.set()

    async def _deliver(self, work: Work) -> outbox.Recorded:
        jitter = random.uniform(-1, 1)  # noqa: S311  spreads retries, guards nothing
        started = self._room.clock()
        try:
            return await deliver(self._room, work, self._lanes.transport_to, jitter)
        except Exception:  # noqa: BLE001  a fault of ours must not stop the other mails
            _log.exception("delivery_failed", delivery=work.claimed.id, tenant=work.claimed.tenant)
            observe_error()
            fault = Outcome(
                Verdict.RETRY, Stage.DATA, Party.MESSAGE, hint="Ringpost itself failed at this mail. The log says why."
            )
            return judge(self._room, work, fault, started, jitter)

    async def _until_stored(self, recorded: outbox.Recorded) -> bool:
        """Record, again and again while the database is away: what was sent must not be sent twice."""
        while True:
            try:
                return await record_attempt(self._room, recorded)
            except StorageUnavailable:
                await asyncio.sleep(1)

    async def _rest(self) -> None:
        """Until there is new mail, something in hand has ended, or it is time to look."""
        try:
            await asyncio.wait_for(self._room.bell.wait(), self._options.poll_s)
        except TimeoutError:
            self._lanes.close_idle({endpoint for endpoint, count in self._busy.items() if count > 0})

    async def _safely(self, step: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await step()
        except StorageUnavailable:
            await asyncio.sleep(1)
        except Exception:  # noqa: BLE001  the worker is the last to give up
            _log.exception("worker_step_failed", step=step.__name__)
            observe_error()
            await asyncio.sleep(1)
        return False

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._options.lease_s / 3)
            await self._safely(self._renew)

    async def _renew(self) -> bool:
        claims = sorted({work.claimed.claim for work in self._in_hand.values()})
        if claims:
            until = self._room.clock() + int(self._options.lease_s * 1000)
            await self._room.database.write(outbox.renew, claims, until)
        return False

    async def _sweep_for_ever(self) -> None:
        while True:
            for step in (self._recover, self._expire, self._purge, self._warn):
                while await self._safely(step):
                    pass
            self._windows.forget_idle()
            self._busy = +self._busy
            await asyncio.sleep(self._options.sweep_s)

    async def _recover(self) -> bool:
        await bury(self._room, self._presence.dead)
        found = await recover_lost(self._room)
        if found:
            self._room.bell.set()
        return found > 0

    async def _expire(self) -> bool:
        return await expire_overdue(self._room) > 0

    async def _purge(self) -> bool:
        return await purge(self._room)

    async def _warn(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now >= self._warn_at:
            self._warn_at = now + WARN_EVERY_S
            await warn_of_expiry(self._room)
        return False

    async def _finish(self) -> None:
        """Let what is in hand end; what does not in time is left to its lease."""
        if self._in_hand:
            await asyncio.wait(list(self._in_hand), timeout=self._options.grace_s)
        for task in list(self._in_hand):
            task.cancel()
        await asyncio.gather(*self._in_hand, return_exceptions=True)
