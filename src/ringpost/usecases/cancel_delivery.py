"""Cancel a delivery that waits."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.storage import audit, deliveries
from ringpost.usecases.deliver import erase_at
from ringpost.usecases.room import Room


async def cancel_delivery(room: Room, actor: Principal, delivery: str) -> None:
    """End a delivery that waits. Raises NotFound, WrongState."""
    await room.database.write(_cancel, room, actor, delivery)


def _cancel(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    now = room.clock()
    secret = bool(deliveries.show(connection, actor.tenant, delivery).secret)
    deliveries.cancel(connection, actor.tenant, delivery, now, erase_at(room, now, secret=secret))
    audit.record(connection, actor.tenant, audit.Entry(now, audit.name_of(actor), "cancel_delivery", delivery))
