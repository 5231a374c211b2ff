"""What the API counts, the gauges of the outbox, and GET /metrics (docs/operating.md)."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringpost.api import health
from ringpost.domain.events import SkipReason
from ringpost.errors import RingpostError, StorageUnavailable
from ringpost.storage import overview
from ringpost.storage.overview import Glance
from ringpost.usecases.accept_events import Receipt
from ringpost.usecases.room import Room

PATIENCE_S: Final = 3.0
"""How long a database that says nothing is waited for; monitoring gives up after 10 s, and would know nothing then."""
FRESH_S: Final = 5.0
"""How old the gauges of the outbox may be, so that they cost the same however many ask."""

_accepted = Counter("ringpost_events_accepted", "Events accepted, by type.", ["type"])
_refused = Counter("ringpost_events_refused", "Events refused, by kind of error.", ["error"])
_refused.labels(StorageUnavailable.__name__)  # what begins at 1 has not risen, and the alert asks for a rise
_skipped = Counter("ringpost_events_skipped", "Events that sent nothing, by reason.", ["reason"])
_deliveries = Counter("ringpost_deliveries_queued", "Deliveries put into the outbox, by type of event.", ["type"])
_unfilled = Counter(
    "ringpost_variables_unfilled",
    "Variables that templates asked for in vain, by type of event and kind (unknown, empty).",
    ["type", "kind"],
)


def count_events(results: Sequence[Receipt | RingpostError]) -> None:
    """Count what became of posted events."""
    for result in results:
        if isinstance(result, RingpostError):
            _refused.labels(type(result).__name__).inc()
        elif result.repeated:
            _skipped.labels(SkipReason.DUPLICATE.value).inc()
        else:
            accepted, queued = _counters_of(result.type)
            accepted.inc()
            queued.inc(len(result.deliveries))
            if result.skipped:
                _skipped.labels(result.skipped.value).inc()
            for kind, names in (("unknown", result.unknown), ("empty", result.empty)):
                if names:
                    _unfilled.labels(result.type, kind).inc(len(names))


@cache
def _counters_of(kind: str) -> tuple[Counter, Counter]:
    """The counters of accepted events and of deliveries; `labels` alone costs as much as counting."""
    return _accepted.labels(kind), _deliveries.labels(kind)


class Glances:
    """The last glance at the outbox; whoever asks while one is taken waits for that one."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taking: asyncio.Task[Glance] | None = None
        self._taken_at = 0.0
        self.now = room.clock

    async def newest(self) -> Glance:
        """A glance that is at most `FRESH_S` old. Raises StorageUnavailable."""
        time = asyncio.get_running_loop().time()
        taking = self._taking
        if taking is None or (taking.done() and (taking.exception() or time - self._taken_at >= FRESH_S)):
            taking = self._taking = asyncio.create_task(self._room.database.read(overview.glance))
            self._taken_at = time
        return await asyncio.shield(taking)


class _Outbox(Collector):
    """The outbox as one glance saw it."""

    def __init__(self, glance: Glance, now: int) -> None:
        self._glance = glance
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        open_ = GaugeMetricFamily(
            "ringpost_deliveries_open",
            f"Deliveries that have not ended; {overview.MOST_COUNTED} stands for so many or more.",
            labels=["urgency", "state"],
        )
        age = GaugeMetricFamily(
            "ringpost_oldest_open_seconds",
            "How long ago the oldest of the deliveries that have not ended was accepted; 0 when there is none.",
            labels=["urgency"],
        )
        held = GaugeMetricFamily(
            "ringpost_lanes_on_hold", "Mail servers that fail, so their mail waits, by whose failure.", labels=["party"]
        )
        for urgency, mail in self._glance.classes.items():
            name = urgency.word
            open_.add_metric([name, "queued"], mail.queued)
            open_.add_metric([name, "sending"], mail.sending)
            age.add_metric([name], self._seconds_since(mail.oldest_at))
        for party, count in self._glance.lanes_on_hold.items():
            held.add_metric([party.value], count)
        over = "Tenants that have used up their hour's share of the system's mail server."
        due = "How long a mail has been due that nothing keeps from being tried, the longest; 0 when there is none."
        return (
            open_,
            age,
            GaugeMetricFamily("ringpost_longest_due_seconds", due, self._seconds_since(self._glance.longest_due_at)),
            held,
            GaugeMetricFamily("ringpost_queues_over_loan", over, self._glance.queues_over_loan),
        )

    def _seconds_since(self, at: int | None) -> float:
        return 0 if at is None else max(0, self._now - at) / 1000


class _Database(Collector):
    """Whether the gauges of the outbox could be had."""

    def __init__(self, *, up: bool) -> None:
        self._up = up

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("ringpost_database_up", "Whether the database could be read.", int(self._up))


async def get_metrics(request: Request) -> Response:
    """Prometheus text format. Says numbers only, of no tenant in particular.

    Without its database it says what this process has counted all the same.
    """
    glances: Glances = request.app.state.glances
    registry = CollectorRegistry()
    try:
        async with asyncio.timeout(PATIENCE_S):
            registry.register(_Outbox(await glances.newest(), glances.now()))
    except (StorageUnavailable, TimeoutError):
        registry.register(_Database(up=False))
    else:
        registry.register(_Database(up=True))
    return Response(generate_latest(REGISTRY) + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


routes = [Route("/metrics", get_metrics, methods=["GET"])]


def create_metrics_app(room: Room) -> Starlette:
    """What a worker without an API shows: /metrics, /healthz and /readyz, and nothing else."""
    app = Starlette(routes=[*routes, *health.routes], exception_handlers={StorageUnavailable: _unavailable})
    app.state.room = room
    app.state.glances = Glances(room)
    return app


async def _unavailable(_request: Request, error: Exception) -> Response:
    return Response(f"{error}\n", 503, media_type="text/plain")
