"""Until when a mail is ours to send.

Who stood still, or could not renew its lease, must not send what another may be sending. The end is told by a clock
that nobody sets, and that goes on while the process is stopped and the machine sleeps.
"""

import math
import time
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # there is the first on Linux only


class LeaseOver(Exception):
    """The mail was not sent, because another may be sending it by now."""


def now() -> float:
    """Seconds on that clock."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """Runs for so many seconds."""

    __slots__ = ("_until",)

    def __init__(self, seconds: float, since: float | None = None) -> None:
        """`since`: by `now`; None for from now on."""
        self._until = (now() if since is None else since) + seconds

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return now() >= self._until

    def renew(self, since: float, seconds: float) -> None:
        """It runs for so many seconds since then. Once over it stays so: what it was for may have gone to another."""
        if not self.over:
            self._until = since + seconds


ENDLESS: Final = Lease(math.inf)
"""Of what nobody else knows of."""
