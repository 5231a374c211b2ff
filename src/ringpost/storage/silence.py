"""A PostgreSQL server that takes what it is asked and never answers: after a while, we hang up.

Its kernel confirms every packet while its processes hang on a disk or are stopped, so nothing on the network is wrong;
and the server's own limits (`statement_timeout`) hold only where it works. Who is hung up on has lost its connection,
and what follows from that is known.
"""

import threading
import time
from typing import Final, Protocol

import structlog

LONGEST_S: Final = 70.0
"""How long an answer may take: the longest that the server lets a statement take, and the way."""
LOOK_EVERY_S: Final = 5.0

_log = structlog.get_logger("ringpost.storage")


class Asking(Protocol):
    """A connection whose thread waits for an answer."""

    def hang_up(self) -> None:
        """Have whoever waits hear that the server is gone. On another thread than theirs."""


_since: Final[dict[Asking, float]] = {}
"""Who waits for an answer, and since when by the monotonic clock."""
_ending: Final = threading.Lock()
"""Held while one ends to wait: until then its socket is its own, and no other has the same number."""


def ask(connection: Asking) -> None:
    """The server is asked something."""
    _since[connection] = time.monotonic()


def answered(connection: Asking) -> None:
    """It has answered, or the connection is lost."""
    with _ending:
        _since.pop(connection, None)


def end() -> None:
    """Hang up where an answer takes too long."""
    too_long = time.monotonic() - LONGEST_S
    now_asked = _since.copy()  # in one go: other threads ask and are answered meanwhile
    for connection in [one for one, since in now_asked.items() if since < too_long]:
        with _ending:
            if _since.pop(connection, too_long) < too_long:
                _log.error("database_silent", hint=f"no answer for {LONGEST_S:.0f} s; the connection is given up")
                connection.hang_up()
