"""Deliveries and events by what people look for, the newest first, at a cost that does not grow with the tables.

Each question goes along one index: recipient, state, type, or the tenant as a whole. What else was asked for is
compared row by row, and after MOST_LOOKED_AT rows an answer ends where it is and says so (`Found.looked_to`); the next
page goes on from there. Pages begin after an id and not after so many rows, so all of them cost the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import ColumnElement, Connection, TextClause, select

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.storage.deliveries import in_state
from ringpost.storage.identifiers import first_id
from ringpost.storage.tables import AnyRow, deliveries, events

MOST_LOOKED_AT: Final = 2_000
"""Rows of one index for one answer."""
MOST_PEOPLE: Final = 12
"""Recipients that the beginning of an address stands for."""
_EVENTS_AT_ONCE: Final = 100
_LAST: Final = "\U0010ffff"
"""Sorts after every character of an address."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for; what is empty or None does not narrow. `since` and `until` are milliseconds."""

    states: tuple[State, ...] = ()
    type: str = ""
    recipients: tuple[str, ...] = ()
    """Addresses as they are kept."""
    since: int | None = None
    until: int | None = None
    before: str = ""
    """Only what is older than this id."""
    after: str = ""
    """Only what is newer than this id, and of that the oldest."""
    most: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """Ids, the newest first."""

    ids: list[str] = field(default_factory=list[str])
    more: bool = False
    """There is, or may be, more in the direction of the search."""
    looked_to: str = ""
    """Where the search ended although it might have found more; "" when it came to the end."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What is compared of one row."""

    id: str
    state: str
    type: str


def find_deliveries(connection: Connection, tenant: TenantId, wanted: Filter) -> Found:
    """A page of deliveries; going back in time, or forward when `after` is given."""
    rows: dict[str, _Row] = {}
    ends: list[str] = []
    for found, end in _sources(connection, tenant, wanted):
        rows |= {row.id: row for row in found}
        if end:
            ends.append(end)
    forward = bool(wanted.after)
    # Beyond the nearest end of an index that was not followed to its own end, nobody knows what is missing.
    end = (min(ends) if forward else max(ends)) if ends else ""
    fit = [
        row.id
        for row in sorted(rows.values(), key=lambda row: row.id, reverse=not forward)
        if _fits(row, wanted) and (not end or (row.id <= end if forward else row.id >= end))
    ]
    page, more = fit[: wanted.most], len(fit) > wanted.most or bool(end)
    return Found(page[::-1] if forward else page, more, end if end and len(fit) <= wanted.most else "")


def newest_first(connection: Connection, tenant: TenantId, ids: Sequence[str], states: tuple[State, ...]) -> list[str]:
    """Those of these deliveries that there are, and that are in one of the states; all states when there is none."""
    query = select(deliveries.c.id).where(deliveries.c.tenant == tenant, deliveries.c.id.in_(ids))
    if states:
        query = query.where(deliveries.c.state.in_(states))
    return list(connection.execute(query.order_by(deliveries.c.id.desc())).scalars())


def people(connection: Connection, tenant: TenantId, beginning: str) -> list[str]:
    """Recipients whose address begins like this, MOST_PEOPLE at most: one step in the index for each."""
    found: list[str] = []
    after: ColumnElement[bool] = deliveries.c.recipient >= beginning
    while len(found) < MOST_PEOPLE:
        query = select(deliveries.c.recipient).where(
            deliveries.c.tenant == tenant, after, deliveries.c.recipient < beginning + _LAST
        )
        recipient = connection.execute(query.order_by(deliveries.c.recipient).limit(1)).scalar()
        if recipient is None:
            break
        found.append(recipient)
        after = deliveries.c.recipient > recipient
    return found


def find_skipped(
    connection: Connection, tenant: TenantId, wanted: Filter, reason: str = ""
) -> tuple[list[AnyRow], str]:
    """Events that sent nothing, the newest first, and where the search ended though it might have found more."""
    columns = (events.c.key, events.c.id, events.c.type, events.c.accepted_at, events.c.skip_reason)
    query = select(*columns).where(events.c.tenant == tenant, events.c.skip_reason.is_not(None))
    narrow = bool(reason or wanted.type)
    limit = MOST_LOOKED_AT if narrow else wanted.most + 1
    query = query.where(*_in_time(events.c.key, wanted)).order_by(events.c.key.desc())
    rows = connection.execute(query.limit(limit)).all()
    fit = [
        row
        for row in rows
        if (not reason or row.skip_reason == reason) and (not wanted.type or row.type == wanted.type)
    ]
    if len(fit) > wanted.most:
        return fit[: wanted.most], fit[wanted.most - 1].key
    return fit, rows[-1].key if narrow and len(rows) == limit else ""


def last_of_each_type(connection: Connection, tenant: TenantId, types: Sequence[str]) -> dict[str, AnyRow]:
    """The newest event of each type, with its skip reason: one step in the index for each."""
    columns = (events.c.key, events.c.id, events.c.type, events.c.accepted_at, events.c.skip_reason)
    found: dict[str, AnyRow] = {}
    for name in types:
        query = select(*columns).where(events.c.tenant == tenant, events.c.type == name)
        row = connection.execute(query.order_by(events.c.key.desc()).limit(1)).first()
        if row is not None:
            found[name] = row
    return found


def deliveries_of(connection: Connection, tenant: TenantId, key: str) -> list[str]:
    """Ids of the deliveries of one event."""
    # Their ids begin with its key: without that, all of the tenant's may be looked through to have them in order.
    of_event = deliveries.c.tenant == tenant, deliveries.c.id > f"{key}-", deliveries.c.id < f"{key}."
    return list(connection.execute(select(deliveries.c.id).where(*of_event).order_by(deliveries.c.id)).scalars())


def _sources(connection: Connection, tenant: TenantId, wanted: Filter) -> Iterator[tuple[list[_Row], str]]:
    """Rows along one index each, and where it was left; "" when that was all."""
    if wanted.recipients:
        narrow = bool(wanted.states or wanted.type)
        for recipient in wanted.recipients:
            yield _along(connection, tenant, wanted, deliveries.c.recipient == recipient, narrow=narrow)
    elif wanted.states:
        for state in wanted.states:
            yield _along(connection, tenant, wanted, in_state(state), narrow=bool(wanted.type))
    elif wanted.type:
        yield _along_type(connection, tenant, wanted)
    else:
        yield _along(connection, tenant, wanted, None, narrow=False)


def _along(
    connection: Connection,
    tenant: TenantId,
    wanted: Filter,
    condition: ColumnElement[bool] | TextClause | None,
    *,
    narrow: bool,
) -> tuple[list[_Row], str]:
    """`narrow`: not every row will fit, so more are looked at."""
    limit = max(MOST_LOOKED_AT, wanted.most + 1) if narrow else wanted.most + 1
    query = select(deliveries.c.id, deliveries.c.state, deliveries.c.type).where(deliveries.c.tenant == tenant)
    if condition is not None:
        query = query.where(condition)
    order = deliveries.c.id if wanted.after else deliveries.c.id.desc()
    query = query.where(*_in_time(deliveries.c.id, wanted)).order_by(order)
    rows = connection.execute(query.limit(limit)).all()
    return [_Row(*row) for row in rows], rows[-1].id if len(rows) == limit else ""


def _along_type(connection: Connection, tenant: TenantId, wanted: Filter) -> tuple[list[_Row], str]:
    """Events of one type and their deliveries: there is no index from a type to deliveries.

    A delivery's id is its event's key, `-` and a number, so it sorts right after its event.
    """
    found: list[_Row] = []
    looked = 0
    forward = bool(wanted.after)
    rest = replace(wanted, after=wanted.after.partition("-")[0][:-1])  # that event may have more
    while looked < MOST_LOOKED_AT and len(found) <= wanted.most:
        order = events.c.key if forward else events.c.key.desc()
        query = select(events.c.key).where(events.c.tenant == tenant, events.c.type == wanted.type)
        query = query.where(*_in_time(events.c.key, rest)).order_by(order).limit(_EVENTS_AT_ONCE)
        keys = connection.execute(query).scalars().all()
        found += [row for row in _of_events(connection, keys) if _is_between(row.id, wanted)]
        if len(keys) < _EVENTS_AT_ONCE:
            return found, ""
        looked += len(keys)
        rest = replace(rest, after=keys[-1]) if forward else replace(rest, before=keys[-1])
    return found, f"{rest.after}." if forward else rest.before  # a dot sorts after the `-` of its deliveries


def _of_events(connection: Connection, keys: Sequence[str]) -> list[_Row]:
    query = select(deliveries.c.id, deliveries.c.state, deliveries.c.type).where(deliveries.c.event.in_(keys))
    return [_Row(*row) for row in connection.execute(query)] if keys else []


def _is_between(identifier: str, wanted: Filter) -> bool:
    return (not wanted.before or identifier < wanted.before) and (not wanted.after or identifier > wanted.after)


def _fits(row: _Row, wanted: Filter) -> bool:
    return (not wanted.states or row.state in wanted.states) and (not wanted.type or row.type == wanted.type)


def _in_time(column: ColumnElement[str], wanted: Filter) -> list[ColumnElement[bool]]:
    """Between two times and two ids; both are ranges of ids."""
    low = max(first_id(wanted.since) if wanted.since is not None else "", wanted.after)
    high = min(first_id(wanted.until) if wanted.until is not None else _LAST, wanted.before or _LAST)
    above = [column > low] if low else []  # no id is as short as the beginning of one
    return above if high == _LAST else [*above, column < high]
