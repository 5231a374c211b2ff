"""Sessions of people at the console, and the one-time links that let them set a password.

Neither the cookie's value nor the link's secret is kept: both are found by their SHA-256.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, delete, exists, insert, or_, select, update

from ringpost.domain.access import CONSOLE_IDLE_S, Invitation, Role, User
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import AnyRow, console_sessions, invitations, tenants, users


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


def invite(connection: Connection, invitation: Invitation, token_hash: bytes) -> None:
    """Keep an invitation; an earlier one of the same person is of no use any more."""
    withdraw(connection, invitation.tenant, invitation.username)
    connection.execute(
        insert(invitations).values(
            tenant=invitation.tenant,
            username=invitation.username,
            token_hash=token_hash,
            role=invitation.role,
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
        )
    )


def find_invitation(connection: Connection, token_hash: bytes, now: int) -> Invitation | None:
    """The invitation with this secret, while it is good and its tenant is enabled."""
    row = connection.execute(
        select(invitations)
        .outerjoin(tenants, tenants.c.id == invitations.c.tenant)
        .where(
            invitations.c.token_hash == token_hash,
            invitations.c.expires_at > now,
            or_(invitations.c.tenant == SYSTEM, tenants.c.enabled),
        )
    ).first()
    return None if row is None else _invitation(row)


def invitation_of(connection: Connection, tenant: TenantId, username: str, now: int) -> Invitation | None:
    """A person's invitation, while it is good."""
    row = connection.execute(_good(tenant, now).where(invitations.c.username == username)).first()
    return None if row is None else _invitation(row)


def page_of_newcomers(
    connection: Connection, tenant: TenantId, now: int, top: int, after: str = ""
) -> list[Invitation]:
    """The good invitations of those who are not users yet and whose names come after this one, by name."""
    user = exists().where(users.c.tenant == tenant, users.c.username == invitations.c.username)
    later = _good(tenant, now).where(invitations.c.username > after, ~user).order_by(invitations.c.username)
    return [_invitation(row) for row in connection.execute(later.limit(top))]


def invited_among(connection: Connection, tenant: TenantId, now: int, usernames: Sequence[str]) -> frozenset[str]:
    """Those of these who have a good invitation."""
    rows = connection.execute(_good(tenant, now).where(invitations.c.username.in_(usernames)))
    return frozenset(row.username for row in rows)


def _good(tenant: TenantId, now: int) -> Select[Any]:
    return select(invitations).where(invitations.c.tenant == tenant, invitations.c.expires_at > now)


def withdraw(connection: Connection, tenant: TenantId, username: str) -> bool:
    """Use up or take back a person's invitation; False when there is none."""
    mine = (invitations.c.tenant == tenant, invitations.c.username == username)
    return connection.execute(delete(invitations).where(*mine)).rowcount > 0


def forget_ended(connection: Connection, now: int) -> None:
    """Remove sessions and invitations that are over. There are few, so all at once.

    Passes over what another worker is removing.
    """
    session, invitation = console_sessions.c, invitations.c
    idle = session.seen_at <= now - CONSOLE_IDLE_S * 1000
    _forget(connection, session.id, or_(idle, session.expires_at <= now))
    _forget(connection, invitation.token_hash, invitation.expires_at <= now)


def _forget(connection: Connection, key: Column[Any], over: ColumnElement[bool]) -> None:
    mine = select(key).where(over).with_for_update(skip_locked=True)
    connection.execute(delete(key.table).where(key.in_(mine)))


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


def _invitation(row: AnyRow) -> Invitation:
    return Invitation(TenantId(row.tenant), row.username, Role(row.role), row.created_at, row.expires_at)


def _session(row: AnyRow) -> ConsoleSession:
    user = User(
        row.user_id, TenantId(row.tenant), row.username, Role(row.role), enabled=True, created_at=row.user_created_at
    )
    acting_for = None if row.acting_for is None else TenantId(row.acting_for)
    return ConsoleSession(row.id, user, acting_for, row.agent, row.created_at, row.seen_at, row.expires_at)
