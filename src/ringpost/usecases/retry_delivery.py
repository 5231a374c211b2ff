"""Retry a delivery by hand: due now, with a whole retry schedule before it."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.deliveries import Urgency
from ringpost.storage import audit, deliveries
from ringpost.usecases.room import Room


async def retry_delivery(room: Room, actor: Principal, delivery: str) -> None:
    """Queue a delivery once more. Raises NotFound, WrongState."""
    await room.database.write(_retry, room, actor, delivery)
    room.bell.set()


def _retry(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    now = room.clock()
    urgency = Urgency(deliveries.show(connection, actor.tenant, delivery).urgency)
    lifetime_ms = int(room.options.retry_policy.schedule(urgency).lifetime * 1000)
    deliveries.retry(connection, actor.tenant, delivery, now, now + lifetime_ms)
    audit.record(connection, actor.tenant, audit.Entry(now, audit.name_of(actor), "retry_delivery", delivery))
