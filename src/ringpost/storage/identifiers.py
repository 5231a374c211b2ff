"""Ids that sort by time, so that new rows lie together in every index."""

from ringpost.storage.chance import chance


def new_id(now_ms: int) -> str:
    """24 hexadecimal digits: 11 of the time in milliseconds (until the year 2527), 13 of chance (52 bits)."""
    return f"{now_ms:011x}{chance.take(7).hex()[:13]}"


def first_id(now_ms: int) -> str:
    """What sorts before every id made from this time on, to look for rows by their age."""
    return f"{now_ms:011x}"


def made_at(some_id: str) -> int:
    """When an id was made; milliseconds since 1970, UTC."""
    return int(some_id[:11], 16)


def event_of(delivery: str) -> str:
    """The key of a delivery's event: deliveries are numbered within theirs, `<key>-<number>`."""
    return delivery.rpartition("-")[0]
