"""Times: kept as whole milliseconds since 1970, UTC; written for programs, and for people at a place."""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Final, overload
from zoneinfo import ZoneInfo, available_timezones

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_END: Final = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""In another time zone, a later moment could be after the year 9999, which no date can be."""


def milliseconds_of(moment: datetime) -> int:
    """A time with a zone, in milliseconds. ValueError when it is before 1970, or after the year 9998."""
    try:
        milliseconds = (moment.astimezone(UTC) - _EPOCH) // _MILLISECOND
    except OverflowError:
        raise ValueError("out of range") from None
    if not 0 <= milliseconds < _END:
        raise ValueError("out of range")
    return milliseconds


@overload
def rfc3339(milliseconds: int) -> str: ...
@overload
def rfc3339(milliseconds: int | None) -> str | None: ...
def rfc3339(milliseconds: int | None) -> str | None:
    """`2026-01-05T09:30:00.000Z` for milliseconds since 1970 (RFC 3339 5.6); None stays None."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def time_zones() -> frozenset[str]:
    """All names of the IANA database. Whoever asks Python itself has it look through its folders on disk each time."""
    return frozenset(available_timezones())


@lru_cache(4096)
def local_time(second: int, timezone: str) -> str:
    """`2026-01-05 10:30:00 CET` for a second since 1970: as people at a place write it."""
    moment = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(timezone))
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname()}"
