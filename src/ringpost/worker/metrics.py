"""What the workers of this process count, for Prometheus (docs/operating.md)."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ringpost.domain.deliveries import Party, State, Urgency, Verdict
from ringpost.storage.outcomes import Recorded

_errors = Counter("ringpost_worker_errors", "Faults of Ringpost itself in the worker.")
_lost = Counter("ringpost_workers_lost", "Workers that were lost, and whose mail a worker of this process took over.")
_set_aside = Counter(
    "ringpost_deliveries_set_aside", "Deliveries that ended because their workers were lost too often."
)
_WITHIN_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


class _Attempts(Collector):
    """What became of attempts, in plain numbers: Prometheus' own have a lock each, and a mail is counted in four.

    Series that are 0 from the start have a rate.
    """

    def __init__(self) -> None:
        self.made = {
            (verdict, party): 0
            for verdict in Verdict
            for party in (None, *Party)
            if verdict is not Verdict.SENT or party is None
        }
        self.ended: dict[State, int] = dict.fromkeys((State.SENT, State.REJECTED, State.EXPIRED), 0)
        self.sent_within = {urgency: [0] * (len(_WITHIN_S) + 1) for urgency in Urgency}
        """How many were sent in the time of each bucket, and later than that of the last."""
        self.sent_after_s = dict.fromkeys(Urgency, 0.0)
        """In all."""

    def collect(self) -> Iterable[Metric]:
        made = CounterMetricFamily("ringpost_attempts", "Attempts by what became of them.", labels=["verdict", "party"])
        for (verdict, party), count in self.made.items():
            made.add_metric([verdict.value, party.value if party else ""], count)
        what_ended = "Deliveries that workers have ended, by state."
        ended = CounterMetricFamily("ringpost_deliveries_ended", what_ended, labels=["state"])
        for state, count in self.ended.items():
            ended.add_metric([state.value], count)
        how_long = "From accepting an event until a server took its mail."
        sent = HistogramMetricFamily("ringpost_time_to_sent_seconds", how_long, labels=["urgency"])
        for urgency, counts in self.sent_within.items():
            buckets = zip((*map(str, _WITHIN_S), "+Inf"), accumulate(counts), strict=True)
            sent.add_metric([urgency.word], list(buckets), self.sent_after_s[urgency])
        return made, ended, sent


_attempts = _Attempts()
REGISTRY.register(_attempts)


class Measured(Protocol):
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
        self.running: WeakSet[Measured] = WeakSet()

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


def watch(worker: Measured) -> None:
    """Show this worker's gauges while it runs."""
    _workers.running.add(worker)


def forget(worker: Measured) -> None:
    """Show them no more."""
    _workers.running.discard(worker)


def observe_attempt(recorded: Recorded, now: int) -> None:
    """Count an attempt that was recorded. `now` in milliseconds."""
    outcome, claimed = recorded.outcome, recorded.claimed
    party = None if outcome.verdict is Verdict.SENT else outcome.party
    _attempts.made[outcome.verdict, party] += 1
    if recorded.state is not State.QUEUED:
        _attempts.ended[recorded.state] += 1
    if recorded.state is State.SENT:
        took_s = max(0, now - claimed.created_at) / 1000  # the clock may have been set back, and a sum only grows
        _attempts.sent_within[claimed.urgency][bisect_left(_WITHIN_S, took_s)] += 1
        _attempts.sent_after_s[claimed.urgency] += took_s


def observe_expired(count: int) -> None:
    """Count deliveries that expired while they waited."""
    _attempts.ended[State.EXPIRED] += count


def observe_lost(workers: int, set_aside: int) -> None:
    """Count workers that were lost, and deliveries that were set aside because of it."""
    _lost.inc(workers)
    _set_aside.inc(set_aside)


def observe_error() -> None:
    """Count a fault of our own."""
    _errors.inc()
