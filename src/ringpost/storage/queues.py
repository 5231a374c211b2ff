"""Queues and lanes: whose mail, through whose server.

A *queue* is one tenant's mail on one *lane* (one mail server): `<tenant>` for the tenant's own, `system:<tenant>` when
it borrows the system's. The system level's own mail has a lane of its own, so that what keeps borrowers waiting (it is
not lent any more) does not keep the operator's alerts waiting.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, false, literal, or_, select, update

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import deliveries, holds

MOVED_AT_ONCE: Final = 500
"""Mails that one write takes to another queue or lets go; whoever else writes waits for it."""
LISTED_AT_ONCE: Final = 10_000

_BORROWED = f"{SYSTEM}:"

SYSTEMS_OWN = "system-own"
"""Queue and lane of the system level's own mail; no tenant's id has a hyphen."""


def queue_of(tenant: TenantId, *, own_server: bool) -> str:
    """The queue of a tenant that has, or has not, a mail server of its own."""
    if tenant == SYSTEM:
        return SYSTEMS_OWN
    return tenant if own_server else _BORROWED + tenant


def is_borrowed(queue: str) -> bool:
    """Whether a tenant's mail goes through the system's server."""
    return queue.startswith(_BORROWED)


def lane_of(queue: str) -> str:
    """The lane of a queue: the tenant's id, or `system`."""
    return queue.partition(":")[0]


LANE = f"CASE WHEN queue LIKE '{_BORROWED}%' THEN '{SYSTEM}' ELSE queue END"
"""`lane_of` the column `queue`, in SQL."""


def queues_of(lane: str) -> tuple[str, str]:
    """The first and the last queue that may be on a lane."""
    return (_BORROWED, f"{SYSTEM};") if lane == SYSTEM else (lane, lane)


def move_queue(connection: Connection, tenant: TenantId, now: int, *, own_server: bool) -> None:
    """The tenant has got, or lost, a mail server of its own: what waits goes on through the one now in force.

    So does what is in hand, if it comes back. Of what waits, only as much as one write has room for; see `left_behind`.
    """
    old, new = queue_of(tenant, own_server=not own_server), queue_of(tenant, own_server=own_server)
    mine = (deliveries.c.queue == old, deliveries.c.tenant == tenant)
    some = select(deliveries.c.id).where(deliveries.c.state == State.QUEUED, *mine).limit(MOVED_AT_ONCE)
    _go_on(connection, now, literal(new), deliveries.c.id.in_(connection.scalars(some).all()))
    _go_on(connection, now, literal(new), deliveries.c.state == State.SENDING, *mine)


def left_behind(connection: Connection, tenant: TenantId, after: str, *, own_server: bool) -> Sequence[str]:
    """Mails that wait for another server than the one in force, or for another try at it: the next, by their ids."""
    waits = (deliveries.c.tenant == tenant, deliveries.c.state == State.QUEUED, deliveries.c.id > after)
    found = select(deliveries.c.id).where(*waits, _should_go_on(tenant, own_server=own_server))
    return connection.scalars(found.order_by(deliveries.c.id).limit(LISTED_AT_ONCE)).all()


def bring_on(
    connection: Connection, tenant: TenantId, ids: Sequence[str], now: int, *, own_server: bool, wait: bool
) -> None:
    """Have these go on through the server in force, those that still are to.

    Without `wait`, not those that somebody writes at this moment: who writes many at once takes them in another order,
    and each would wait for the other.
    """
    which = (deliveries.c.id.in_(ids), deliveries.c.tenant == tenant, deliveries.c.state == State.QUEUED)
    some = select(deliveries.c.id).where(*which, _should_go_on(tenant, own_server=own_server))
    found = connection.scalars(some.with_for_update(skip_locked=not wait)).all()
    _go_on(connection, now, literal(queue_of(tenant, own_server=own_server)), deliveries.c.id.in_(found))


def lend_to_emergencies(connection: Connection, now: int) -> None:
    """The system's server is lent: emergencies that wait for a server that fails go through it."""
    which = (
        deliveries.c.urgency == Urgency.EMERGENCY,
        deliveries.c.queue == deliveries.c.tenant,
        deliveries.c.queue.in_(select(holds.c.lane)),
    )
    for state in (State.QUEUED, State.SENDING):  # one after the other, because each has its own index
        _go_on(connection, now, literal(_BORROWED) + deliveries.c.tenant, deliveries.c.state == state, *which)


def _should_go_on(tenant: TenantId, *, own_server: bool) -> ColumnElement[bool]:
    own, borrowed = deliveries.c.queue == tenant, deliveries.c.queue == _BORROWED + tenant
    if not own_server:
        return own
    return or_(borrowed, and_(own, deliveries.c.deferred))


def _go_on(connection: Connection, now: int, queue: ColumnElement[str], *which: ColumnElement[bool]) -> None:
    """Have what is open go on through another server at once, also what waited for another try at the one before."""
    connection.execute(
        update(deliveries)
        .where(*which)
        .values(queue=queue, due_at=case((deliveries.c.deferred, now), else_=deliveries.c.due_at), deferred=false())
    )
