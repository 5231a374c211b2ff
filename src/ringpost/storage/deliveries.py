"""Deliveries as people see them: lists, one with its attempts, and what may be done by hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, TextClause, and_, select, text, update

from ringpost.domain.addresses import parse_address
from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.errors import Invalid, NotFound, WrongState
from ringpost.storage import bell
from ringpost.storage.queues import lane_of, queue_of
from ringpost.storage.tables import AnyRow, attempts, deliveries, events, holds, messages

MOST_ON_A_PAGE = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries to list, the newest first; None does not filter."""

    state: State | None = None
    recipient: str | None = None
    """The address; its domain may be written in any way."""
    event: str | None = None
    """The sender's event id."""
    top: int = 50
    skip: int = 0


def page(connection: Connection, tenant: TenantId, wanted: Filter) -> Sequence[AnyRow]:
    """One page of a tenant's deliveries with their last attempt."""
    query = _with_last_attempt().where(deliveries.c.tenant == tenant)
    if wanted.state is not None:
        query = query.where(in_state(wanted.state))
    if wanted.recipient is not None:
        query = query.where(deliveries.c.recipient.in_(_spellings(wanted.recipient)))
    if wanted.event is not None:
        query = query.where(events.c.tenant == tenant, events.c.id == wanted.event)
    return connection.execute(query.order_by(deliveries.c.id.desc()).limit(wanted.top).offset(wanted.skip)).all()


def in_state(state: State) -> TextClause:
    """In words that the planner finds in the conditions of the indexes: one has what is being sent, one the rest."""
    among = "" if state is State.SENDING else " AND deliveries.state <> 'sending'"
    return text(f"deliveries.state = '{state.value}'{among}")


def show(connection: Connection, tenant: TenantId, delivery: str) -> AnyRow:
    """One delivery with its last attempt. Raises NotFound."""
    row = connection.execute(
        _with_last_attempt().where(deliveries.c.tenant == tenant, deliveries.c.id == delivery)
    ).first()
    if row is None:
        raise NotFound("There is no such delivery.")
    return row


def owner_of(connection: Connection, delivery: str) -> TenantId:
    """Whose delivery it is, for who may see them all. Raises NotFound."""
    owner = connection.execute(select(deliveries.c.tenant).where(deliveries.c.id == delivery)).scalar_one_or_none()
    if owner is None:
        raise NotFound("There is no such delivery.")
    return owner


def rows_of(connection: Connection, tenant: TenantId, ids: Sequence[str]) -> list[AnyRow]:
    """These deliveries with their last attempts, the newest first."""
    query = _with_last_attempt().where(deliveries.c.tenant == tenant, deliveries.c.id.in_(ids))
    return list(connection.execute(query.order_by(deliveries.c.id.desc())).all()) if ids else []


def content_of(connection: Connection, tenant: TenantId, event: str) -> bytes | None:
    """The sealed message of the event with this key; None when it has been erased."""
    return connection.execute(
        select(messages.c.content).where(messages.c.event == event, messages.c.tenant == tenant)
    ).scalar()


def attempts_of(connection: Connection, tenant: TenantId, delivery: str) -> Sequence[AnyRow]:
    """Every attempt at a delivery, the first first."""
    query = select(attempts).where(attempts.c.tenant == tenant, attempts.c.delivery == delivery)
    return connection.execute(query.order_by(attempts.c.number)).all()


def hold_of(connection: Connection, queue: str) -> AnyRow | None:
    """Why a queue waits: its lane's server fails, or it has used up its share of it. None when it does not wait."""
    return holds_of(connection, [queue]).get(queue)


def holds_of(connection: Connection, queues: Collection[str]) -> dict[str, AnyRow]:
    """Why each of these queues waits, in one query; those that do not wait are left out."""
    lanes = {lane for queue in queues for lane in (lane_of(queue), queue)}
    if not lanes:
        return {}
    held = {row.lane: row for row in connection.execute(select(holds).where(holds.c.lane.in_(sorted(lanes))))}
    found = {queue: held.get(lane_of(queue), held.get(queue)) for queue in queues}
    return {queue: row for queue, row in found.items() if row is not None}


def next_try(row: AnyRow) -> int:
    """When a delivery that has not ended is due, as it may be shown: after a retry by hand it is since 1970."""
    return max(row.due_at, row.created_at)


def retry(connection: Connection, tenant: TenantId, delivery: str, now: int, expires_at: int, queue: str) -> None:
    """Queue it once more, before all others of its queue; a hold of the tenant's own lane is probed with it at once.

    What had ended goes on in `queue`: that of its own may be of a mail server that is long out of force.

    Raises NotFound, WrongState (sent, being sent, or its message is erased).
    """
    row = _current(connection, tenant, delivery)
    state = State(row.state)
    if state in (State.SENT, State.SENDING):
        raise WrongState("It was sent already." if state is State.SENT else "It is being sent at this moment.")
    if not _message_is_kept(connection, row.event):
        raise WrongState(
            "Its message has been erased, so there is nothing to send. Send the event again with a new id."
        )
    values: dict[str, Any] = {"due_at": 0, "deferred": False}
    if state is not State.QUEUED:  # a second life, with a whole retry schedule
        values |= {
            "state": State.QUEUED,
            "queue": queue,
            "ended_at": None,
            "erase_at": None,
            "expires_at": expires_at,
            "retries": 0,
            "claims": 0,
        }
    _change(connection, delivery, state, values)
    own = holds.c.lane == queue_of(tenant, own_server=True)
    connection.execute(update(holds).where(own, holds.c.until > now).values(until=now))
    bell.ring(connection)


def cancel(connection: Connection, tenant: TenantId, delivery: str, now: int, erase_at: int) -> bool:
    """End a delivery that waits; False when it was cancelled already, which changes nothing.

    Raises NotFound, WrongState (it has ended in another way, or is being sent).
    """
    state = State(_current(connection, tenant, delivery).state)
    if state is State.CANCELLED:
        return False
    if state is not State.QUEUED:
        raise WrongState(f"It cannot be cancelled, because it is {state}.")
    _change(connection, delivery, state, {"state": State.CANCELLED, "ended_at": now, "erase_at": erase_at})
    return True


def _with_last_attempt() -> Select[Any]:
    last = and_(attempts.c.delivery == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
    details = [
        column.label(f"attempt_{column.key}") for column in attempts.c if column.key not in ("delivery", "tenant")
    ]
    return (
        select(deliveries, events.c.id.label("event_id"), *details)
        .join_from(deliveries, events, events.c.key == deliveries.c.event)
        .join(attempts, last, isouter=True)
    )


def _spellings(recipient: str) -> set[str]:
    """How an address may have been kept: as it is, and as `accept_events` writes it."""
    try:
        return {recipient, parse_address(recipient).canonical}
    except Invalid:
        return {recipient}


def _current(connection: Connection, tenant: TenantId, delivery: str) -> AnyRow:
    """Its state, which stays so until the end of the transaction: no worker of another machine claims it meanwhile."""
    row = connection.execute(
        select(deliveries.c.state, deliveries.c.event)
        .where(deliveries.c.tenant == tenant, deliveries.c.id == delivery)
        .with_for_update(of=deliveries)
    ).first()
    if row is None:
        raise NotFound("There is no such delivery.")
    return row


def _message_is_kept(connection: Connection, event: str) -> bool:
    """A query of its own: one that had to wait for the delivery would answer as of when it began to wait."""
    return connection.execute(select(messages.c.event).where(messages.c.event == event)).first() is not None


def _change(connection: Connection, delivery: str, state: State, values: dict[str, Any]) -> None:
    connection.execute(
        update(deliveries).where(deliveries.c.id == delivery, deliveries.c.state == state).values(**values)
    )
