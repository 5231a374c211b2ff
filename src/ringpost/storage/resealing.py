"""Whether the keys of the ring are the database's own, which values older keys have sealed, and sealing those anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Column, Connection, Table, func, select, text, update

from ringpost.domain.tenants import SYSTEM
from ringpost.storage.keyring import KeyRingError
from ringpost.storage.sealing import Place, SealBroken, Sealer
from ringpost.storage.tables import events, key_proof, messages, oauth, settings

ROWS_PER_BITE = 200

NEWEST = 1000
"""Rows that are looked at for a value, where values go and rows stay."""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose values are sealed; `row` is the primary key of its table."""

    table: Table
    row: Column[str]
    value: Column[bytes]
    erased: bool = False
    """Values go after a while, long before their rows."""


SEALED = (
    SealedColumn(key_proof, key_proof.c.id, key_proof.c.sealed),
    SealedColumn(settings, settings.c.tenant, settings.c.password),
    SealedColumn(oauth, oauth.c.tenant, oauth.c.secrets),
    SealedColumn(events, events.c.key, events.c.variables, erased=True),
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


_PROOF = Place(SYSTEM, key_proof.name, "keys", key_proof.c.sealed.name)
_LEAVE_PROOF = text(
    "INSERT INTO key_proof (id, tenant, sealed) VALUES (:id, :tenant, :sealed) ON CONFLICT (id) DO NOTHING"
)


def is_proven(connection: Connection) -> bool:
    """Whether somebody has started with this database before, and has left a proof of the keys."""
    return connection.execute(select(key_proof.c.id)).first() is not None


def leave_proof(connection: Connection, sealer: Sealer) -> None:
    """Let later starts see which keys are in use, also while nothing else is sealed.

    Raises KeyRingError when another machine, with other keys, was first.
    """
    sealed = sealer.seal(_PROOF, b"ringpost")
    connection.execute(_LEAVE_PROOF, {"id": _PROOF.row, "tenant": _PROOF.tenant, "sealed": sealed})
    check_keys(connection, sealer)


def check_keys(connection: Connection, sealer: Sealer) -> None:
    """Raise KeyRingError when what was sealed last opens with no key of the ring: these are another database's keys.

    For the start: it is better not to run than to find out at every mail.
    """
    for column in SEALED:
        newest = _newest(connection, column)
        if newest is None:
            continue
        try:
            sealer.unseal(_place(column, newest), newest.sealed)
        except SealBroken as error:
            raise KeyRingError(
                f"The keys do not belong to this database: a value of {column.table.name} does not open ({error}). "
                "Bring back the key file that was in use, or RINGPOST_KEYS."
            ) from None


def _newest(connection: Connection, column: SealedColumn) -> Sealed | None:
    rows = select(column.row, column.table.c.tenant, column.value).order_by(column.row.desc())
    if column.erased:
        looked_at = rows.limit(NEWEST).subquery()
        row, value = looked_at.c[column.row.name], looked_at.c[column.value.name]
        rows = select(looked_at).where(value.is_not(None)).order_by(row.desc())
    else:
        rows = rows.where(column.value.is_not(None))
    found = connection.execute(rows.limit(1)).first()
    return None if found is None else Sealed(*found)


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
