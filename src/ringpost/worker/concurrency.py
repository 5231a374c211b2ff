"""How many mails one mail server is given at once: as many as it answers without slowing down.

A feedback loop, as Postfix has one per destination (SCHEDULER_README of its documentation) and TCP per connection
(RFC 5681), but with the answer time as the signal, because mail servers queue long before they refuse:

- It starts with a few and, while answers come in time, lets in one more for each: twice as many a round.
- An answer is late when it took twice as long as the server's own best, and longer than `QUICK_S`: what is in hand then
  only stands in line there. The first late answer, or a server that asks for less, halves the width.
- From then on it grows by 1/width for each answer in time: by one a round.
- After a cut, answers to what was handed over before it count neither way, so that one slow moment is one cut.
- A failing server starts over.

So a quick server is as busy as it can be, one that does k mails at once has k to 2k, and one that takes half a minute
for each mail keeps what it can do side by side.
"""

from typing import Final

FIRST_WINDOW: Final = 8
"""The window of a server that has not shown yet what it can do."""
QUICK_S: Final = 1.0
"""Seconds within which no answer is late: a queue that short keeps the server busy while we claim and record."""
_LATE: Final = 2.0
"""Times the best answer time."""


class Concurrency:
    """The width of one mail server. Knows no clock: answer times come in, in seconds."""

    __slots__ = ("_before_cut", "_doubling", "_widest", "_width", "best_s")

    def __init__(self, widest: int) -> None:
        self._widest = max(FIRST_WINDOW, widest)
        self._width = float(FIRST_WINDOW)
        self._doubling = True
        self._before_cut = 0
        self.best_s: float | None = None
        """The server's own answer time; None before the first answer."""

    @property
    def width(self) -> int:
        """How many at once; 1 at least."""
        return int(self._width)

    def answered(self, took_s: float, in_hand: int) -> None:
        """An answer, whatever it was; `in_hand` is how many were at the server, this one included."""
        if self.best_s is None or took_s < self.best_s or in_hand <= 1:
            self.best_s = took_s  # alone there, it met no queue: a server that has become slower starts a new count
        if self._is_of_before():
            return
        if took_s > max(QUICK_S, _LATE * self.best_s):
            self._cut(in_hand)
        elif 2 * in_hand >= self._width:  # what was not used proves nothing
            self._width = min(self._widest, self._width + (1 if self._doubling else 1 / self._width))

    def asked_for_less(self, in_hand: int) -> None:
        """The server said that it is too much (421, 4.7.0)."""
        if not self._is_of_before():
            self._cut(in_hand)

    def failed(self) -> None:
        """The server did not answer as one, so nothing is known of it any more."""
        self.__init__(self._widest)

    def _is_of_before(self) -> bool:
        self._before_cut -= self._before_cut > 0
        return self._before_cut > 0

    def _cut(self, in_hand: int) -> None:
        self._width = max(1.0, min(self._width, in_hand) / 2)
        self._doubling = False
        self._before_cut = in_hand
