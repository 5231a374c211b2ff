"""Record what became of attempts: many in one commit, each only while its claim still stands."""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import leases, outbox, outcomes, queues, settings
from ringpost.usecases.choose_server import choose_server, way_of
from ringpost.usecases.deliver import another_server_may_take_it, erase_at, lost_worker, set_aside
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.record")

BITE = 500
"""Rows in one commit of the sweeper."""
APART_MS = 200
"""The time between mails that were in hand when a worker was lost, from the second time on."""
LONGEST_APART_MS = 60_000


def record_attempt(room: Room, item: outcomes.Recorded) -> Awaitable[bool]:
    """Write the attempt and the new state; False when the claim had been lost meanwhile and nothing was written."""
    return room.database.write_each(_record, room, item, quick=True)


def _record(connection: Connection, room: Room, items: Sequence[outcomes.Recorded]) -> list[bool]:
    now = room.clock()
    known = _as_of_now(connection, room, now, items)
    return outcomes.record(connection, now, _fallen_over(connection, now, known), partial(_in_force, connection, room))


def _in_force(connection: Connection, room: Room, item: outcomes.Recorded) -> bool:
    """Whether the server that was tried is still that of its lane."""
    way = item.claimed.tenant, queues.is_borrowed(item.claimed.queue)
    server = choose_server(connection, room, room.standing.now(connection), way)
    return server is not None and item.endpoint == server.endpoint


def _as_of_now(
    connection: Connection, room: Room, now: int, items: Sequence[outcomes.Recorded]
) -> Sequence[outcomes.Recorded]:
    """The items; where a mail server has failed that was replaced meanwhile, the mail goes at once through the new one.

    Nothing is held for it: who has just corrected a password would wait as long as for a wrong one.
    """
    ways = {way_of(item.claimed) for item in items if item.hold_for_ms is not None}
    if not ways:
        return items
    standing = room.standing.now(connection)
    servers = {way: choose_server(connection, room, standing, way) for way in ways}

    def as_of_now(item: outcomes.Recorded) -> outcomes.Recorded:
        if item.hold_for_ms is None:
            return item
        server = servers[way_of(item.claimed)]
        if item.endpoint == (server.endpoint if server else None):
            return item
        return item._replace(hold_for_ms=None, due_at=now, of_before=True)

    return [as_of_now(item) for item in items]


def _fallen_over(connection: Connection, now: int, items: Sequence[outcomes.Recorded]) -> Sequence[outcomes.Recorded]:
    """The items; emergencies go on through the system's server when that has been lent since they were claimed."""
    stranded = {item.claimed.id for item in items if _is_stranded(item)}
    if not stranded or not settings.system_server_offered(connection) or outcomes.on_hold(connection, [SYSTEM]):
        return items
    return [
        item._replace(queue=queues.queue_of(item.claimed.tenant, own_server=False), due_at=now)
        if item.claimed.id in stranded
        else item
        for item in items
    ]


def _is_stranded(item: outcomes.Recorded) -> bool:
    """Whether it is an emergency that its tenant's own server in force has failed, when no other one stood by."""
    claimed = item.claimed
    waits_there = item.state is State.QUEUED and item.queue is None and claimed.queue == claimed.tenant
    may_go_on = waits_there and not item.of_before and another_server_may_take_it(item.outcome)
    return may_go_on and claimed.urgency is Urgency.EMERGENCY


@dataclass(frozen=True, slots=True)
class Recovered:
    """What lost workers had in hand."""

    claims: frozenset[str] = frozenset()
    """Under which there was something."""
    set_aside: int = 0
    """How many mails of it were claimed too often, and have ended."""
    deliveries: int = 0
    """How many mails it was in all."""


async def recover_lost(room: Room, claims: Collection[str]) -> Recovered:
    """Queue again what lost workers had in hand under these claims; set aside what was claimed too often.

    A mail that stops its worker takes others down with it. From the second time on they come back one after the other,
    so that the next time tells which one it is, and only that one is set aside.
    """
    total = Recovered()
    while claims:
        bite = await room.database.write(_recover, room, sorted(claims))
        total = Recovered(
            total.claims | bite.claims, total.set_aside + bite.set_aside, total.deliveries + bite.deliveries
        )
        if bite.deliveries < BITE:
            break
    return total


def _recover(connection: Connection, room: Room, lost: Sequence[str]) -> Recovered:
    now, aside = room.clock(), 0
    found = leases.held_under(connection, lost, BITE)
    outbox.end_probes(connection, now, [item for item, _ in found])
    for place, (item, claims) in enumerate(found):
        if claims < leases.MOST_CLAIMS:
            wait_ms = min(place * APART_MS, LONGEST_APART_MS) if claims > 1 else 0
            leases.return_lost(connection, item, lost_worker(), due_at=now + wait_ms, at=now, claims=claims)
            _log.warning("worker_lost", delivery=item.id, tenant=item.tenant, claims=claims)
            continue
        end = erase_at(room, now, secret=item.secret)
        state = State.REJECTED
        ended = outcomes.Recorded(item, set_aside(), "", now, 0, state, now, costs_retry=False, erase_at=end)
        outcomes.record(connection, now, [ended])
        aside += 1
        _log.error("delivery_set_aside", delivery=item.id, tenant=item.tenant, claims=claims)
    return Recovered(frozenset(item.claim for item, _ in found), aside, len(found))


async def leave_in_hand(room: Room, items: Sequence[outbox.Claimed]) -> None:
    """Queue again what a stopping worker could not wait for. It stopped nobody, so that is not held against it."""
    if items:
        await room.database.write(_leave, room, items)


def _leave(connection: Connection, room: Room, items: Sequence[outbox.Claimed]) -> None:
    now = room.clock()
    outbox.end_probes(connection, now, items)
    for item in items:
        leases.return_lost(connection, item, lost_worker(), due_at=now, at=now, claims=0)


async def expire_overdue(room: Room) -> int:
    """End what waited past its time; returns how many."""
    keep_ms = room.options.keep_messages_s * 1000
    return await room.database.write(outcomes.expire, room.clock(), keep_ms, BITE)
