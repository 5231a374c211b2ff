"""Finds out which leases are over: those that nobody renews any more.

A living worker renews a lease long before its end, so a lease is over when the wall clock says so. It is over as well
when it has not been renewed for as long as it is, whatever the wall clock says: where a clock was ahead when it was
written, its end is far away. Neither is believed at once, but when it stays so for the time in which a living worker
renews: the clock may have been set forward, or the database been away.
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from ringpost.worker.options import WorkerOptions

LeaseEnd = tuple[str, int]
"""A claim, and until when its lease runs by the wall clock, in milliseconds."""

LONGEST_LEASE_MS: Final = 3_600_000
"""An hour: no lease may be longer (RINGPOST_LEASE_SECONDS)."""


class Moment(NamedTuple):
    """When leases were looked at: by the wall clock in milliseconds since 1970, by a monotonic one in seconds."""

    wall: int
    asked: float
    answered: float


class LeaseWatch:
    """Remembers since when leases are as they are.

    Time comes in as arguments. However long an answer takes, a lease is known from then on, and was as it is when it
    was asked for.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._seen_at: dict[LeaseEnd, float] = {}
        """When each lease was first seen with this end."""
        self._over_at: dict[LeaseEnd, float] = {}

    def over(self, in_force: Collection[LeaseEnd], lengths_ms: Mapping[str, int], looked: Moment) -> set[str]:
        """The claims of these whose leases are over. `lengths_ms`: of each worker's leases, as far as known."""
        self._seen_at = {lease: self._seen_at.get(lease, looked.answered) for lease in in_force}
        over = [
            (claim, until)
            for (claim, until), since in self._seen_at.items()
            if until <= looked.wall or looked.asked - since >= lengths_ms.get(worker_of(claim), LONGEST_LEASE_MS) / 1000
        ]
        self._over_at = {lease: self._over_at.get(lease, looked.answered) for lease in over}
        return {
            claim
            for (claim, _), since in self._over_at.items()
            if looked.asked - since >= self._patience_s(lengths_ms.get(worker_of(claim)))
        }

    def _patience_s(self, length_ms: int | None) -> float:
        """How long a living worker takes to renew, with some time to spare."""
        length_s = self._options.lease_s if length_ms is None else length_ms / 1000
        return length_s / 3 + self._options.sweep_s


def worker_of(claim: str) -> str:
    """The worker in a claim's name, `<worker>-<number>.<what>`."""
    return claim.partition("-")[0]
