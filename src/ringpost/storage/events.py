"""Events as they were accepted. Variables are sealed; they are erased with the message."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, or_, select

from ringpost.domain.deliveries import OPEN_STATES
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.bulk import Insert, InsertTogether, Lookup
from ringpost.storage.tables import AnyRow, attempts, deliveries, events, messages, template_revisions

HEAVIEST_BITE: Final = 16 << 20
"""Octets of messages that are deleted in one commit, or one message that is larger: others wait to write meanwhile."""

EventKey = tuple[TenantId, str]
"""Tenant and the sender's event id."""


class KnownEvent(NamedTuple):
    """What is looked up of an event that was accepted before."""

    tenant: TenantId
    id: str
    key: str
    type: str
    fingerprint: bytes
    skip_reason: str | None


def known(connection: Connection, ids: Iterable[EventKey]) -> dict[EventKey, KnownEvent]:
    """Those of these events that were accepted before."""
    found = [KnownEvent(*row) for row in _look_up(connection, list(ids))]
    return {(event.tenant, event.id): event for event in found}


_of_events = events.c
_look_up = Lookup(
    [_of_events.tenant, _of_events.id],
    [_of_events.tenant, _of_events.id, _of_events.key, _of_events.type, _of_events.fingerprint, _of_events.skip_reason],
)
_of_deliveries = deliveries.c
_OF_A_TENANT = f"said.tenant = '{SYSTEM}' OR EXISTS (SELECT FROM tenants WHERE tenants.id = said.tenant FOR KEY SHARE)"
"""Also keeps the tenant until the event is stored. A message or delivery without its event cannot be."""
_add_events = Insert(*(column for column in events.c), where=_OF_A_TENANT)
_add_messages = Insert(messages.c.event, messages.c.tenant, messages.c.content)
_add_deliveries = Insert(
    _of_deliveries.id,
    _of_deliveries.tenant,
    _of_deliveries.event,
    _of_deliveries.type,
    _of_deliveries.recipient,
    _of_deliveries.urgency,
    _of_deliveries.secret,
    _of_deliveries.queue,
    _of_deliveries.state,
    _of_deliveries.claims,
    _of_deliveries.created_at,
    _of_deliveries.due_at,
    _of_deliveries.expires_at,
    _of_deliveries.claim,
    _of_deliveries.lease_until,
)
_add = InsertTogether(_add_events, _add_messages, _add_deliveries)


class EventRow(NamedTuple):
    """An event to be written: the columns of the table, in their order."""

    key: str
    tenant: TenantId
    id: str
    type: str
    occurred_at: int
    accepted_at: int
    fingerprint: bytes
    variables: bytes | None
    template: str | None
    unknown_variables: str | None
    skip_reason: str | None
    erase_at: int | None


class MessageRow(NamedTuple):
    """A sealed message to be written."""

    event: str
    tenant: TenantId
    content: bytes


class DeliveryRow(NamedTuple):
    """A delivery to be written: queued, or in a worker's hands already (`claims` is 1, with claim and lease)."""

    id: str
    tenant: TenantId
    event: str
    type: str
    recipient: str
    urgency: int
    secret: bool
    queue: str
    state: str
    claims: int
    created_at: int
    due_at: int
    expires_at: int
    claim: str | None
    lease_until: int | None


def add(
    connection: Connection,
    accepted: Sequence[EventRow],
    rendered: Sequence[MessageRow],
    to_deliver: Sequence[DeliveryRow],
) -> None:
    """Write events, their messages and their deliveries, many at once."""
    _add(connection, accepted, rendered, to_deliver)


def delivered_to(connection: Connection, keys: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Delivery ids and recipients of these events, in the order in which they were made."""
    rows = connection.execute(
        select(deliveries.c.event, deliveries.c.id, deliveries.c.recipient)
        .where(deliveries.c.event.in_(keys))
        .order_by(deliveries.c.id)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row.event, []).append((row.id, row.recipient))
    return found


def show(connection: Connection, tenant: TenantId, event_id: str) -> AnyRow | None:
    """One event with the name and number of its template revision."""
    return connection.execute(
        select(events, template_revisions.c.number.label("template_number"))
        .join_from(events, template_revisions, template_revisions.c.id == events.c.template, isouter=True)
        .where(events.c.tenant == tenant, events.c.id == event_id)
    ).first()


def page(connection: Connection, tenant: TenantId, kind: str | None, top: int) -> list[AnyRow]:
    """The newest events first, of one type or of all."""
    columns = (events.c.key, events.c.id, events.c.type, events.c.accepted_at, events.c.skip_reason)
    query = select(*columns).where(events.c.tenant == tenant).order_by(events.c.key.desc()).limit(top)
    return list(connection.execute(query if kind is None else query.where(events.c.type == kind)))


def last_of_type(connection: Connection, tenant: TenantId, kind: str) -> AnyRow | None:
    """The newest event of a type that still has its variables, for previews."""
    return connection.execute(
        select(events)
        .where(events.c.tenant == tenant, events.c.type == kind, events.c.variables.is_not(None))
        .order_by(events.c.key.desc())
        .limit(1)
    ).first()


def lock(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Those of these events that no other worker is purging; none will until the transaction ends.

    PostgreSQL's; on SQLite, nobody else writes.
    """
    mine = select(events.c.key).where(events.c.key.in_(keys)).with_for_update(skip_locked=True)
    return list(connection.execute(mine).scalars())


def bite_of(connection: Connection, keys: Sequence[str]) -> Sequence[str]:
    """The first of these events, as many as one commit deletes the messages of."""
    sizes = select(messages.c.event, func.length(messages.c.content).label("octets"))
    found = connection.execute(sizes.where(messages.c.event.in_(keys)))
    octets = {row.event: row.octets for row in found}
    together = accumulate(octets.get(key, 0) for key in keys)
    return keys[: max(1, bisect_right(list(together), HEAVIEST_BITE))]


def erase_skipped(connection: Connection, now: int, limit: int) -> int:
    """Erase the variables of events that sent nothing and whose time has come; returns how many.

    Passes over what another worker is purging at the moment.
    """
    due = select(events.c.key).where(events.c.erase_at <= now).order_by(events.c.erase_at).limit(limit)
    found = connection.execute(due.with_for_update(skip_locked=True)).scalars().all()
    if found:
        connection.execute(events.update().where(events.c.key.in_(found)).values(variables=None, erase_at=None))
    return len(found)


def forget(connection: Connection, before: int, limit: int) -> bool:
    """Delete the oldest events that were over before this time, with all that hangs on them; True when there is more.

    Passes over what another worker is purging.
    """
    still_open = (
        select(deliveries.c.id)
        .where(
            deliveries.c.event == events.c.key, or_(deliveries.c.ended_at.is_(None), deliveries.c.ended_at >= before)
        )
        .correlate(events)
        .exists()
    )
    keys = connection.execute(
        select(events.c.key)
        .where(events.c.accepted_at < before, ~still_open)
        .order_by(events.c.accepted_at)
        .limit(limit)
        .with_for_update(of=events, skip_locked=True)
    ).scalars()
    due = keys.all()
    over = finished(connection, bite_of(connection, due))
    if over:
        _delete(connection, over)
    return bool(over) and (len(due) == limit or len(over) < len(due))


def finished(connection: Connection, keys: Sequence[str]) -> list[str]:
    """Those of these events none of whose deliveries is open; none will be until the transaction ends.

    A delivery that another process is changing counts as open: somebody may be retrying it. It is due at the next look.
    """
    of_them = deliveries.c.event.in_(keys)
    free = connection.execute(
        select(deliveries.c.id, deliveries.c.state).where(of_them).with_for_update(skip_locked=True)
    )
    over = {row.id for row in free if row.state not in OPEN_STATES}
    rows = connection.execute(select(deliveries.c.id, deliveries.c.event).where(of_them))
    not_over = {row.event for row in rows if row.id not in over}
    return [key for key in keys if key not in not_over]


def _delete(connection: Connection, keys: Sequence[str]) -> None:
    """With their messages, deliveries and attempts."""
    of_them = select(deliveries.c.id).where(deliveries.c.event.in_(keys))
    connection.execute(delete(attempts).where(attempts.c.delivery.in_(of_them)))
    connection.execute(delete(deliveries).where(deliveries.c.event.in_(keys)))
    connection.execute(delete(messages).where(messages.c.event.in_(keys)))
    connection.execute(delete(events).where(events.c.key.in_(keys)))
