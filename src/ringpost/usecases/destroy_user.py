"""Destroy a user, with all the user's sessions."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import TenantId
from ringpost.storage import access, audit
from ringpost.usecases.room import Room


async def destroy_user(room: Room, tenant: TenantId, user_id: str, actor: Principal | None = None) -> None:
    """Remove a user of this tenant. Raises NotFound."""
    now = room.clock()

    def store(connection: Connection) -> None:
        access.show_user(connection, tenant, user_id)
        access.remove_user(connection, tenant, user_id)
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "destroy_user", user_id))

    await room.database.write(store)
