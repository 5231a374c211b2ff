"""The oracle tells a copy that nobody could know of from one that was begun by who had lost the mail to another."""

from datetime import UTC, datetime
from typing import Any

import pytest
from chaos.oracle import late_copies

LOST = {"ambiguous": True, "verdict": "retry"}
REFUSED = {"ambiguous": False, "verdict": "retry"}
SENT = {"ambiguous": False, "verdict": "sent"}


def _story(*attempts: tuple[dict[str, Any], float, int]) -> list[dict[str, Any]]:
    """Each: what it was, when it began (s), how long it took (ms). The API tells the newest first."""
    return [
        {**what, "number": number, "started_at": datetime.fromtimestamp(at, UTC).isoformat(), "duration_ms": took_ms}
        for number, (what, at, took_ms) in enumerate(attempts, 1)
    ][::-1]


@pytest.mark.parametrize(
    ("begun", "late"),
    [
        ([95.0, 110.2], 0),
        ([95.0, 102.0, 110.2], 1),
        ([110.2, 111.0], 1),
        ([95.0, 140.0], 1),
        ([110.2, 140.0, 141.0], 2),
    ],
    ids=[
        "one before its worker was lost, one sent",
        "one more by the lost worker, while another tries",
        "both while the one that was sent was under way",
        "one when it had long been sent",
        "two when it had long been sent",
    ],
)
def test_a_copy_is_late_when_no_attempt_accounts_for_it(begun: list[float], late: int) -> None:
    attempts = _story((LOST, 100, 0), (SENT, 110, 500))
    assert late_copies(begun, attempts) == late


def test_a_refused_attempt_accounts_for_no_copy() -> None:
    assert late_copies([100.2, 120.1], _story((REFUSED, 100, 300), (SENT, 120, 200))) == 1
    assert late_copies([95.0, 120.1], _story((LOST, 100, 0), (REFUSED, 105, 300), (SENT, 120, 200))) == 0
    assert late_copies([104.0, 120.1], _story((LOST, 100, 0), (REFUSED, 105, 300), (SENT, 120, 200))) == 1
