"""What the worker counts, for Prometheus (docs/operating.md)."""

from prometheus_client import Counter, Histogram

from ringpost.domain.deliveries import State
from ringpost.storage.outcomes import Recorded

_attempts = Counter("ringpost_attempts", "Attempts by what became of them.", ["verdict", "party"])
_ended = Counter("ringpost_deliveries_ended", "Deliveries that have ended, by state.", ["state"])
_errors = Counter("ringpost_worker_errors", "Faults of Ringpost itself in the worker.")
_time_to_sent = Histogram(
    "ringpost_time_to_sent_seconds",
    "From accepting an event until a server took its mail.",
    ["urgency"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)


def observe_attempt(recorded: Recorded, now: int) -> None:
    """Count an attempt that was recorded. `now` in milliseconds."""
    outcome, claimed = recorded.outcome, recorded.claimed
    _attempts.labels(outcome.verdict.value, outcome.party.value if outcome.party else "").inc()
    if recorded.state is not State.QUEUED:
        _ended.labels(recorded.state.value).inc()
    if recorded.state is State.SENT:
        _time_to_sent.labels(claimed.urgency.name.lower()).observe((now - claimed.created_at) / 1000)


def observe_error() -> None:
    """Count a fault of our own."""
    _errors.inc()
