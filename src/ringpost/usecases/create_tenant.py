"""Create a tenant."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId, parse_tenant
from ringpost.storage import audit, tenants
from ringpost.storage.identifiers import new_id
from ringpost.usecases.room import Room


async def create_tenant(room: Room, draft: TenantDraft, actor: Principal | None = None) -> TenantId:
    """Create a tenant and give it an id. Without `actor` it is the operator at the machine.

    Raises Invalid, and AlreadyExists when the domain is taken.
    """
    now = room.clock()
    tenant = TenantId(new_id(now))
    checked = parse_tenant(draft)

    def store(connection: Connection) -> None:
        tenants.add(connection, tenant, checked, now)
        audit.record(connection, SYSTEM, audit.Entry(now, audit.name_of(actor), "create_tenant", tenant))

    await room.database.write(store)
    return tenant
