"""Sign in at the console: a username and a password for a session, whose secret goes into a cookie."""

import os

from sqlalchemy import Connection

from ringpost.domain.access import (
    CONSOLE_SESSION_S,
    TOKEN_BYTES,
    SecretKind,
    User,
    hash_token,
    write_token,
)
from ringpost.domain.secrets import Secret
from ringpost.storage import sessions
from ringpost.storage.identifiers import new_id
from ringpost.storage.sessions import ConsoleSession
from ringpost.usecases.log_in import Login, begin_proven
from ringpost.usecases.room import Room

LONGEST_AGENT = 200
"""Characters kept of what a browser calls itself."""


async def sign_in(room: Room, login: Login, agent: str, replaced: Secret | None = None) -> Secret:
    """Check the password and begin a session; the secret for the cookie. Raises Unauthorized.

    The secret is always a fresh one: what the browser held before (`replaced`) is of no use afterwards, so nobody can
    give it a session to sign in to (session fixation).
    """

    def store(connection: Connection, user: User) -> Secret:
        if replaced is not None:
            sessions.end_by_token(connection, hash_token(replaced.reveal()))
        return begin_session(connection, user, agent, room.clock())

    return await begin_proven(room, login, store)


def begin_session(connection: Connection, user: User, agent: str, now: int) -> Secret:
    """Add a session of this person, and give the secret for the cookie."""
    secret = write_token(SecretKind.CONSOLE, os.urandom(TOKEN_BYTES))
    called = "".join(character for character in agent if character.isprintable())[:LONGEST_AGENT]
    session = ConsoleSession(
        id=new_id(now),
        user=user,
        acting_for=None,
        agent=called,
        created_at=now,
        seen_at=now,
        expires_at=now + CONSOLE_SESSION_S * 1000,
    )
    sessions.add(connection, session, hash_token(secret.reveal()))
    return secret
