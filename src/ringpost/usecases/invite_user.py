"""Invite a user: a one-time link to set a password, for somebody new or somebody who has forgotten it."""

import os
from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.access import (
    INVITATION_S,
    TOKEN_BYTES,
    Invitation,
    Principal,
    Role,
    SecretKind,
    checked_role,
    hash_token,
    parse_username,
    write_token,
)
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import access, audit, invitations, tenants
from ringpost.usecases.room import Room

FIRST_ADMINISTRATOR = "admin"
"""What the first system administrator is called."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who is invited. The role is for somebody new; whoever is a user already keeps the role."""

    username: str
    role: Role


async def invite_user(room: Room, tenant: TenantId, guest: Guest, actor: Principal | None = None) -> Secret:
    """The secret that the link ends with. An earlier link of the same person is of no use any more.

    Raises Invalid, NotFound (no such tenant).
    """
    invitation, secret = _invitation(room, tenant, guest)
    await room.database.write(_invite, invitation, secret, audit.name_of(actor))
    return secret


async def invite_first_administrator(room: Room, begun_at: int | None = None) -> Secret | None:
    """The secret of a fresh link while nobody is a user of the system level; None when somebody is.

    Also None when somebody was invited since `begun_at`, when this process began to start: of several that start at
    once, one tells a link, which the others must not take the worth of.
    """
    invitation, secret = _invitation(room, SYSTEM, Guest(FIRST_ADMINISTRATOR, Role.SYSTEM_ADMIN))

    def store(connection: Connection) -> Secret | None:
        if access.list_users(connection, SYSTEM) or _is_invited(connection, invitation, begun_at):
            return None
        _invite(connection, invitation, secret, audit.name_of(None))
        return secret

    return await room.database.write(store)


def _invitation(room: Room, tenant: TenantId, guest: Guest) -> tuple[Invitation, Secret]:
    username, role = parse_username(guest.username), checked_role(tenant, guest.role)
    now = room.clock()
    secret = write_token(SecretKind.WELCOME, os.urandom(TOKEN_BYTES))
    return Invitation(tenant, username, role, now, now + INVITATION_S * 1000), secret


def _invite(connection: Connection, invitation: Invitation, secret: Secret, actor: str) -> None:
    tenant, username = invitation.tenant, invitation.username
    tenants.must_exist(connection, tenant)
    invitations.add(connection, invitation, hash_token(secret.reveal()))
    audit.record(connection, tenant, audit.Entry(invitation.created_at, actor, "invite_user", username))


def _is_invited(connection: Connection, invitation: Invitation, since: int | None) -> bool:
    of_before = invitations.of_person(connection, invitation.tenant, invitation.username, invitation.created_at)
    return since is not None and of_before is not None and of_before.created_at >= since
