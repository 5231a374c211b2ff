"""Record what became of attempts: many in one commit, each only while its claim still stands."""

from collections.abc import Awaitable, Sequence
from functools import partial

from sqlalchemy import Connection

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import outcomes, queues, settings
from ringpost.usecases.choose_server import choose_server, way_of
from ringpost.usecases.deliver import another_server_may_take_it
from ringpost.usecases.room import Room


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
    tried_again = {item.claimed.tenant for item in items if item.state is State.QUEUED or item.hold_for_ms is not None}
    if tried_again:
        settings.keep_as_they_are(connection, {SYSTEM, *tried_again})
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
