"""The overview of the system level: what works, what needs the operator, and where to go from here."""

from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.health import Health, look
from ringpost.console.rendering import render
from ringpost.console.visit import Visit
from ringpost.domain.mail_servers import MailServer
from ringpost.storage import settings, tenants


@dataclass(frozen=True, slots=True)
class SystemOverview:
    """What the page shows."""

    tenants: int
    server: MailServer | None
    """The system's own, when it can send."""
    lent: bool
    """Tenants without one of their own may send through it."""
    recipients: int
    """Who is told of the phone system itself."""
    health: Health

    @property
    def waiting(self) -> int:
        """Mails of all tenants that have not ended, each class as far as it is counted."""
        return sum(standing.queued + standing.sending for standing in self.health.glance.classes.values())


async def show_system_overview(visit: Visit) -> Response:
    """The page; for htmx what changes on it."""
    overview = await visit.room.database.read(_overview, visit.room.clock())
    template = "overview_system_state.html" if visit.wants_fragment else "overview_system.html"
    return render(visit, template, overview=overview)


def _overview(connection: Connection, now: int) -> SystemOverview:
    saved = settings.show_system(connection)
    return SystemOverview(
        tenants=tenants.count(connection),
        server=saved.mail_server if saved.can_send else None,
        lent=settings.system_server_offered(connection),
        recipients=len(saved.recipients),
        health=look(connection, now),
    )
