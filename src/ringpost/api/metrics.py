"""What the API counts, and GET /metrics (docs/operating.md)."""

from collections.abc import Iterable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringpost.domain.events import SkipReason
from ringpost.errors import RingpostError
from ringpost.storage import deliveries
from ringpost.usecases.accept_events import Receipt
from ringpost.usecases.room import Room

_accepted = Counter("ringpost_events_accepted", "Events accepted, by type.", ["type"])
_refused = Counter("ringpost_events_refused", "Events refused, by kind of error.", ["error"])
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
            _accepted.labels(result.type).inc()
            if result.skipped:
                _skipped.labels(result.skipped.value).inc()
            _deliveries.labels(result.type).inc(len(result.deliveries))
            for kind, names in (("unknown", result.unknown), ("empty", result.empty)):
                if names:
                    _unfilled.labels(result.type, kind).inc(len(names))


class _Outbox(Collector):
    """The outbox as it is at this moment."""

    def __init__(self, depth: deliveries.Depth) -> None:
        self._depth = depth

    def collect(self) -> Iterable[GaugeMetricFamily]:
        open_ = GaugeMetricFamily("ringpost_deliveries_open", "Deliveries that have not ended.", labels=["state"])
        for state, count in self._depth.open.items():
            open_.add_metric([state], count)
        yield open_
        yield GaugeMetricFamily(
            "ringpost_lanes_on_hold", "Mail servers that fail, so their mail waits.", self._depth.holds
        )
        oldest = self._depth.oldest_due_s
        yield GaugeMetricFamily("ringpost_oldest_due_seconds", "How long the oldest mail that is due waits.", oldest)


async def get_metrics(request: Request) -> Response:
    """Prometheus text format. Says numbers only, of no tenant in particular."""
    room: Room = request.app.state.room
    now = room.clock()

    def depth(connection: Connection) -> deliveries.Depth:
        return deliveries.depth(connection, now)

    registry = CollectorRegistry()
    registry.register(_Outbox(await room.database.read(depth)))
    return Response(generate_latest(REGISTRY) + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


routes = [Route("/metrics", get_metrics, methods=["GET"])]
