"""How many mails of one queue a worker takes on at a time.

A queue starts with a few. Every mail that its server takes lets one more in, up to a quarter of all slots; a server
that fails starts over. So a quick server is kept busy, a dead one holds few slots, and nobody holds them all.
Emergencies have a window of their own: what hangs at a server must not keep an emergency from being tried.
"""

from ringpost.domain.deliveries import Urgency

FIRST_WINDOW = 8
"""Mails in hand of a queue that has not shown yet that its server answers: two for each connection."""


_Lot = tuple[str, bool]
"""A queue, and whether it is about its emergencies."""


class Windows:
    """Counts what is in hand, per queue."""

    def __init__(self, slots: int) -> None:
        self._widest = max(FIRST_WINDOW, slots // 4)
        self._width: dict[_Lot, int] = {}
        self._in_hand: dict[_Lot, int] = {}

    def room_for(self, queue: str, urgency: Urgency) -> int:
        """How many more may be taken on."""
        lot = _lot(queue, urgency)
        return self._width.get(lot, FIRST_WINDOW) - self._in_hand.get(lot, 0)

    def took(self, queue: str, urgency: Urgency) -> None:
        """One more of the queue is in hand."""
        lot = _lot(queue, urgency)
        self._in_hand[lot] = self._in_hand.get(lot, 0) + 1

    def ended(self, queue: str, urgency: Urgency, *, good: bool) -> None:
        """One of the queue is no longer in hand; `good` when its server answered."""
        lot = _lot(queue, urgency)
        left = self._in_hand.get(lot, 1) - 1
        if not good:
            self._width.pop(lot, None)
        elif left or lot in self._width:
            self._width[lot] = min(self._widest, self._width.get(lot, FIRST_WINDOW) + 1)
        if left:
            self._in_hand[lot] = left
        else:
            self._in_hand.pop(lot, None)

    def forget_idle(self) -> None:
        """Drop what is known of queues that have nothing in hand, so that memory follows the work."""
        self._width = {lot: width for lot, width in self._width.items() if lot in self._in_hand}


def _lot(queue: str, urgency: Urgency) -> _Lot:
    return queue, urgency is Urgency.EMERGENCY
