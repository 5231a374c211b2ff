"""Hand just accepted mail to a worker of this process, in the commit that accepts it.

Most mail is due at once, and a worker of the same process has a hand free. Then the delivery is written as claimed
already, under that worker's lease, and the worker begins as soon as the commit is on disk: the outbox is neither asked
nor changed in between. What no worker takes is queued, and claimed in its turn.

A commit can fail or be run again, so whoever takes something is told in the end: `begin` or `put_down`.
"""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ringpost.domain.deliveries import Urgency
from ringpost.domain.endpoints import Endpoint

if TYPE_CHECKING:  # which needs the room, and the room has the takers
    from ringpost.usecases.deliver import Work


class Taker(Protocol):
    """A worker that can take mail on. `claim` and `take` are called on the thread that writes, or on the event loop."""

    def claim(self) -> tuple[str, int]:
        """The name of a new claim, and how long its lease is, in milliseconds."""
        ...

    def take(self, queue: str, urgency: Urgency, size: int, endpoint: Endpoint) -> bool:
        """Take one mail of so many bytes on, unless there is no room for more of its queue or others wait there."""
        ...

    def begin(self, works: "Sequence[Work]") -> None:
        """The commit is on disk: send them."""
        ...

    def put_down(self, works: "Sequence[Work]") -> None:
        """The commit did not come about: they do not exist."""
        ...


class Takers:
    """The workers of this process, asked in turn."""

    def __init__(self) -> None:
        self._waiting = deque[Taker]()

    def join(self, taker: Taker) -> None:
        """It takes on from now on."""
        self._waiting.append(taker)

    def leave(self, taker: Taker) -> None:
        """It takes nothing on any more; what it took before may yet begin."""
        self._waiting.remove(taker)

    def next(self) -> Taker | None:
        """Whose turn it is; None when there is no worker in this process."""
        try:
            self._waiting.rotate(-1)
            return self._waiting[0]
        except IndexError:
            return None
