"""Who may take how many of the free slots: deficit round robin (Shreedhar and Varghese, 1995) between queues.

The queues that wait are visited in a circle, first those whose last visit is longest ago: a look sees a part of them
only, and another part each time, so where the last sharing ended does not tell who is next. At each visit a queue may
take one mail, until the slots, its own room or its server's room are used up. What a mail really weighs is known only
when it has been read, so a queue whose mail took more than one slot pays afterwards: it is passed over for as many
visits. A tenant with voicemails of 10 MB and one with texts of 10 KB so send as many bytes, not as many mails. Nobody
waits for somebody who does not want more: when all who could take are in debt, the debts shrink together.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Bid:
    """A queue that waits for slots."""

    queue: str
    server: str
    """Queues of one server share its room."""
    room: int
    """How many mails it may take at most."""
    weight: float = 1.0
    """Slots that one of its mails takes, as far as known."""
    debt: float = 0.0
    """Visits that it is still passed over. `share_out` takes off what is paid."""
    visit: int = 0
    """The number of its last visit; 0 when there was none lately. `share_out` keeps it up to date."""
    given: int = 0
    """Set by `share_out`: how many it may take."""


def share_out(bids: Sequence[Bid], free: float, room_of: dict[str, int], visits: int) -> int:
    """Give the free slots to the bids; returns the number of the last visit.

    `room_of`: how many more mails each server is given. `visits`: what the last call returned.
    """
    circle = sorted(bids, key=lambda bid: bid.visit)
    while free >= 1 and (circle := [bid for bid in circle if bid.given < bid.room and room_of[bid.server] > 0]):
        for bid in circle:
            if free < 1 or room_of[bid.server] <= 0:
                continue
            visits += 1
            bid.visit = visits
            if bid.debt >= 1:
                bid.debt -= 1
                continue
            bid.given += 1
            free -= bid.weight
            room_of[bid.server] -= 1
        least = min(bid.debt for bid in circle)
        if least >= 1:
            for bid in circle:
                bid.debt -= int(least)
    return visits
