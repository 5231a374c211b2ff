"""Who works, and what became of attempts lately: written by workers every few seconds, read by `overview`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select, text, update

from ringpost.domain.deliveries import Party, Verdict
from ringpost.domain.times import HOUR_MS
from ringpost.storage.overview import TALLY_MS
from ringpost.storage.tables import tallies, workers

KEPT_MS = HOUR_MS
"""How long tallies, and the last signs of life of workers that never said goodbye, are kept."""

Tally = Mapping[tuple[Verdict, Party | None], int]
"""How many attempts came to this verdict by this party's failure."""


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """What a worker says of itself. Times in milliseconds."""

    name: str
    host: str
    since: int
    until: int
    """Believed to be alive until then."""
    slots: int
    in_hand: int
    lease_ms: int
    """How long its leases are."""


_ADD = text("""
    INSERT INTO tallies (since, verdict, party, count) VALUES (:since, :verdict, :party, :count)
    ON CONFLICT (since, verdict, party) DO UPDATE SET count = tallies.count + excluded.count""")


def report(connection: Connection, now: int, sign: SignOfLife, tally: Tally) -> None:
    """Write a sign of life and add to the tally of this moment; forget what is old."""
    values = asdict(sign)
    if not connection.execute(update(workers).where(workers.c.name == sign.name).values(**values)).rowcount:
        connection.execute(insert(workers).values(**values))
    since = now - now % TALLY_MS
    if tally:
        rows = [
            {"since": since, "verdict": verdict.value, "party": party.value if party else "", "count": count}
            for (verdict, party), count in sorted(tally.items(), key=str)
        ]
        connection.execute(_ADD, rows)
    connection.execute(delete(tallies).where(tallies.c.since < now - KEPT_MS))
    connection.execute(delete(workers).where(workers.c.until < now - KEPT_MS))


def sign_off(connection: Connection, name: str) -> None:
    """This worker has stopped."""
    connection.execute(delete(workers).where(workers.c.name == name))


def lease_lengths(connection: Connection) -> dict[str, int]:
    """How long the leases of workers are, in milliseconds, also of those that were lost; as far as they have said."""
    rows = connection.execute(select(workers.c.name, workers.c.lease_ms).where(workers.c.lease_ms.is_not(None)))
    return {row.name: row.lease_ms for row in rows}
