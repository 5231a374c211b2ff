"""Revoke an API key. It is in force within 5 s (api/authentication)."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import TenantId
from ringpost.storage import access, audit
from ringpost.usecases.room import Room


async def revoke_token(room: Room, tenant: TenantId, token_id: str, actor: Principal | None = None) -> None:
    """End an API key of this tenant; one that was revoked before stays so. Raises NotFound."""
    now = room.clock()

    def store(connection: Connection) -> None:
        if access.revoke_key(connection, tenant, token_id, now).revoked_at is None:
            audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "revoke_token", token_id))

    await room.database.write(store)
