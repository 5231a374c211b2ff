"""How much of what may go at a pace is in hand already: mail servers may share one, each with a lane of its own."""

from collections import Counter
from typing import Protocol


class Paced(Protocol):
    """What says how many mails may go through a server soon."""

    def soon(self, *, urgent: bool) -> int:
        """How many emergencies, or others, may be under way or begin within the time that a mail waits for its turn."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing that has begun counts any more."""
        ...


class AtPace:
    """Counts what is in hand of all lanes at one pace."""

    def __init__(self) -> None:
        self._in_hand = Counter[tuple[Paced, bool]]()

    def add(self, pace: Paced | None, mails: int, *, emergency: bool) -> None:
        """So many more are in hand, or fewer; without a pace there is nothing to count."""
        if pace is not None:
            self._in_hand[pace, emergency] += mails
            if not self._in_hand[pace, emergency]:
                del self._in_hand[pace, emergency]

    def more(self, pace: Paced, *, emergency: bool) -> int:
        """How many more may be taken on that will go soon."""
        return pace.soon(urgent=emergency) - self._in_hand[pace, emergency]
