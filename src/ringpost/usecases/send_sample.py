"""Send a sample: the mail of one event type as the tenant's template makes it, with sample values, now."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.addresses import Address
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound
from ringpost.storage import templates
from ringpost.usecases.check_template import Draft, Values
from ringpost.usecases.room import Room
from ringpost.usecases.send_draft import send_draft


async def send_sample(room: Room, principal: Principal, name: str, recipient: Address) -> None:
    """Send it; when this returns, the mail server has accepted it.

    Raises NotFound (no such type), and what `send_test_mail` raises.
    """
    tenant = principal.tenant
    if name not in catalogue_of(tenant):
        raise NotFound("There is no such event type.")
    draft = Draft(name, await room.database.read(_saved, tenant, name))
    await send_draft(room, principal, draft, Values.SAMPLES, recipient)


def _saved(connection: Connection, tenant: TenantId, name: str) -> Parts:
    """The tenant's own parts; what it leaves out comes from the default."""
    revision = templates.show(connection, tenant, name)
    return Parts() if revision is None else revision.parts
