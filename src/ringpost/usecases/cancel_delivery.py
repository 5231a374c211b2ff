"""Cancel deliveries that wait."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.deliveries import State
from ringpost.errors import WrongState
from ringpost.storage import audit, deliveries
from ringpost.usecases.deliver import erase_at
from ringpost.usecases.many_deliveries import CANCELLABLE, Chosen, Done, change_each, select, tell
from ringpost.usecases.room import Room


async def cancel_delivery(room: Room, actor: Principal, delivery: str) -> None:
    """End a delivery that waits; one that is cancelled already stays so. Raises NotFound, WrongState."""
    await room.database.write(_cancel_and_tell, room, actor, delivery)


async def cancel_deliveries(room: Room, actor: Principal, chosen: Chosen) -> Done:
    """End many that wait; those that do not wait any more are left alone."""
    ids, more = await room.database.read(select, actor, chosen, CANCELLABLE)
    changed = await change_each(room, actor, ids, _cancel_one_of_many, "cancel_deliveries")
    return tell(chosen, ids, changed, more=more)


def _cancel_and_tell(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    if _cancel(connection, room, actor, delivery):
        entry = audit.Entry(room.clock(), audit.name_of(actor), "cancel_delivery", delivery)
        audit.record(connection, actor.tenant, entry)


def _cancel_one_of_many(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    if not _cancel(connection, room, actor, delivery):
        raise WrongState(f"It cannot be cancelled, because it is {State.CANCELLED}.")


def _cancel(connection: Connection, room: Room, actor: Principal, delivery: str) -> bool:
    now = room.clock()
    secret = bool(deliveries.show(connection, actor.tenant, delivery).secret)
    return deliveries.cancel(connection, actor.tenant, delivery, now, erase_at(room, now, secret=secret))
