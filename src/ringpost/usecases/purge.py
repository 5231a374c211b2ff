"""Purge in small bites: messages some time after they ended, history after its time, tokens that are long over.

Workers of many machines purge at the same time; each passes over what another one is at.
"""

from sqlalchemy import Connection

from ringpost.storage import events, invitations, outcomes, sessions
from ringpost.storage.access import forget_ended_tokens
from ringpost.usecases.room import Room

BITE = 500
"""Rows in one commit; fewer where the messages are large."""


async def purge(room: Room) -> bool:
    """Erase and delete one bite of what is due; True when there is more."""
    now = room.clock()
    more_to_erase = await room.database.write(_erase, now)
    more_to_forget = await room.database.write(events.forget, now - room.options.keep_history_s * 1000, BITE)
    more_tokens = await room.database.write(forget_ended_tokens, now - room.options.keep_history_s * 1000, BITE)
    await room.database.write(_forget_ended, now)
    return more_to_erase or more_to_forget or more_tokens


def _erase(connection: Connection, now: int) -> bool:
    """Whether more is due at this moment. A bite is of deliveries, so how many events it was about does not tell."""
    due = events.lock(connection, outcomes.due_for_erasure(connection, now, BITE))
    if due:
        outcomes.erase(connection, events.bite_of(connection, due))
    skipped = events.erase_skipped(connection, now, BITE)
    return skipped == BITE or (bool(due) and bool(outcomes.due_for_erasure(connection, now, 1)))


def _forget_ended(connection: Connection, now: int) -> None:
    sessions.forget_ended(connection, now)
    invitations.forget_ended(connection, now)
