"""Times as they are kept: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

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
