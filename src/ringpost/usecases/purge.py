"""Purge in small bites: messages some time after they ended, history after its time, tokens that are long over."""

from sqlalchemy import Connection

from ringpost.storage import events, outcomes, sessions
from ringpost.storage.access import forget_ended_tokens
from ringpost.usecases.room import Room

BITE = 500


async def purge(room: Room) -> bool:
    """Erase and delete one bite of what is due; True when there may be more."""
    now = room.clock()
    erased = await room.database.write(_erase, now)
    forgotten = await room.database.write(events.forget, now - room.options.keep_history_s * 1000, BITE)
    more_tokens = await room.database.write(forget_ended_tokens, now - room.options.keep_history_s * 1000, BITE)
    await room.database.write(sessions.forget_ended, now)
    return BITE in (erased, forgotten) or more_tokens


def _erase(connection: Connection, now: int) -> int:
    due = outcomes.due_for_erasure(connection, now, BITE)
    if due:
        outcomes.erase(connection, due)
    return max(len(due), events.erase_skipped(connection, now, BITE))
