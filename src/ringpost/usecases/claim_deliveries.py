"""Claim due deliveries, with all that is needed to try them. The claim is on disk before anything is sent."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import Connection

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import outbox, outcomes, queues
from ringpost.storage import settings as settings_rows
from ringpost.storage.at_once import LARGEST
from ringpost.storage.settings import ServerInForce
from ringpost.transports.lease import Lease
from ringpost.usecases.choose_server import Way, choose_server, way_of
from ringpost.usecases.deliver import Work
from ringpost.usecases.give_back import put_back
from ringpost.usecases.lend_server import lend_server
from ringpost.usecases.room import Room

LATELY_MS = 60_000
"""Messages of mails that were accepted so long ago at most are still in the database's memory."""
QUICK_MAILS = LARGEST
"""Mails that a quick look takes on at most: one group."""
QUICK_BYTES = 2 * 2**20
"""Bytes of messages that a quick look reads, beside the room kept for emergencies."""
PROBES = 32
"""Lanes on hold that are probed at once, at most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker can take on now."""

    name: str
    """The name of the claim; unique for ever."""
    lease_ms: int
    slots: int
    """Free for any class."""
    emergency_slots: int
    """Free for class emergency; more than `slots`, because some are kept for it."""
    probe_slots: int
    """How many of `slots` lanes on hold may be tried out in, before other mail takes them."""
    share_out: Callable[[Sequence[str], Urgency, int, Mapping[str, int]], dict[str, int]]
    """How many mails each of these queues may take of so many free slots, when others of them are claimed already."""
    bytes_left: int
    """How many bytes of messages it still has memory for."""
    one_however_large: bool
    """It has no mail in hand that is larger than what there was memory for, so it may take one, however large."""
    bytes_kept: int = 0
    """How many of `bytes_left` are for class emergency only."""
    ready: Collection[tuple[str, Urgency]] = ()
    """Queues that something waits in, and of which a mail has just ended."""


class Look(NamedTuple):
    """What a worker found that looked for mail."""

    works: list[Work]
    more: bool
    """Whether there may be more at once."""
    took_s: float
    """How long the looking itself took, without waiting for the database or its commit."""
    rounds: Collection[Urgency]
    """The classes whose ring it has come round."""
    gave_back: bool
    """Whether there was a mail that there was no memory for."""


class _Found(NamedTuple):
    works: list[Work]
    ends: dict[Urgency, str]
    """Where the walks of those classes ended that there was a slot for."""
    usual: bool
    """Whether few queues wait, with nothing but small mail of late."""
    gave_back: bool
    """Whether there was a mail that there was no memory for."""
    took_s: float


class _Within(NamedTuple):
    """What there is memory for."""

    items: Sequence[outbox.Claimed]
    contents: Mapping[str, bytes]
    """Their messages, by event."""
    counts_as: Mapping[str, int]
    """By id, as how many bytes the one counts that there was less memory for."""
    all_small: bool
    gave_back: bool
    """Whether there was more."""


class Ring:
    """Where the last look ended in each class, so that the next one goes on from there, and what it was like."""

    def __init__(self) -> None:
        self._after = dict.fromkeys(Urgency, "")
        self._round = set[Urgency]()
        """The classes whose ring was walked round in vain since anything was found."""
        self._usual = False
        self._too_large: bool = False
        """Whether a mail waits that there was no memory for."""

    @property
    def begins(self) -> bool:
        """Whether the next look begins at the first queue, so that looks from now on see all."""
        return not any(self._after.values())

    async def claim_deliveries(self, room: Room, wanted: Wanted) -> Look:
        """Take what is due, the urgent first.

        When the last look found what is usual, this one expects the same, and is quick: the event loop may do it itself
        (`storage.at_once`), and it takes no more than may keep that waiting.
        """
        quick = self._usual and not self._too_large and room.database.writes_at_once
        walk = _of_few(wanted) if quick else wanted, dict(self._after)
        found = await room.database.write_each(_claim_each, room, walk, quick=quick, weight=QUICK_MAILS)
        rounds = {urgency for urgency, end in found.ends.items() if end <= self._after[urgency]}
        self._round |= rounds
        more = bool(found.works) or not self._round.issuperset(found.ends) or (quick and not found.usual)
        self._after |= found.ends if more else dict.fromkeys(found.ends, "")
        if found.works or not more:
            self._round.clear()
        self._usual = found.usual
        still_waits = bool(found.works) and all(work.counts_as is None for work in found.works)
        self._too_large = found.gave_back or (self._too_large and still_waits)
        return Look(found.works, more, found.took_s, rounds, found.gave_back)


def _of_few(wanted: Wanted) -> Wanted:
    return replace(
        wanted,
        slots=min(wanted.slots, QUICK_MAILS),
        emergency_slots=min(wanted.emergency_slots, QUICK_MAILS),
        bytes_left=min(wanted.bytes_left, wanted.bytes_kept + QUICK_BYTES),
        one_however_large=False,
    )


def _claim_each(connection: Connection, room: Room, walks: Sequence[tuple[Wanted, dict[Urgency, str]]]) -> list[_Found]:
    return [_claim(connection, room, wanted, after) for wanted, after in walks]


def _claim(connection: Connection, room: Room, wanted: Wanted, after: dict[Urgency, str]) -> _Found:
    begun, lease, now = time.monotonic(), Lease(wanted.lease_ms / 1000), room.clock()
    outbox.bring_due(connection, now)
    claimed: list[outbox.Claimed] = []
    ends: dict[Urgency, str] = {}
    for urgency in Urgency:
        free = wanted.emergency_slots if urgency is Urgency.EMERGENCY else wanted.slots
        if urgency is Urgency.ALERT:
            claimed += _claim_probes(connection, wanted, now, wanted.slots - len(claimed))
        if free <= len(claimed):
            continue
        claim = _claim_of_class(urgency, wanted, now, free - len(claimed), claimed, after[urgency])
        taken, ends[urgency] = outbox.claim(connection, claim)
        claimed += lend_server(connection, room, taken)
    within = _within_memory(connection, room, wanted, claimed)
    works = _with_all_they_need(connection, room, within, lease)
    usual = (
        within.all_small
        and not within.gave_back
        and not any(ends.values())
        and all(item.created_at >= now - LATELY_MS for item in claimed)
    )
    return _Found(works, ends, usual, within.gave_back, time.monotonic() - begun)


def _claim_of_class(
    urgency: Urgency, wanted: Wanted, now: int, limit: int, claimed: Sequence[outbox.Claimed], after: str
) -> outbox.Claim:
    taken = Counter(item.queue for item in claimed if item.urgency is not Urgency.EMERGENCY)

    def share_out(queues: Sequence[str]) -> dict[str, int]:
        return wanted.share_out(queues, urgency, limit, {} if urgency is Urgency.EMERGENCY else taken)

    name = f"{wanted.name}.{urgency.value}"
    ready = [queue for queue, its in wanted.ready if its is urgency]
    return outbox.Claim(name, now, now + wanted.lease_ms, urgency, limit, share_out, after, ready)


def _within_memory(connection: Connection, room: Room, wanted: Wanted, claimed: Sequence[outbox.Claimed]) -> _Within:
    """As many as there is memory for, in their order; the rest is given back. Recordings can be large.

    One may be larger than what is left, or it would wait for as long as small ones take whatever becomes free.
    """
    if not claimed:
        return _Within((), {}, {}, all_small=True, gave_back=False)
    found = outbox.small_contents(connection, sorted({item.event for item in claimed}))
    left, over = wanted.bytes_left, list[outbox.Claimed]()
    kept: list[outbox.Claimed] = []
    counts_as: dict[str, int] = {}
    for item in claimed:
        size, _ = found.get(item.event, (0, None))
        room_left = max(0, left if item.urgency is Urgency.EMERGENCY else left - wanted.bytes_kept)
        if size > room_left and wanted.one_however_large and not counts_as:
            size = counts_as[item.id] = room_left
        if size <= room_left:
            kept.append(item)
            left -= size
        else:
            over.append(item)
    if over:
        put_back(connection, room, over)
    contents = {event: content for event, (_, content) in found.items() if content is not None}
    large = {item.event for item in kept if item.event in found} - contents.keys()
    contents |= outbox.contents(connection, sorted(large))
    return _Within(kept, contents, counts_as, all_small=not large, gave_back=bool(over))


def _claim_probes(connection: Connection, wanted: Wanted, now: int, free: int) -> list[outbox.Claimed]:
    """Before other mail: a flood takes every slot that becomes free, and whoever is well again would never be tried."""
    limit = min(PROBES, wanted.probe_slots, free)
    if limit <= 0:
        return []
    return outbox.claim_probes(
        connection,
        outbox.Claim(wanted.name, now, now + wanted.lease_ms, Urgency.EMERGENCY, limit, lambda _queues: {}, ""),
    )


def _with_all_they_need(connection: Connection, room: Room, within: _Within, lease: Lease) -> list[Work]:
    claimed = within.items
    if not claimed:
        return []
    ways = _servers(connection, room, {way_of(item) for item in claimed})
    with_servers = [(_on_its_queue(item, ways[way_of(item)]), ways[way_of(item)]) for item in claimed]
    outbox.put_on_queues(
        connection, [item for (item, _), was in zip(with_servers, claimed, strict=True) if item != was]
    )
    failures = outcomes.failures_of(connection, sorted({item.lane for item, _ in with_servers}))
    standing_by = _standing_by(connection, [item for item, _ in with_servers])
    return [
        Work(
            item,
            within.contents.get(item.event),
            server,
            failures.get(item.lane, 0),
            falls_over_to=standing_by.get(way_of(item)) if item.urgency is Urgency.EMERGENCY else None,
            counts_as=within.counts_as.get(item.id),
            lease=lease,
        )
        for item, server in with_servers
    ]


def _standing_by(connection: Connection, claimed: Sequence[outbox.Claimed]) -> dict[Way, str]:
    """For emergencies on these ways, the queue of the tenant's other server, where that is not known to fail."""
    ways = {way_of(item) for item in claimed if item.urgency is Urgency.EMERGENCY}
    if not ways:
        return {}
    lent = settings_rows.system_server_offered(connection)
    others: dict[Way, str] = {}
    for tenant, borrows in ways:
        if borrows:
            if settings_rows.can_send(connection, tenant):
                others[tenant, borrows] = queues.queue_of(tenant, own_server=True)
        elif lent and tenant != SYSTEM:
            others[tenant, borrows] = queues.queue_of(tenant, own_server=False)
    failing = outcomes.on_hold(connection, sorted({queues.lane_of(queue) for queue in others.values()}))
    return {way: queue for way, queue in others.items() if queues.lane_of(queue) not in failing}


def _servers(connection: Connection, room: Room, ways: Collection[Way]) -> dict[Way, ServerInForce | None]:
    """The mail server to try on each way."""
    standing = room.standing.now(connection)
    own = [tenant for tenant, fell_over in ways if not fell_over]
    standing.load_servers(connection, room.sealer, own, room.options.provider_hosts)
    return {way: choose_server(connection, room, standing, way) for way in ways}


def _on_its_queue(item: outbox.Claimed, server: ServerInForce | None) -> outbox.Claimed:
    """Put it on the queue of the server that it goes through; settings may have changed since it was queued."""
    if server is None:
        return item
    queue = queues.queue_of(item.tenant, own_server=server.lane != SYSTEM)
    return item if queue == item.queue else item._replace(queue=queue)
