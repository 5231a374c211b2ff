"""Which queues something waits in, as far as a worker has seen.

What is accepted for such a queue waits in line with it, and while others wait, no queue takes more than a quarter
(`windows`). A queue is seen to wait when a look meets it on the ring, or when there is no room for what was accepted.
It is forgotten when a look found less there than it might have taken, and when two walks round the ring of its class
have not met it: then others have emptied it, or its server is left alone. That is told by walks and not by time,
because a look takes as long as the database does.
"""

from collections.abc import Collection, Iterable, Sequence
from threading import Lock

from ringpost.domain.deliveries import Urgency

Lot = tuple[str, Urgency]
"""What waits in a queue of one class."""


class Waiting:
    """Called by the worker, and on its behalf by the thread that writes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queues = {urgency: set[str]() for urgency in Urgency}
        self._met = {urgency: set[str]() for urgency in Urgency}
        """Those that were seen to wait on the walk of their class that is under way."""
        self._met_before = {urgency: set[str]() for urgency in Urgency}
        """And on the one before it: where that ended, this one began, in the middle of what one look sees."""

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def __contains__(self, lot: Lot) -> bool:
        queue, urgency = lot
        return queue in self._queues[urgency]

    def seen(self, queues: Sequence[str], urgency: Urgency) -> None:
        """Something waits in each of these."""
        with self._lock:
            self._queues[urgency].update(queues)
            self._met[urgency].update(queues)

    def elsewhere(self, queues: Collection[str]) -> bool:
        """Whether something waits in a queue that is none of these."""
        with self._lock:
            return any(queue not in queues for its in self._queues.values() for queue in its)

    def emptied(self, lots: Iterable[Lot]) -> None:
        """Nothing was left there."""
        with self._lock:
            for queue, urgency in lots:
                self._queues[urgency].discard(queue)

    def walked_round(self, classes: Iterable[Urgency]) -> None:
        """The rings of these classes were walked round: forget what was not met, neither now nor on the walk before."""
        with self._lock:
            for urgency in classes:
                met, before = self._met[urgency], self._met_before[urgency]
                self._queues[urgency] &= met | before
                self._met_before[urgency], self._met[urgency] = met, set()
