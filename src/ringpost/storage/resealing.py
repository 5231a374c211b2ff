"""Which sealed values an older key has sealed, and sealing them anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Column, Connection, Table, func, select, update

from ringpost.storage.keyring import KeyRingError
from ringpost.storage.sealing import Place, SealBroken, Sealer
from ringpost.storage.tables import events, messages, oauth, settings

ROWS_PER_BITE = 200


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose values are sealed; `row` is the primary key of its table."""

    table: Table
    row: Column[str]
    value: Column[bytes]


SEALED = (
    SealedColumn(settings, settings.c.tenant, settings.c.password),
    SealedColumn(oauth, oauth.c.tenant, oauth.c.secrets),
    SealedColumn(events, events.c.key, events.c.variables),
    SealedColumn(messages, messages.c.event, messages.c.content),
)
"""Every sealed column there is; a test holds it against the schema."""


class Sealed(NamedTuple):
    """One sealed value, and where it lives."""

    row: str
    tenant: str
    sealed: bytes


class Done(NamedTuple):
    """How many of a bite were sealed anew, and how many did not open."""

    resealed: int
    broken: int


def check_keys(connection: Connection, sealer: Sealer) -> None:
    """Raise KeyRingError when what was sealed last opens with no key of the ring: these are another database's keys.

    For the start: it is better not to run than to find out at every mail.
    """
    for column in SEALED:
        newest = connection.execute(
            select(column.row, column.table.c.tenant, column.value)
            .where(column.value.is_not(None))
            .order_by(column.row.desc())
            .limit(1)
        ).first()
        if newest is None:
            continue
        try:
            sealer.unseal(_place(column, Sealed(*newest)), newest[2])
        except SealBroken as error:
            raise KeyRingError(
                f"The keys do not belong to this database: a value of {column.table.name} does not open ({error}). "
                "Bring back the key file that was in use, or RINGPOST_KEYS."
            ) from None


def find_stale(connection: Connection, sealer: Sealer, column: SealedColumn, after: str) -> list[Sealed]:
    """The next values, by row, that the current key has not sealed."""
    header = sealer.current_header
    rows = connection.execute(
        select(column.row, column.table.c.tenant, column.value)
        .where(column.row > after, column.value.is_not(None), func.substr(column.value, 1, len(header)) != header)
        .order_by(column.row)
        .limit(ROWS_PER_BITE)
    )
    return [Sealed(*row) for row in rows]


def reseal(connection: Connection, sealer: Sealer, column: SealedColumn, bite: Sequence[Sealed]) -> Done:
    """Seal these values with the current key, each only if nobody changed it meanwhile."""
    resealed = broken = 0
    for stale in bite:
        place = _place(column, stale)
        try:
            fresh = sealer.seal(place, sealer.unseal(place, stale.sealed))
        except SealBroken:
            broken += 1
            continue
        unchanged = (column.row == stale.row, column.value == stale.sealed)
        resealed += connection.execute(update(column.table).where(*unchanged).values({column.value: fresh})).rowcount
    return Done(resealed, broken)


def _place(column: SealedColumn, value: Sealed) -> Place:
    return Place(value.tenant, column.table.name, value.row, column.value.name)
