"""Retry deliveries by hand: due now, with a whole retry schedule before them."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.deliveries import Urgency
from ringpost.storage import audit, deliveries, settings
from ringpost.storage.queues import queue_of
from ringpost.usecases.many_deliveries import RETRIABLE, Chosen, Done, change_each, select, tell
from ringpost.usecases.room import Room


async def retry_delivery(room: Room, actor: Principal, delivery: str) -> None:
    """Queue a delivery once more. Raises NotFound, WrongState."""
    await room.database.write(_retry_and_tell, room, actor, delivery)
    room.bell.ring()


async def retry_deliveries(room: Room, actor: Principal, chosen: Chosen) -> Done:
    """Queue many once more; those whose state does not permit it are left alone."""
    ids, more = await room.database.read(select, actor, chosen, RETRIABLE)
    changed = await change_each(room, actor, ids, _retry, "retry_deliveries")
    room.bell.ring()
    return tell(chosen, ids, changed, more=more)


def _retry_and_tell(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    _retry(connection, room, actor, delivery)
    audit.record(connection, actor.tenant, audit.Entry(room.clock(), audit.name_of(actor), "retry_delivery", delivery))


def _retry(connection: Connection, room: Room, actor: Principal, delivery: str) -> None:
    now = room.clock()
    settings.keep_as_they_are(connection, {actor.tenant})
    urgency = Urgency(deliveries.show(connection, actor.tenant, delivery).urgency)
    lifetime_ms = int(room.options.retry_policy.schedule(urgency).lifetime * 1000)
    queue = queue_of(actor.tenant, own_server=settings.can_send(connection, actor.tenant))
    deliveries.retry(connection, actor.tenant, delivery, now, now + lifetime_ms, queue)
