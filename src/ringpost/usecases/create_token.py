"""Create an API key: a token for a machine, such as a phone system that sends events."""

import os
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ringpost.domain.access import (
    SCOPES_OF_ROLE,
    TOKEN_BYTES,
    Principal,
    Role,
    Scope,
    Token,
    TokenKind,
    checked_role,
    hash_token,
    write_token,
)
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantId
from ringpost.errors import FieldError, Invalid
from ringpost.storage import access, audit, tenants
from ringpost.storage.identifiers import new_id
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class NewKey:
    """What the key is for. It does not expire unless told; `expires_in_s` counts from now."""

    name: str
    scopes: frozenset[Scope] = field(default_factory=frozenset[Scope])
    role: Role = Role.TENANT_ADMIN
    expires_in_s: int | None = None


async def create_token(
    room: Room, tenant: TenantId, new: NewKey, actor: Principal | None = None
) -> tuple[Token, Secret]:
    """Create an API key of a tenant, or of the system level. The text of the token is shown this once and not kept.

    Raises Invalid, NotFound.
    """
    _check(tenant, new)
    now = room.clock()
    secret = write_token(TokenKind.KEY, os.urandom(TOKEN_BYTES))
    token = Token(
        id=new_id(now),
        tenant=tenant,
        kind=TokenKind.KEY,
        name=new.name.strip(),
        role=new.role,
        scopes=new.scopes,
        created_at=now,
        expires_at=None if new.expires_in_s is None else now + new.expires_in_s * 1000,
    )

    def store(connection: Connection) -> None:
        tenants.must_exist(connection, tenant)
        access.add_token(connection, token, hash_token(secret.reveal()))
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "create_token", token.id))

    await room.database.write(store)
    return token, secret


def _check(tenant: TenantId, new: NewKey) -> None:
    wrong: list[FieldError] = []
    if not 1 <= len(new.name.strip()) <= 128 or not new.name.strip().isprintable():
        wrong.append(FieldError("name", "A name has 1 to 128 characters, none of them control characters."))
    try:
        checked_role(tenant, new.role)
    except Invalid as fault:
        wrong += fault.errors
    wrong += [
        FieldError("scopes", f"The role {new.role} does not reach as far as {scope}.", scope)
        for scope in sorted(new.scopes - SCOPES_OF_ROLE[new.role])
    ]
    if new.expires_in_s is not None and not 1 <= new.expires_in_s <= 100 * 366 * 86400:
        wrong.append(FieldError("expires_in", "A key expires after 1 second to 100 years."))
    if wrong:
        raise Invalid(*wrong)
