"""A database that cannot be reached is left alone for a moment, longer each time, and whoever wants it is refused.

The log says why at once. What goes on, such as a full disk, is met many times a second: it is told every ten seconds.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import exc

from ringpost.errors import StorageUnavailable

LONGEST_PAUSE_S: Final = 2.0
"""The longest pause between two tries to reach a database that is away; meanwhile everything is refused at once."""
TELL_EVERY_S: Final = 10.0

_log = structlog.get_logger("ringpost.storage")


class Away:
    """Since when, and until when it is left alone."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._until = 0.0
        self._told: dict[str, _Told] = {}

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

    def cannot(self, what: str, error: exc.DBAPIError, **context: Any) -> StorageUnavailable:
        """What those hear who wanted something `read` or `written`; the log says why."""
        now, kind = time.monotonic(), _kind_of(error)
        last = self._told.get(kind)
        if last is not None and now - last.at < TELL_EVERY_S:
            last.times_since += 1
        else:
            again = {"times_before": last.times_since} if last is not None and last.times_since else {}
            self._told[kind] = _Told(now)
            _log.error("database_unavailable", error=str(error.orig).strip(), **context, **again)
        return StorageUnavailable(f"The database cannot be {what} now{_and_so(what)}. Try again.")


@dataclass(slots=True)
class _Told:
    """When the log heard of a kind of error last, and how often it was met since."""

    at: float
    times_since: int = 0


def _kind_of(error: exc.DBAPIError) -> str:
    """The database's own name for it, whatever file or row it is about."""
    cause = error.orig
    return str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorcode", None) or type(cause).__name__)


def _and_so(what: str) -> str:
    return "; nothing was stored" if what == "written" else ""
