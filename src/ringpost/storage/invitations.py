"""Invitations: the one-time links that let people set a password.

The link's secret is not kept: an invitation is found by its SHA-256.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, insert, or_, select

from ringpost.domain.access import Invitation, Role
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import AnyRow, invitations, tenants, users


def add(connection: Connection, invitation: Invitation, token_hash: bytes) -> None:
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


def find(connection: Connection, token_hash: bytes, now: int) -> Invitation | None:
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


def of_person(connection: Connection, tenant: TenantId, username: str, now: int) -> Invitation | None:
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


def withdraw(connection: Connection, tenant: TenantId, username: str) -> bool:
    """Use up or take back a person's invitation; False when there is none."""
    mine = (invitations.c.tenant == tenant, invitations.c.username == username)
    return connection.execute(delete(invitations).where(*mine)).rowcount > 0


def forget_ended(connection: Connection, now: int) -> None:
    """Remove those that are over. There are few, so all at once; passes over what another worker is removing."""
    mine = select(invitations.c.token_hash).where(invitations.c.expires_at <= now).with_for_update(skip_locked=True)
    connection.execute(delete(invitations).where(invitations.c.token_hash.in_(mine)))


def _good(tenant: TenantId, now: int) -> Select[Any]:
    return select(invitations).where(invitations.c.tenant == tenant, invitations.c.expires_at > now)


def _invitation(row: AnyRow) -> Invitation:
    return Invitation(TenantId(row.tenant), row.username, Role(row.role), row.created_at, row.expires_at)
