"""Sessions of people at the console.

The cookie's value is not kept: a session is found by its SHA-256.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, or_, select, update

from ringpost.domain.access import CONSOLE_IDLE_S, Role, User
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import AnyRow, console_sessions, tenants, users


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A person at a browser. Times are milliseconds since 1970, UTC."""

    id: str
    user: User
    acting_for: TenantId | None
    """The tenant that a system administrator works in at the moment."""
    agent: str
    """What the browser calls itself; not to be believed."""
    created_at: int
    seen_at: int
    """At most a minute old, because it is not written at every request."""
    expires_at: int


def add(connection: Connection, session: ConsoleSession, token_hash: bytes) -> None:
    """Begin a session."""
    connection.execute(
        insert(console_sessions).values(
            id=session.id,
            token_hash=token_hash,
            tenant=session.user.tenant,
            user_id=session.user.id,
            acting_for=session.acting_for,
            agent=session.agent,
            created_at=session.created_at,
            seen_at=session.seen_at,
            expires_at=session.expires_at,
        )
    )


def find(connection: Connection, token_hash: bytes, now: int) -> ConsoleSession | None:
    """The session of this cookie, when it is alive, and its user and the user's tenant are enabled."""
    row = connection.execute(_alive(now).where(console_sessions.c.token_hash == token_hash)).first()
    return None if row is None else _session(row)


def list_of(connection: Connection, user: User, now: int) -> list[ConsoleSession]:
    """The living sessions of one person, the newest first."""
    mine = (console_sessions.c.tenant == user.tenant, console_sessions.c.user_id == user.id)
    rows = connection.execute(_alive(now).where(*mine).order_by(console_sessions.c.id.desc()))
    return [_session(row) for row in rows]


def touch(connection: Connection, session_id: str, now: int) -> None:
    """The person was here."""
    connection.execute(update(console_sessions).where(console_sessions.c.id == session_id).values(seen_at=now))


def act_for(connection: Connection, session_id: str, tenant: TenantId | None) -> None:
    """Let a system administrator's session work in a tenant, or in none."""
    mine = (console_sessions.c.id == session_id, console_sessions.c.tenant == SYSTEM)
    connection.execute(update(console_sessions).where(*mine).values(acting_for=tenant))


def end(connection: Connection, user: User, session_id: str) -> bool:
    """End one session of this person; False when there is none."""
    mine = (
        console_sessions.c.tenant == user.tenant,
        console_sessions.c.user_id == user.id,
        console_sessions.c.id == session_id,
    )
    return connection.execute(delete(console_sessions).where(*mine)).rowcount > 0


def end_by_token(connection: Connection, token_hash: bytes) -> None:
    """End the session of this cookie, if there is one."""
    connection.execute(delete(console_sessions).where(console_sessions.c.token_hash == token_hash))


def forget_ended(connection: Connection, now: int) -> None:
    """Remove those that are over. There are few, so all at once; passes over what another worker is removing."""
    session = console_sessions.c
    over = or_(session.seen_at <= now - CONSOLE_IDLE_S * 1000, session.expires_at <= now)
    mine = select(session.id).where(over).with_for_update(skip_locked=True)
    connection.execute(delete(console_sessions).where(session.id.in_(mine)))


def _alive(now: int) -> Select[Any]:
    session = console_sessions.c
    return (
        select(console_sessions, users.c.username, users.c.role, users.c.created_at.label("user_created_at"))
        .join(users, users.c.id == session.user_id)
        .outerjoin(tenants, tenants.c.id == session.tenant)
        .where(
            session.expires_at > now,
            session.seen_at > now - CONSOLE_IDLE_S * 1000,
            users.c.enabled,
            or_(session.tenant == SYSTEM, tenants.c.enabled),
        )
    )


def _session(row: AnyRow) -> ConsoleSession:
    user = User(
        row.user_id, TenantId(row.tenant), row.username, Role(row.role), enabled=True, created_at=row.user_created_at
    )
    acting_for = None if row.acting_for is None else TenantId(row.acting_for)
    return ConsoleSession(row.id, user, acting_for, row.agent, row.created_at, row.seen_at, row.expires_at)
