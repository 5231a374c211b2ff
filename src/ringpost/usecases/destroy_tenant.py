"""Destroy a tenant and all that is its own, for good. Only its entries in the audit log stay.

First the tenant is disabled and loses its users and tokens, so that nothing new comes in; then its mail goes in bites,
so that others can write in between; then the rest. When it is cut short, the tenant stays disabled, and destroying it
again finishes the work. A mail that is on its way to a server at that moment still arrives; nothing of it is kept.
"""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import audit, tenants
from ringpost.usecases.room import Room


async def destroy_tenant(room: Room, tenant: TenantId, actor: Principal | None = None) -> None:
    """Remove the tenant. Raises NotFound."""
    now = room.clock()
    await room.database.write(tenants.shut, tenant)
    while await room.database.write(tenants.empty_bite, tenant):
        pass

    def finish(connection: Connection) -> None:
        tenants.remove(connection, tenant)
        audit.record(connection, SYSTEM, audit.Entry(now, audit.name_of(actor), "destroy_tenant", tenant))

    await room.database.write(finish)
