"""Times as the API writes them."""

from datetime import UTC, datetime


def rfc3339(milliseconds: int | None) -> str | None:
    """`2026-01-05T09:30:00.000Z` for milliseconds since 1970 (RFC 3339 5.6); None stays None."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
