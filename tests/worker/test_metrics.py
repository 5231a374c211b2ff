"""What a worker counts, as Prometheus sees it."""

import pytest
from prometheus_client import REGISTRY

from ringpost.domain.deliveries import SENT, Outcome, Stage, State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage.outbox import Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.worker.metrics import observe_attempt

NAME = "ringpost_time_to_sent_seconds"


def sent_within(bound: str) -> float:
    """How many mails of class alert were sent in so many seconds."""
    return REGISTRY.get_sample_value(f"{NAME}_bucket", {"urgency": "alert", "le": bound}) or 0


def seconds() -> float:
    """How long that took them in all."""
    return REGISTRY.get_sample_value(f"{NAME}_sum", {"urgency": "alert"}) or 0


def observe_sent(*, after_ms: int) -> None:
    """Count a mail that was sent so long after its event was accepted."""
    claimed = Claimed("d", TenantId("t"), "e", "a@example.com", Urgency.ALERT, False, "t", 0, 0, 0, 0, "w")
    outcome = Outcome(SENT, Stage.ACCEPTED, code=250)
    recorded = Recorded(claimed, outcome, "", 0, 0, State.SENT, 0, costs_retry=True)
    observe_attempt(recorded, after_ms)


def test_a_bucket_holds_what_took_as_long_as_its_bound_and_what_was_quicker() -> None:
    bounds = ["0.01", "0.025", "1.0", "2.5", "3600.0", "+Inf"]
    before, seconds_before = [sent_within(bound) for bound in bounds], seconds()

    for after_ms in (25, 2500, 3_600_001):
        observe_sent(after_ms=after_ms)

    more = [sent_within(bound) - count for bound, count in zip(bounds, before, strict=True)]
    assert more == [0, 1, 1, 2, 2, 3]
    assert seconds() - seconds_before == pytest.approx(3602.526)


def test_a_clock_that_was_set_back_takes_no_seconds_off() -> None:
    before, quickest = seconds(), sent_within("0.01")

    observe_sent(after_ms=-60_000)

    assert (seconds(), sent_within("0.01")) == (before, quickest + 1)
