"""Health and queue at a glance, for system administrators. What it costs does not grow with what waits."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from babel.dates import format_timedelta
from sqlalchemy import Connection
from starlette.responses import Response

from ringpost import __version__
from ringpost.console.delivery_words import reason_of
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get
from ringpost.console.visit import Visit
from ringpost.domain.deliveries import Urgency, Verdict
from ringpost.domain.tenants import Tenant, TenantId
from ringpost.domain.watch import Gauge
from ringpost.storage import overview, tenants, watch
from ringpost.storage.engine_facts import EngineFacts, engine_facts
from ringpost.storage.overview import Glance, OpenMail, Rates
from ringpost.storage.queues import is_borrowed
from ringpost.storage.tables import AnyRow

ROWS: Final = 20
"""Lanes on hold and queues that are shown."""
LITTLE_DISK: Final = 0.1
"""Share of the disk from which on what is free is little."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Mail of somebody that waits; None for the system level's own and for what it lends."""

    owner: Tenant | None
    borrowed: bool
    """Through the system's mail server."""


@dataclass(frozen=True, slots=True)
class Health:
    """All that there is to see, of one moment."""

    now: int
    engine: EngineFacts
    glance: Glance
    rates: Rates
    workers: list[AnyRow]
    held: list[tuple[Lane, AnyRow]]
    queues: list[tuple[Lane, int, int]]
    """Who has waited longest: how many mails, and since when."""
    exceeded: list[tuple[str, Gauge, int]]

    @property
    def on_hold(self) -> int:
        """Mail servers that are left alone for a while."""
        return sum(self.glance.lanes_on_hold.values())

    @property
    def waits(self) -> bool:
        """Whether there is anything to send."""
        return any(mail.queued for mail in self.glance.classes.values())

    @property
    def late(self) -> bool:
        """Whether a class has waited for longer than it should."""
        return any(self.is_late(urgency, mail) for urgency, mail in self.glance.classes.items())

    @property
    def little_disk(self) -> bool:
        """Whether the disk of the database is nearly full."""
        engine = self.engine
        return engine.disk_free is not None and engine.disk_free < LITTLE_DISK * (engine.disk_size or 1)

    @property
    def sent(self) -> float:
        """Mails a minute."""
        return self.rates.attempts.get((Verdict.SENT, None), 0.0)

    @property
    def failed(self) -> float:
        """Attempts a minute that were not taken."""
        return sum(rate for (verdict, _), rate in self.rates.attempts.items() if verdict is not Verdict.SENT)

    def is_late(self, urgency: Urgency, mail: OpenMail) -> bool:
        """Whether the oldest of this class has waited for longer than it should."""
        limit = overview.WORRYING_S[urgency]
        return mail.oldest_at is not None and self.now - mail.oldest_at >= limit * 1000


async def show_health(visit: Visit) -> Response:
    """The page; for htmx what changes on it."""
    health = await visit.room.database.read(look, visit.room.clock())
    values: Mapping[str, Any] = {
        "health": health,
        "reason_of": reason_of,
        "most": overview.MOST_COUNTED,
        "borrowed_an_hour": visit.room.options.borrowed_mails_per_hour,
        "versions": (("Ringpost", __version__), ("Python", platform.python_version())),
        "span": partial(_span, visit),
        "ahead": partial(_span, visit, ahead=True),
    }
    return render(visit, "health_state.html" if visit.wants_fragment else "health.html", **values)


def look(connection: Connection, now: int) -> Health:
    """How things are at this moment."""
    held, queues = overview.held(connection, ROWS), overview.longest_waiting(connection, ROWS)
    lanes = _lanes(connection, [*(row.lane for row in held), *(queue for queue, _, _ in queues)])
    return Health(
        now=now,
        engine=engine_facts(connection),
        glance=overview.glance(connection),
        rates=overview.rates(connection, now),
        workers=list(overview.workers_alive(connection, now)),
        held=[(lanes[row.lane], row) for row in held],
        queues=[(lanes[queue], count, oldest) for queue, count, oldest in queues],
        exceeded=watch.exceeded(connection),
    )


def _lanes(connection: Connection, names: list[str]) -> dict[str, Lane]:
    """Lanes and queues as people know them."""
    owners = {name: TenantId(overview.tenant_of(name) or "") for name in names}
    known = tenants.by_id(connection, set(owners.values()))
    return {name: Lane(known.get(owner), is_borrowed(name)) for name, owner in owners.items()}


def _span(visit: Visit, milliseconds: int, *, ahead: bool = False) -> str:
    """How long, in words: `3 minutes`, and `in 3 minutes` for what is ahead."""
    span = timedelta(seconds=max(0, milliseconds) // 1000)
    return format_timedelta(span, threshold=1.5, add_direction=ahead, locale=visit.language.locale)


routes = (get("/system/health", show_health, Access.SYSTEM),)
