"""Sign out of the console: one session, or every login of a person everywhere."""

from sqlalchemy import Connection

from ringpost.domain.access import User
from ringpost.errors import NotFound
from ringpost.storage import access, audit, sessions
from ringpost.usecases.room import Room


async def sign_out(room: Room, user: User, session_id: str) -> None:
    """End one session of this person. Raises NotFound."""
    if not await room.database.write(sessions.end, user, session_id):
        raise NotFound("There is no such session.")


async def sign_out_everywhere(room: Room, user: User) -> None:
    """End all sessions of this person at the console, and all logins of programs in the person's name."""
    now = room.clock()

    def store(connection: Connection) -> None:
        access.revoke_sessions_of(connection, user.tenant, user.id, now)
        audit.record(connection, user.tenant, audit.Entry(now, user.username, "sign_out_everywhere", user.id))

    await room.database.write(store)
