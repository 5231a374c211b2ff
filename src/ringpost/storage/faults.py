"""What may be wrong with a database, and what follows for who wanted to write.

    Fault
    ├── AGAIN        two transactions were in each other's way: the same work, once more
    ├── AWAY         the connection is gone or leads to a server that cannot write: another one
    ├── UNAVAILABLE  disk full, locked, too slow: nothing was stored, later it may be
    └── BROKEN       the disk fails: after a commit that met this, nobody knows what is on it, unless it had `no_room`

Everything else (a broken constraint, a value that does not fit) belongs to the one write that caused it.
"""

from enum import StrEnum

from sqlalchemy import exc


class Fault(StrEnum):
    """What follows from an error of the database itself."""

    AGAIN = "again"
    AWAY = "away"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


_SQLITE_IOERR = 10
"""SQLITE_IOERR, also of a failed sync; the driver tells no more than this (sqlite.org/rescode.html)."""

_AGAIN = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
}
_AWAY = {
    "25006",  # read_only_sql_transaction: the server that we knew is a standby now
    "25P03",  # idle_in_transaction_session_timeout: it hung up on us
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now: it is starting
    "57P05",  # idle_session_timeout
}
_UNAVAILABLE_CLASSES = {
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "55",  # object not in prerequisite state: lock not available
    "57",  # operator intervention: statement timeout
    "58",  # system error: I/O
    "XX",  # internal error: corrupted data
}


def fault_of(error: BaseException) -> Fault | None:
    """What is wrong with the database; None when the fault is that of the one write alone."""
    if not isinstance(error, exc.DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _by_sqlstate(str(state))
    if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _SQLITE_IOERR:
        return Fault.BROKEN
    if error.connection_invalidated or isinstance(error, exc.InterfaceError) or _did_not_connect(error):
        return Fault.AWAY
    return Fault.UNAVAILABLE if isinstance(error, exc.OperationalError) else None


def is_taken(error: BaseException) -> bool:
    """Whether another process has just written a row with the same key (PostgreSQL; unique_violation)."""
    return isinstance(error, exc.IntegrityError) and getattr(error.orig, "sqlstate", None) == "23505"


def _did_not_connect(error: exc.DBAPIError) -> bool:
    """Whether a server could not be reached: psycopg's errors have a code, but for those that no server sent."""
    return hasattr(error.orig, "sqlstate") and error.statement is None


def _by_sqlstate(state: str) -> Fault | None:
    """By the codes of PostgreSQL (appendix A of its manual)."""
    if state in _AGAIN:
        return Fault.AGAIN
    if state in _AWAY or state.startswith("08"):  # connection exception
        return Fault.AWAY
    return Fault.UNAVAILABLE if state[:2] in _UNAVAILABLE_CLASSES else None
