"""Expire what is overdue: end what waited past its time."""

from typing import Final

from ringpost.storage import outcomes
from ringpost.usecases.room import Room

BITE: Final = 500
"""Mails in one commit."""


async def expire_overdue(room: Room) -> int:
    """End what waited past its time; returns how many."""
    keep_ms = room.options.keep_messages_s * 1000
    return await room.database.write(outcomes.expire, room.clock(), keep_ms, BITE)
