"""One worker: claims what is due, hands each mail to its lane's transport, and records what became of it."""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import structlog

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage, Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.errors import StorageUnavailable
from ringpost.storage import leases, outcomes
from ringpost.transports import lease
from ringpost.transports.lease import LeaseOver
from ringpost.usecases.claim_deliveries import Look, Ring, Wanted
from ringpost.usecases.deliver import Start, Work, deliver, judge
from ringpost.usecases.give_back import give_back_one
from ringpost.usecases.record_attempt import record_attempt
from ringpost.usecases.recover_lost import leave_in_hand
from ringpost.usecases.room import Room
from ringpost.worker import metrics
from ringpost.worker.in_hand import InHand, settle
from ringpost.worker.lanes import Lanes
from ringpost.worker.metrics import observe_attempt, observe_error
from ringpost.worker.options import WorkerOptions
from ringpost.worker.presence import Presence
from ringpost.worker.reporter import Reporter
from ringpost.worker.steps import safely
from ringpost.worker.sweeper import Sweeper
from ringpost.worker.waiting import Lot, Waiting
from ringpost.worker.windows import NOTHING, SLOT_BYTES, Said, Windows, said_by

_log = structlog.get_logger("ringpost.worker")


BREATH_S = 0.002
"""The pause between two claims, so that each finds more to take than a slot that has just become free."""
LONGEST_REST_S = 1.0
"""The longest rest that the bell cannot cut short."""
MOST_READY = 64
"""How many queues with room again one look takes on, beside the part of the ring that it walks."""
WALKING = 0.1
"""The share of its time that an idle worker spends looking."""


class Worker:
    """Runs until it is told to stop."""

    def __init__(self, room: Room, options: WorkerOptions | None = None) -> None:
        self._room = room
        self._options = options or WorkerOptions()
        self._name = f"w{secrets.token_hex(6)}"
        self._presence = Presence(self._options.presence, self._name)
        self._reporter = Reporter(room, self._name, self._options)
        self._claims = self._accepted = 0
        self._ring = Ring()
        self._lanes = Lanes(room.open_transport, room.pace_of)
        self._windows = Windows(self._options.slots, time.monotonic)
        self._in_hand = InHand()
        self._waiting = Waiting()
        self._ready = set[Lot]()
        """Of what waits, where a mail has ended since: there may be room again, wherever the walk is by now."""
        self._shares = Counter[Lot]()
        self._heard = room.bell.rings
        """How many rings of the bell it has heard."""
        self._walked_s = 0.0
        """How long it has looked in vain since it found something or had a rest."""
        self._stopping = asyncio.Event()
        self._sweeper = Sweeper(room, self._options, self._presence, self._in_hand)

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
        self._room.bell.ring()

    async def run(self) -> None:
        """Work until `stop`. What is in hand then gets its time to end; the rest goes back into the outbox."""
        self._presence.begin()
        metrics.watch(self)
        _log.info("worker_started", worker=self._name)
        helpers = [asyncio.create_task(self._keep_leases()), asyncio.create_task(self._sweep_for_ever())]
        self._room.takers.join(self)
        try:
            while not self._stopping.is_set():
                if await safely(self._claim):
                    await asyncio.sleep(BREATH_S)
                else:
                    await self._rest()
        finally:
            self._room.takers.leave(self)
            await safely(self._settle)
            await safely(self._finish)
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._lanes.close()
            await safely(self._sign_off)
            self._presence.end()
            metrics.forget(self)
        _log.info("worker_stopped", worker=self._name)

    async def _claim(self) -> bool:
        """Take on what is due; True when there may be more at once."""
        if self._ring.begins:  # else a ring may be for a queue that the walk has passed
            self._heard = self._room.bell.rings
        free, for_emergencies = self._windows.free(Urgency.NORMAL), self._windows.free(Urgency.EMERGENCY)
        if for_emergencies <= 0:
            return False
        self._claims += 1
        ready = set(islice(self._ready, MOST_READY))
        self._ready -= ready
        some_are_left = bool(self._ready)
        wanted = Wanted(
            f"{self._name}-{self._claims}",
            int(self._options.lease_s * 1000),
            free,
            for_emergencies,
            self._for_probes(free),
            self._share_out,
            bytes_left=for_emergencies * SLOT_BYTES,
            one_however_large=not self._in_hand.too_large,
            bytes_kept=(for_emergencies - free) * SLOT_BYTES,
            ready=ready,
        )
        self._shares.clear()
        look = await self._ring.claim_deliveries(self._room, wanted)
        self._walked_s = 0.0 if look.works else self._walked_s + look.took_s
        works = self._within_paces(look.works)
        self._note_what_waits(look)
        self.begin(works)
        return look.more or some_are_left

    def _within_paces(self, works: Sequence[Work]) -> list[Work]:
        """Take on what was claimed; the pace of a lane that had nothing in hand lately shows only now.

        What would only wait for its turn has not failed: it goes back untried. Emergencies and probes are tried: they
        may find out that somebody asked for a rest.
        """
        taken: list[Work] = []
        for work in works:
            claimed = work.claimed
            pace = self._room.pace_of(work.server.endpoint) if work.server else None
            may_wait = not claimed.probe and claimed.urgency is not Urgency.EMERGENCY
            if pace is not None and may_wait and self._windows.would_wait(claimed.queue, claimed.urgency, pace):
                self._in_hand.begin(work, self._until_given_back(work))
                continue
            self._windows.took(claimed.queue, claimed.urgency, work.size, pace, more=work.more)
            taken.append(work)
        return taken

    def _for_probes(self, free: int) -> int:
        """A sixteenth of all slots, and whatever leaves half of them free."""
        slots = self._options.slots
        return max(max(1, slots // 16) - self._in_hand.probing, free - slots // 2, 0)

    def _share_out(
        self, queues: Sequence[str], urgency: Urgency, free: int, taken: Mapping[str, int]
    ) -> dict[str, int]:
        """As the windows say; notes what each queue may take, because one that has less has nothing left that waits."""
        others_wait = len(queues) > 1 or self._waiting.elsewhere(queues)
        self._waiting.seen(queues, urgency)
        shares = self._windows.share_out(queues, urgency, free, taken, others_wait=others_wait)
        for queue, share in shares.items():  # a write that is tried again asks again
            self._shares[queue, urgency] = share
        return shares

    def _note_what_waits(self, look: Look) -> None:
        """Once what was taken is counted: what is accepted for an emptied queue may be taken on again."""
        self._shares.subtract((work.claimed.queue, work.claimed.urgency) for work in look.works)
        if not look.gave_back:
            self._waiting.emptied([lot for lot, missing in self._shares.items() if missing > 0])
        self._waiting.walked_round(look.rounds)

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
            self._waiting.seen([queue], urgency)
        return taken

    def begin(self, works: Sequence[Work]) -> None:
        """They are claimed, and that is on disk: send them."""
        for work in works:
            self._in_hand.begin(work, self._handle(work))

    def put_down(self, works: Sequence[Work]) -> None:
        """They were taken on, and do not exist after all."""
        for work in works:
            self._windows.put_down(work.claimed.queue, work.claimed.urgency, work.size)

    async def _handle(self, work: Work) -> None:
        said: Said | None = NOTHING
        try:
            begun = time.monotonic()
            recorded = await self._deliver(work)
            said = said_by(recorded.outcome, time.monotonic() - begun)
            if await self._until_stored(recorded):
                observe_attempt(recorded, self._room.clock())
                self._reporter.count(recorded.outcome)
                if self._room.trace is not None:
                    self._room.trace.attempted(recorded)
        except LeaseOver:
            said = None
            _log.warning("lease_over", delivery=work.claimed.id, tenant=work.claimed.tenant)
            await self._until_given_back(work)
        finally:
            lot = work.claimed.queue, work.claimed.urgency
            if said is None:
                self._windows.put_down(*lot, work.size)
            else:
                self._windows.ended(*lot, said, work.size)
            if self._waiting:
                self._room.bell.ring()
            if lot in self._waiting:
                self._ready.add(lot)

    async def _deliver(self, work: Work) -> outcomes.Recorded:
        jitter = random.uniform(-1, 1)  # noqa: S311  spreads retries, guards nothing
        started = Start.now(self._room)
        try:
            return await deliver(self._room, work, self._lanes.transport_to, jitter)
        except LeaseOver:
            raise
        except Exception:  # noqa: BLE001  a fault of ours must not stop the other mails
            _log.exception("delivery_failed", delivery=work.claimed.id, tenant=work.claimed.tenant)
            observe_error()
            fault = Outcome(
                RETRY, Stage.DATA, Party.MESSAGE, hint="Ringpost itself failed at this mail. The log says why."
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
                recorded = recorded._replace(outcome=replace(recorded.outcome, reply="", hint="", dialogue=""))

    async def _until_given_back(self, work: Work) -> None:
        """Now, because its claim may be renewed for as long as anything else under it is in hand."""

        async def give_back() -> bool:
            await give_back_one(self._room, work.claimed)
            return True

        while not await safely(give_back):
            pass
        self._room.bell.ring()

    async def _rest(self) -> None:
        """Wait until there is new mail, there is room for what waits, or it is time to look.

        A look walks past every queue that is held: the longer it took in vain, the rarer it is.
        """
        walked_s, self._walked_s = self._walked_s, 0.0
        await asyncio.sleep(min(walked_s, LONGEST_REST_S))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(self._options.poll_s, walked_s / WALKING)):
                await self._room.bell.wait(self._heard)
        self._heard = self._room.bell.rings

    async def _settle(self) -> bool:
        await settle(self._room)
        return True

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._options.lease_s / 3)
            while not await safely(self._renew):
                pass

    async def _renew(self) -> bool:
        """Show that what is in hand is still being worked on; True when that is stored."""
        claims, probes = sorted(self._in_hand.claims()), self._in_hand.probes()
        if claims:
            renewed, begun = self._in_hand.leases(), lease.now()
            until = self._room.clock() + int(self._options.lease_s * 1000)
            await self._room.database.write(leases.renew, claims, probes, until)
            for one in renewed:
                one.renew(begun, self._options.lease_s)
        return True

    async def _sweep_for_ever(self) -> None:
        while True:
            await safely(self._report)
            await self._sweeper.sweep()
            self._windows.forget_idle()
            self._lanes.close_idle(self._in_hand.endpoints())
            await asyncio.sleep(self._options.sweep_s)

    async def _report(self) -> bool:
        await self._reporter.report(len(self._in_hand))
        return False

    async def _sign_off(self) -> bool:
        await self._reporter.sign_off()
        return False

    async def _finish(self) -> bool:
        """Let what is in hand end; what does not in time goes back into the outbox as what it is: perhaps sent."""
        left = await self._in_hand.finish(self._options.grace_s)
        try:
            await leave_in_hand(self._room, [work.claimed for work in left])
        except StorageUnavailable:
            _log.warning("left_to_the_lease", deliveries=len(left))
        return True
