"""Show the default templates in the language of a tenant, or of the system level."""

from collections.abc import Mapping

from sqlalchemy import Connection

from ringpost.domain.templates import Template
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId
from ringpost.storage import tenants
from ringpost.storage.default_templates import default_templates_of, language_of
from ringpost.usecases.room import Room


async def show_default_templates(room: Room, tenant: TenantId) -> Mapping[str, Template]:
    """All of them by name, in the order of the catalogue. Raises NotFound."""
    owner = await room.database.read(tenant_or_system, room, tenant)
    return default_templates_of(tenant, language_of(owner.locale))


def tenant_or_system(connection: Connection, room: Room, tenant: TenantId) -> Tenant:
    """The tenant, or what stands for the system level. Raises NotFound."""
    return room.options.system_level() if tenant == SYSTEM else tenants.show(connection, tenant)
