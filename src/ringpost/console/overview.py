"""The overview: what works, what needs attention, what is on its way."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.delivery_words import is_over_share, reason_of, why
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get
from ringpost.console.system_overview import show_system_overview
from ringpost.console.visit import Visit
from ringpost.domain.deliveries import State
from ringpost.domain.mail_servers import MailServer
from ringpost.domain.settings import TENANT_SWITCHES
from ringpost.domain.tenants import TenantId
from ringpost.storage import counts, deliveries, overview, queues, settings
from ringpost.storage.deliveries import Filter
from ringpost.storage.tables import AnyRow

TROUBLES_SHOWN: Final = 5
_FAILED: Final = (State.REJECTED, State.EXPIRED)


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows of one tenant."""

    own_server: MailServer | None
    """The tenant's own, when it can send."""
    borrows: bool
    """There is none, but the system's may be used."""
    hold: AnyRow | None
    """Why mail waits, when it does."""
    recipients: int
    switched_on: int
    today: dict[State, int]
    """Deliveries that were made today, in the tenant's zone, by state."""
    troubles: list[AnyRow]
    """The newest deliveries that failed today."""

    @property
    def can_send(self) -> bool:
        """Whether there is a mail server at all."""
        return self.own_server is not None or self.borrows

    @property
    def over_share(self) -> bool:
        """Mail waits, and no mail server fails."""
        return is_over_share(self.hold)

    @property
    def waiting(self) -> int:
        """Mails of today that have not ended."""
        return self.today[State.QUEUED] + self.today[State.SENDING]

    @property
    def failed(self) -> int:
        """Mails of today that will not arrive."""
        return sum(self.today[state] for state in _FAILED)


async def show_overview(visit: Visit) -> Response:
    """The tenant's overview; at the system level, that one's."""
    if visit.tenant is None:
        if not visit.is_system_admin:
            return visit.redirect("/account")
        return await show_system_overview(visit)
    seen = await visit.room.database.read(_overview, visit.tenant.id, _midnight(visit))
    template = "overview_state.html" if visit.wants_fragment else "overview.html"
    return render(visit, template, overview=seen, switches=len(TENANT_SWITCHES), reason_of=reason_of, why=why)


def _midnight(visit: Visit) -> int:
    """When today began in the tenant's zone."""
    now = datetime.fromtimestamp(visit.room.clock() / 1000, visit.zone)
    return int(datetime.combine(now.date(), time(), visit.zone).timestamp() * 1000)


def _overview(connection: Connection, tenant: TenantId, since: int) -> Overview:
    saved = settings.show(connection, tenant)
    queue = queues.queue_of(tenant, own_server=saved.can_send)
    troubles = [
        row
        for state in _FAILED
        for row in deliveries.page(connection, tenant, Filter(state, top=TROUBLES_SHOWN))
        if row.created_at >= since
    ]
    return Overview(
        own_server=saved.mail_server if saved.can_send else None,
        borrows=not saved.can_send and settings.system_server_offered(connection),
        hold=deliveries.hold_of(connection, queue) if overview.something_waits(connection, queue) else None,
        recipients=len(saved.recipients),
        switched_on=sum(saved.switches.get(name, False) for name in TENANT_SWITCHES),
        today=counts.count_since(connection, tenant, since),
        troubles=sorted(troubles, key=lambda row: row.id, reverse=True)[:TROUBLES_SHOWN],
    )


routes = (get("/", show_overview, Access.SIGNED_IN),)
