"""What the workers of this process count, for Prometheus (docs/operating.md)."""

from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ringpost.domain.deliveries import Party, State, Urgency, Verdict
from ringpost.storage.outcomes import Recorded

_attempts = Counter("ringpost_attempts", "Attempts by what became of them.", ["verdict", "party"])
_ended = Counter("ringpost_deliveries_ended", "Deliveries that workers have ended, by state.", ["state"])
_errors = Counter("ringpost_worker_errors", "Faults of Ringpost itself in the worker.")
_lost = Counter("ringpost_workers_lost", "Workers that were lost, and whose mail a worker of this process took over.")
_set_aside = Counter(
    "ringpost_deliveries_set_aside", "Deliveries that ended because their workers were lost too often."
)
_time_to_sent = Histogram(
    "ringpost_time_to_sent_seconds",
    "From accepting an event until a server took its mail.",
    ["urgency"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)

# Looked up once: it is cheaper than `labels` for every mail, and series that are 0 from the start have a rate.
_attempts_by = {
    (verdict, party): _attempts.labels(verdict.value, party.value if party else "")
    for verdict in Verdict
    for party in (None, *Party)
    if verdict is not Verdict.SENT or party is None
}
_ended_by = {state: _ended.labels(state.value) for state in (State.SENT, State.REJECTED, State.EXPIRED)}
_time_to_sent_by = {urgency: _time_to_sent.labels(urgency.name.lower()) for urgency in Urgency}


class Watched(Protocol):
    """What a worker shows of itself."""

    @property
    def in_hand(self) -> int:
        """Deliveries that it is at."""
        ...

    @property
    def slots(self) -> int:
        """Deliveries that it can be at."""
        ...

    @property
    def lanes_open(self) -> int:
        """Mail servers that it keeps connections to."""
        ...


class _Workers(Collector):
    """The workers of this process as they are when somebody asks, so that nothing is counted while mail is sent."""

    def __init__(self) -> None:
        self.running: WeakSet[Watched] = WeakSet()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        running = list(self.running)
        for name, meaning, value in (
            ("ringpost_workers", "Workers that run in this process.", len(running)),
            ("ringpost_worker_slots", "Deliveries that they can have in hand.", sum(one.slots for one in running)),
            ("ringpost_worker_in_hand", "Deliveries in hand.", sum(one.in_hand for one in running)),
            ("ringpost_lanes_open", "Lanes with open connections.", sum(one.lanes_open for one in running)),
        ):
            yield GaugeMetricFamily(name, meaning, value)


_workers = _Workers()
REGISTRY.register(_workers)


def watch(worker: Watched) -> None:
    """Show this worker's gauges while it runs."""
    _workers.running.add(worker)


def forget(worker: Watched) -> None:
    """Show them no more."""
    _workers.running.discard(worker)


def observe_attempt(recorded: Recorded, now: int) -> None:
    """Count an attempt that was recorded. `now` in milliseconds."""
    outcome, claimed = recorded.outcome, recorded.claimed
    party = None if outcome.verdict is Verdict.SENT else outcome.party
    _attempts_by[outcome.verdict, party].inc()
    if recorded.state is not State.QUEUED:
        _ended_by[recorded.state].inc()
    if recorded.state is State.SENT:
        _time_to_sent_by[claimed.urgency].observe((now - claimed.created_at) / 1000)


def observe_expired(count: int) -> None:
    """Count deliveries that expired while they waited."""
    _ended_by[State.EXPIRED].inc(count)


def observe_lost(workers: int, set_aside: int) -> None:
    """Count workers that were lost, and deliveries that were set aside because of it."""
    _lost.inc(workers)
    _set_aside.inc(set_aside)


def observe_error() -> None:
    """Count a fault of our own."""
    _errors.inc()
