"""Change a tenant: replace all that is said about it."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId, parse_tenant
from ringpost.storage import audit, tenants
from ringpost.usecases.room import Room


async def change_tenant(room: Room, tenant: TenantId, draft: TenantDraft, actor: Principal | None = None) -> None:
    """Replace name, domain and so on. Raises Invalid, NotFound, and AlreadyExists when the domain is taken."""
    now = room.clock()
    checked = parse_tenant(draft)

    def store(connection: Connection) -> None:
        changed = tenants.change(connection, tenant, checked, now)
        if changed:
            audit.record(connection, SYSTEM, audit.Entry(now, audit.name_of(actor), "change_tenant", tenant, changed))

    await room.database.write(store)
