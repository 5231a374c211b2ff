"""Events as they were accepted. Variables are sealed; they are erased with the message."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, tuple_

from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import AnyRow, attempts, deliveries, events, messages, template_revisions

EventKey = tuple[TenantId, str]
"""Tenant and the sender's event id."""


def known(connection: Connection, ids: Iterable[EventKey]) -> dict[EventKey, AnyRow]:
    """Those of these events that were accepted before: key, fingerprint, type and skip reason."""
    wanted = list(ids)
    if not wanted:
        return {}
    columns = (events.c.tenant, events.c.id, events.c.key, events.c.type, events.c.fingerprint, events.c.skip_reason)
    rows = connection.execute(select(*columns).where(tuple_(events.c.tenant, events.c.id).in_(wanted)))
    return {(TenantId(row.tenant), row.id): row for row in rows}


def add(
    connection: Connection,
    accepted: Sequence[dict[str, Any]],
    rendered: Sequence[dict[str, Any]],
    to_deliver: Sequence[dict[str, Any]],
) -> None:
    """Write events, their messages and their deliveries, many at once."""
    if accepted:
        connection.execute(insert(events), accepted)
    if rendered:
        connection.execute(insert(messages), rendered)
    if to_deliver:
        connection.execute(insert(deliveries), to_deliver)


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


def erase_skipped(connection: Connection, now: int, limit: int) -> int:
    """Erase the variables of events that sent nothing and whose time has come; returns how many."""
    keys = connection.execute(
        select(events.c.key).where(events.c.erase_at <= now).order_by(events.c.erase_at).limit(limit)
    ).scalars()
    found = keys.all()
    if found:
        connection.execute(events.update().where(events.c.key.in_(found)).values(variables=None, erase_at=None))
    return len(found)


def forget(connection: Connection, before: int, limit: int) -> int:
    """Delete the oldest events that were over before this time, with all that hangs on them.

    Returns how many, so that a caller comes back while there is more.
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
    ).scalars()
    found = keys.all()
    if found:
        delete_events(connection, found)
    return len(found)


def delete_events(connection: Connection, keys: Sequence[str]) -> None:
    """Delete these events with their messages, deliveries and attempts."""
    of_them = select(deliveries.c.id).where(deliveries.c.event.in_(keys))
    connection.execute(delete(attempts).where(attempts.c.delivery.in_(of_them)))
    connection.execute(delete(deliveries).where(deliveries.c.event.in_(keys)))
    connection.execute(delete(messages).where(messages.c.event.in_(keys)))
    connection.execute(delete(events).where(events.c.key.in_(keys)))
