"""Give back what was claimed and never tried: as if it had not been claimed, also for whose mail server was lent."""

from collections.abc import Awaitable, Collection, Sequence

import structlog
from sqlalchemy import Connection

from ringpost.domain.tenants import SYSTEM
from ringpost.storage import leases, outbox, settings
from ringpost.usecases.lend_server import take_back
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.give_back")

BITE = 500
"""Mails in one commit."""


async def give_back(room: Room, claims: Collection[str]) -> None:
    """Queue again what was claimed and never tried, because nobody heard that its claim was stored."""
    while claims and await room.database.write(_give_back, room, sorted(claims)) == BITE:
        pass


def give_back_one(room: Room, item: outbox.Claimed) -> Awaitable[None]:
    """Queue one mail again that was never tried, unless another worker has taken it over."""
    return room.database.write_each(_put_back_each, room, item)


def _put_back_each(connection: Connection, room: Room, items: Sequence[outbox.Claimed]) -> list[None]:
    _put_back(connection, room, items)
    return [None] * len(items)


def _give_back(connection: Connection, room: Room, claims: Sequence[str]) -> int:
    found = [item for item, _ in leases.held_under(connection, claims, BITE)]
    if found:
        _put_back(connection, room, found)
        _log.warning("claims_given_back", deliveries=len(found))
    return len(found)


def _put_back(connection: Connection, room: Room, items: Sequence[outbox.Claimed]) -> None:
    settings.keep_as_they_are(connection, {SYSTEM, *(item.tenant for item in items)})
    put_back(connection, room, items)


def put_back(connection: Connection, room: Room, items: Sequence[outbox.Claimed]) -> None:
    """The same as a part of the write that claimed them."""
    outbox.give_back(connection, room.clock(), items)
    take_back(connection, room, items)
