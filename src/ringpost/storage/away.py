"""A database that cannot be reached is left alone for a moment, longer each time, and whoever wants it is refused."""

import time
from typing import Any, Final

import structlog
from sqlalchemy import exc

from ringpost.errors import StorageUnavailable

LONGEST_PAUSE_S: Final = 2.0
"""The longest pause between two tries to reach a database that is away; meanwhile everything is refused at once."""

_log = structlog.get_logger("ringpost.storage")


class Away:
    """Since when, and until when it is left alone."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0

    def refuse_for_now(self, what: str) -> None:
        """Raises StorageUnavailable while it is left alone; `what` could not be done: `read` or `written`."""
        if time.monotonic() < self._until:
            raise StorageUnavailable(f"The database cannot be reached{_and_so(what)}. Try again.")

    def noticed(self, took_s: float) -> None:
        """It could not be reached, and finding that out took so long: asking again at once would take it again."""
        self._pause_s = min(LONGEST_PAUSE_S, max(took_s, self._pause_s * 2 or 0.1))
        self._until = time.monotonic() + self._pause_s

    def over(self) -> None:
        """It answers."""
        self._pause_s = self._until = 0.0


def cannot(what: str, error: exc.DBAPIError, **context: Any) -> StorageUnavailable:
    """What those hear who wanted something `read` or `written`; the log says why."""
    _log.error("database_unavailable", error=str(error.orig).strip(), **context)
    return StorageUnavailable(f"The database cannot be {what} now{_and_so(what)}. Try again.")


def _and_so(what: str) -> str:
    return "; nothing was stored" if what == "written" else ""
