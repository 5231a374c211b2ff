"""How many mails of one queue a worker takes on at a time.

A queue starts with a few. Every mail that its server takes lets one more in, up to a quarter of all slots; a server
that fails starts over. So a quick server is kept busy, a dead one holds few slots, and nobody holds them all.
"""

FIRST_WINDOW = 8
"""Mails in hand of a queue that has not shown yet that its server answers: two for each connection."""


class Windows:
    """Counts what is in hand, per queue."""

    def __init__(self, slots: int) -> None:
        self._widest = max(FIRST_WINDOW, slots // 4)
        self._width: dict[str, int] = {}
        self._in_hand: dict[str, int] = {}

    def room_for(self, queue: str) -> int:
        """How many more may be taken on."""
        return self._width.get(queue, FIRST_WINDOW) - self._in_hand.get(queue, 0)

    def took(self, queue: str) -> None:
        """One more of the queue is in hand."""
        self._in_hand[queue] = self._in_hand.get(queue, 0) + 1

    def ended(self, queue: str, *, good: bool) -> None:
        """One of the queue is no longer in hand; `good` when its server answered."""
        left = self._in_hand.get(queue, 1) - 1
        if not good:
            self._width.pop(queue, None)
        elif left or queue in self._width:
            self._width[queue] = min(self._widest, self._width.get(queue, FIRST_WINDOW) + 1)
        if left:
            self._in_hand[queue] = left
        else:
            self._in_hand.pop(queue, None)

    def forget_idle(self) -> None:
        """Drop what is known of queues that have nothing in hand, so that memory follows the work."""
        self._width = {queue: width for queue, width in self._width.items() if queue in self._in_hand}
