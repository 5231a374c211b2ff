"""Queues and lanes: whose mail, through whose server.

A *queue* is one tenant's mail on one *lane* (one mail server): `<tenant>` for the tenant's own, `system:<tenant>` when
it borrows the system's. The system level's own mail has a lane of its own, so that what keeps borrowers waiting (it is
not lent any more) does not keep the operator's alerts waiting.
"""

from sqlalchemy import ColumnElement, Connection, case, false, literal, select, update

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import deliveries, holds

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

    So does what is in hand, if it comes back.
    """
    old, new = queue_of(tenant, own_server=not own_server), queue_of(tenant, own_server=own_server)
    _move(connection, now, literal(new), deliveries.c.queue == old, deliveries.c.tenant == tenant)


def lend_to_emergencies(connection: Connection, now: int) -> None:
    """The system's server is lent: emergencies that wait for a server that fails go through it."""
    _move(
        connection,
        now,
        literal(_BORROWED) + deliveries.c.tenant,
        deliveries.c.urgency == Urgency.EMERGENCY,
        deliveries.c.queue == deliveries.c.tenant,
        deliveries.c.queue.in_(select(holds.c.lane)),
    )


def _move(connection: Connection, now: int, queue: ColumnElement[str], *which: ColumnElement[bool]) -> None:
    """Have what is open go on through another server at once, also what waited for another try at the one before."""
    for state in (State.QUEUED, State.SENDING):  # one after the other, because each has its own index
        connection.execute(
            update(deliveries)
            .where(deliveries.c.state == state, *which)
            .values(queue=queue, due_at=case((deliveries.c.deferred, now), else_=deliveries.c.due_at), deferred=false())
        )
