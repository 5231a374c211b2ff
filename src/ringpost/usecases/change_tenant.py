"""Change a tenant: all that is said about it, or some of that."""

from collections.abc import Callable

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import SYSTEM, Tenant, TenantDraft, TenantId, parse_tenant
from ringpost.storage import audit, tenants
from ringpost.usecases.room import Room


async def change_tenant(room: Room, tenant: TenantId, draft: TenantDraft, actor: Principal | None = None) -> None:
    """Replace name, domain and so on. Raises Invalid, NotFound, and AlreadyExists when the domain is taken."""
    await edit_tenant(room, tenant, lambda _: draft, actor)


async def edit_tenant(
    room: Room, tenant: TenantId, edited: Callable[[Tenant], TenantDraft], actor: Principal | None = None
) -> None:
    """Replace what is said about a tenant by what `edited` makes of it, in one write. Raises as `change_tenant`."""
    now = room.clock()

    def store(connection: Connection) -> None:
        tenants.lock(connection, tenant)
        checked = parse_tenant(edited(tenants.show(connection, tenant)))
        changed = tenants.change(connection, tenant, checked)
        if changed:
            audit.record(connection, SYSTEM, audit.Entry(now, audit.name_of(actor), "change_tenant", tenant, changed))

    await room.database.write(store)


def switched(tenant: Tenant, *, enabled: bool) -> TenantDraft:
    """The same tenant, enabled or disabled."""
    return TenantDraft(tenant.name, tenant.domain, enabled, tenant.timezone, tenant.locale)
