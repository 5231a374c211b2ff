"""How many connections to mail servers a process has: file descriptors are not without end.

Once half of what there may be are open, nobody gets a second connection to the same server, and connections without
work are kept for 2 s only. So thousands of servers can be waited for, each on one connection, and there is room left
for those that are quick.
"""

from typing import Final

PLENTY: Final = 1 << 30
SHORT_IDLE: Final = 2.0
"""Seconds that a connection is kept without work while connections are scarce."""


class Sockets:
    """The connections of one process."""

    def __init__(self, most: int = PLENTY) -> None:
        self._most = most
        self._open = 0

    @property
    def scarce(self) -> bool:
        """Half of them are taken."""
        return 2 * self._open >= self._most

    def opened(self) -> None:
        """One more."""
        self._open += 1

    def closed(self) -> None:
        """One less."""
        self._open -= 1
