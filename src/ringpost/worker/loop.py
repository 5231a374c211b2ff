"""One worker: claims what is due, hands each mail to its lane's transport, and records what became of it."""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import Outcome, Party, Stage, Urgency, Verdict
from ringpost.domain.lending import HOUR_MS
from ringpost.domain.settings import Endpoint
from ringpost.errors import StorageUnavailable
from ringpost.storage import leases, outcomes
from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.deliver import Work, deliver, judge
from ringpost.usecases.purge import purge
from ringpost.usecases.record_attempt import (
    expire_overdue,
    give_back,
    leave_in_hand,
    record_attempt,
    recover_lost,
)
from ringpost.usecases.room import Room
from ringpost.usecases.warn_of_expiry import warn_of_expiry
from ringpost.worker import metrics
from ringpost.worker.lanes import Lanes
from ringpost.worker.metrics import observe_attempt, observe_error
from ringpost.worker.presence import Presence
from ringpost.worker.reporter import Reporter
from ringpost.worker.windows import SLOT_BYTES, Said, Windows, said_by

WARN_EVERY_S = 600
"""How often to look for OAuth credentials that end soon."""

_log = structlog.get_logger("ringpost.worker")


BREATH_S = 0.002
"""Between two claims, so that each finds more to take than a slot that has just become free."""
LONGEST_REST_S = 1.0
"""For which even a ring of the bell waits, while looking takes long."""
WALKING = 0.1
"""Of its time, a worker that finds nothing spends at most this part in looking."""
NOTEWORTHY_S = 5.0
"""By less than this, clocks are disciplined all the time (RFC 5905)."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How much a worker takes on; times in seconds."""

    slots: int = 8192
    """What it has in hand at once: a mail takes one for every 16 KiB. A tenth is kept for class emergency."""
    lease_s: float = 60
    """When it has not renewed its claims for so long, another worker takes over what it had in hand."""
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
        self._reporter = Reporter(room, self._name, self._options.slots)
        self._claims = self._accepted = 0
        self._ring = Ring()
        self._lanes = Lanes(room.open_transport, room.pace_of)
        self._windows = Windows(self._options.slots, time.monotonic)
        self._in_hand: dict[asyncio.Task[None], Work] = {}
        self._waiting: set[tuple[str, Urgency]] = set()
        """Queues that something waits in: what is new there has to wait in line with it."""
        self._shares: Counter[tuple[str, Urgency]] = Counter()
        self._expired_at: dict[tuple[str, int], float] = {}
        self._missed: set[str] = set()
        """Claims of its own that it did not have in hand when it looked last."""
        self._unrecorded: set[str] = set()
        """Claims of mails that were tried although no outcome was recorded."""
        self._lost: set[str] = set()
        """Workers that it has found to be lost."""
        self._set_back = ClockWatch(room.clock)
        self._busy: Counter[Endpoint] = Counter()
        self._walked_s = 0.0
        self._warn_at = 0.0
        self._stopping = asyncio.Event()

    @property
    def slots(self) -> int:
        """Mails that it can have in hand at once."""
        return self._options.slots

    @property
    def in_hand(self) -> int:
        """Mails that it has in hand now."""
        return len(self._in_hand)

    @property
    def lanes_open(self) -> int:
        """Mail servers that it keeps connections to."""
        return self._lanes.open

    def stop(self) -> None:
        """Take on nothing new; `run` returns when what is in hand has ended."""
        self._stopping.set()
        self._room.bell.set()

    async def run(self) -> None:
        """Work until `stop`. What is in hand then gets its time to end; the rest goes back into the outbox."""
        self._presence.begin()
        metrics.watch(self)
        _log.info("worker_started", worker=self._name)
        helpers = [asyncio.create_task(self._keep_leases()), asyncio.create_task(self._sweep_for_ever())]
        self._room.takers.join(self)
        try:
            while not self._stopping.is_set():
                begun = time.monotonic()
                more = await self._safely(self._claim)
                self._walked_s += time.monotonic() - begun
                if more:
                    await asyncio.sleep(BREATH_S)
                else:
                    await self._rest()
        finally:
            self._room.takers.leave(self)
            await self._safely(self._settle)
            await self._finish()
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._lanes.close()
            await self._safely(self._sign_off)
            self._presence.end()
            metrics.forget(self)
        _log.info("worker_stopped", worker=self._name)

    async def _claim(self) -> bool:
        """Take on what is due; True when there may be more at once."""
        self._room.bell.clear()
        free, for_emergencies = self._windows.free(Urgency.NORMAL), self._windows.free(Urgency.EMERGENCY)
        if for_emergencies <= 0:
            return False
        self._claims += 1
        wanted = Wanted(
            f"{self._name}-{self._claims}",
            int(self._options.lease_s * 1000),
            free,
            for_emergencies,
            self._share_out,
            bytes_left=for_emergencies * SLOT_BYTES,
            empty_handed=not self._in_hand,
            bytes_kept=(for_emergencies - free) * SLOT_BYTES,
        )
        self._shares.clear()
        works, more = await self._ring.claim_deliveries(self._room, wanted)
        self._shares.subtract((work.claimed.queue, work.claimed.urgency) for work in works)
        self._waiting -= {lot for lot, missing in self._shares.items() if missing > 0}
        for work in works:
            pace = self._room.pace_of(work.server.endpoint) if work.server else None
            self._windows.took(work.claimed.queue, work.claimed.urgency, work.size, pace)
        self.begin(works)
        return more

    def _share_out(
        self, queues: Sequence[str], urgency: Urgency, free: int, taken: Mapping[str, int]
    ) -> dict[str, int]:
        """As the windows say; notes what each queue may take, because one that has less has nothing left that waits."""
        shares = self._windows.share_out(queues, urgency, free, taken)
        self._waiting.update((queue, urgency) for queue in queues)
        self._shares.update({(queue, urgency): share for queue, share in shares.items()})
        return shares

    # What was just accepted ----------------------------------------------------------------------------------------

    def claim(self) -> tuple[str, int]:
        """The name of a new claim, and how long its lease is, in milliseconds."""
        self._accepted += 1
        return f"{self._name}-a{self._accepted}", int(self._options.lease_s * 1000)

    def take(self, queue: str, urgency: Urgency, size: int, endpoint: Endpoint) -> bool:
        """Take one mail of so many bytes on, unless there is no room for more of its queue or others wait there."""
        if (queue, urgency) in self._waiting:
            return False
        taken = self._windows.take(queue, urgency, size, self._room.pace_of(endpoint))
        if not taken:
            self._waiting.add((queue, urgency))
        return taken

    def begin(self, works: Sequence[Work]) -> None:
        """They are claimed, and that is on disk: send them."""
        for work in works:
            if work.server:
                self._busy[work.server.endpoint] += 1
            task = asyncio.create_task(self._handle(work))
            self._in_hand[task] = work
            task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        work = self._in_hand.pop(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._unrecorded.add(work.claimed.claim)
            _log.error("attempt_lost", delivery=work.claimed.id, tenant=work.claimed.tenant, exc_info=fault)
            observe_error()

    def put_down(self, works: Sequence[Work]) -> None:
        """They were taken on, and do not exist after all."""
        for work in works:
            self._windows.put_down(work.claimed.queue, work.claimed.urgency, work.size)

    async def _handle(self, work: Work) -> None:
        said = Said()
        try:
            begun = time.monotonic()
            recorded = await self._deliver(work)
            said = said_by(recorded.outcome, time.monotonic() - begun)
            if await self._until_stored(recorded):
                observe_attempt(recorded, self._room.clock())
                self._reporter.count(recorded.outcome)
                if self._room.trace is not None:
                    self._room.trace.attempted(recorded)
        finally:
            self._windows.ended(work.claimed.queue, work.claimed.urgency, said, work.size)
            if work.server:
                self._busy[work.server.endpoint] -= 1
            if self._waiting:
                self._room.bell.set()

    async def _deliver(self, work: Work) -> outcomes.Recorded:
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

    async def _until_stored(self, recorded: outcomes.Recorded) -> bool:
        """Record, again and again while the database is away: what was sent must not be sent twice."""
        while True:
            try:
                return await record_attempt(self._room, recorded)
            except StorageUnavailable:
                await asyncio.sleep(1)
            except Exception:  # noqa: BLE001  whatever cannot be stored of the words, the outcome itself can
                _log.exception("attempt_not_recorded", delivery=recorded.claimed.id)
                observe_error()
                await asyncio.sleep(1)
                recorded = replace(recorded, outcome=replace(recorded.outcome, reply="", hint="", dialogue=""))

    async def _rest(self) -> None:
        """Until there is new mail, there is room for what waits, or it is time to look.

        A look walks past every queue that is held: the longer it took, the rarer it is.
        """
        walked_s, self._walked_s = self._walked_s, 0.0
        await asyncio.sleep(min(walked_s, LONGEST_REST_S))
        try:
            await asyncio.wait_for(self._room.bell.wait(), max(self._options.poll_s, walked_s / WALKING))
        except TimeoutError:
            return

    async def _settle(self) -> bool:
        """Wait for the commits in which something was taken on: what was put into them before this is in hand after."""
        await self._room.database.write(_nothing)
        return True

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
            while not await self._safely(self._renew):
                pass

    async def _renew(self) -> bool:
        """Show that what is in hand is still being worked on; True when that is stored."""
        claims = sorted(self._claims_in_hand())
        probed = sorted({work.claimed.lane for work in self._in_hand.values() if work.claimed.probe})
        if claims:
            until = self._room.clock() + int(self._options.lease_s * 1000)
            await self._room.database.write(leases.renew, claims, probed, until)
        return True

    async def _sweep_for_ever(self) -> None:
        while True:
            for step in (self._pull_back, self._recover, self._expire, self._purge, self._warn, self._report):
                begun = time.monotonic()
                while await self._safely(step) and time.monotonic() - begun < self._options.sweep_s:
                    pass  # the others have their turn, however much there is to do
            self._windows.forget_idle()
            self._waiting.clear()  # what has been emptied by others; the rest is found again
            self._busy = +self._busy
            self._lanes.close_idle(set(self._busy))
            await asyncio.sleep(self._options.sweep_s)

    async def _recover(self) -> bool:
        """Take over what lost workers had in hand: of the dead at once, of others when their lease stays over.

        An expired lease is believed only when it has not been renewed for the time in which a living worker renews:
        the clock may have been set forward, or the database been away.
        """
        in_hand = self._claims_in_hand()
        in_force = await self._room.database.read(leases.leases)
        await self._give_back({claim for claim, _ in in_force if worker_of(claim) == self._name} - in_hand)
        dead = self._presence.dead({worker_of(claim) for claim, _ in in_force})
        wall, now = self._room.clock(), asyncio.get_running_loop().time()
        expired = [one for one in in_force if one[1] <= wall and one[0] not in in_hand]
        self._expired_at = {one: self._expired_at.get(one, now) for one in expired}
        patience = self._options.lease_s / 3 + self._options.sweep_s
        lost = {claim for claim, _ in in_force if worker_of(claim) in dead}
        lost |= {claim for (claim, _), since in self._expired_at.items() if now - since >= patience}
        if lost:
            recovered = await recover_lost(self._room, lost)
            workers = {worker_of(claim) for claim in recovered.claims} - self._lost
            self._lost |= workers
            metrics.observe_lost(len(workers), recovered.set_aside)
            self._room.bell.set()
        return False

    async def _give_back(self, not_in_hand: set[str]) -> None:
        """Give back what this worker has claimed without hearing that the claim was stored; nobody has tried it.

        `not_in_hand` was not in hand before the claims in force were read, so it is not what was just being recorded.
        It may be what a commit took on that was just ending: after one more commit, that is in hand.
        """
        again, self._missed = not_in_hand & self._missed, not_in_hand
        if again:
            await self._settle()
        again -= self._claims_in_hand() | self._unrecorded
        if again and not self._stopping.is_set():  # what a stop has cut short was tried
            await give_back(self._room, again)
            self._room.bell.set()

    def _claims_in_hand(self) -> set[str]:
        return {work.claimed.claim for work in self._in_hand.values()}

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

    async def _report(self) -> bool:
        await self._reporter.report(self.in_hand)
        return False

    async def _sign_off(self) -> bool:
        await self._reporter.sign_off()
        return False

    async def _finish(self) -> None:
        """Let what is in hand end; what does not in time goes back into the outbox as what it is: perhaps sent."""
        if self._in_hand:
            await asyncio.wait(list(self._in_hand), timeout=self._options.grace_s)
        left = dict(self._in_hand)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await leave_in_hand(self._room, [work.claimed for work in left.values()])
        except StorageUnavailable:
            _log.warning("left_to_the_lease", deliveries=len(left))


def _nothing(_connection: Connection) -> None:
    """A write that only waits for its turn."""


def worker_of(claim: str) -> str:
    """The worker in a claim's name, `<worker>-<number>.<what>`."""
    return claim.partition("-")[0]


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
