"""What became of claimed deliveries: attempts and new states, many at once, and what they mean for their lanes.

A lane whose server fails is put on *hold* until its next probe; any answer of the server releases it.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import compress
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, delete, func, insert, literal_column, or_, select, text, update

from ringpost.domain.deliveries import Outcome, State, Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import bell
from ringpost.storage.bulk import Insert, RowValues, Update, UpdateWithInsert, ask
from ringpost.storage.events import finished
from ringpost.storage.outbox import Claimed, end_probes
from ringpost.storage.queues import LANE, MOVED_AT_ONCE, SYSTEMS_OWN, lane_of, queues_of
from ringpost.storage.tables import attempts, deliveries, events, holds, messages


class Recorded(NamedTuple):
    """What a worker has to say about one delivery: the attempt, and where the delivery goes from here."""

    claimed: Claimed
    outcome: Outcome
    server: str
    started_at: int
    duration_ms: int
    state: State
    due_at: int
    """When to try again; without meaning when the delivery has ended."""
    costs_retry: bool
    """False for a failure of the lane, which costs its mail no place in the retry schedule."""
    hold_for_ms: int | None = None
    """How long the lane waits before the next probe."""
    erase_at: int | None = None
    """When the message may go; None while the delivery is open."""
    queue: str | None = None
    """Another queue to go on in; None for the one that it is in now, which may not be that of the claim any more."""
    endpoint: Endpoint | None = None
    """What was tried; None when there was nothing to send through."""
    of_before: bool = False
    """It is about a mail server that is not in force any more, and so says nothing about its lane."""


_of = deliveries.c
_mark = Update(
    [_of.id, _of.claim],
    [
        _of.state,
        _of.due_at,
        _of.deferred,
        _of.attempts,
        _of.retries,
        _of.sent_at,
        _of.ended_at,
        _of.erase_at,
    ],
    unless_none=[_of.queue],
    also="claims = 0, claim = NULL, lease_until = NULL",
)
_write_attempts = Insert(*(column for column in attempts.c))
_FEW_HOLDS = 100
_SOME_HOLDS = f"SELECT lane FROM holds LIMIT {_FEW_HOLDS}"  # noqa: S608  constants
_record_and_ask = UpdateWithInsert(
    _mark, _write_attempts, key=_of.id, refers_to_it=attempts.c.delivery, question=_SOME_HOLDS
)


def record(
    connection: Connection, now: int, items: Sequence[Recorded], in_force: Callable[[Recorded], bool] = lambda _: True
) -> list[bool]:
    """Write attempts and new states; an item counts only while its claim is still the delivery's (the fence).

    Returns for each item whether it counted. `in_force` says whether it is about the mail server that its lane has now;
    it is asked where an answer would release a lane.
    """
    if silent := [item.claimed for item in items if item.claimed.probe and _is_over_unheard(item)]:
        end_probes(connection, now, silent)
    ours, some_holds = _mark_and_write(connection, now, items)
    kept = [item for item, good in zip(items, ours, strict=True) if good]
    if kept:
        _erase_secrets(connection, kept)
        _hold_or_release(connection, now, kept, in_force, some_holds)
    return ours


def _mark_and_write(
    connection: Connection, now: int, items: Sequence[Recorded]
) -> tuple[list[bool], Sequence[str] | None]:
    """Which of them counted, and some of what is on hold where that was told at the same time."""
    marks, written = [_marked(item, now) for item in items], [_attempt(item) for item in items]
    if connection.dialect.name == "postgresql":
        hit, some_holds = _record_and_ask(connection, marks, written)
        return [item.claimed.id in hit for item in items], some_holds
    count = _mark(connection, marks)
    ours = [count == len(items) or _is_marked(connection, item) for item in items]
    _write_attempts(connection, list(compress(written, ours)))
    return ours, None


def _marked(item: Recorded, now: int) -> RowValues:
    claimed, ended = item.claimed, item.state is not State.QUEUED
    return (
        claimed.id,
        claimed.claim,
        str(item.state),
        item.due_at,
        not ended and item.due_at > now,
        claimed.attempts + 1,
        claimed.retries + item.costs_retry,
        now if item.state is State.SENT else None,
        now if ended else None,
        item.erase_at,
        item.queue,
    )


def _is_marked(connection: Connection, item: Recorded) -> bool:
    """Whether the mark hit: the delivery counts one attempt more than are written."""
    written = select(func.count()).select_from(attempts)
    row = connection.execute(
        select(
            deliveries.c.attempts,
            written.where(attempts.c.delivery == deliveries.c.id).scalar_subquery().label("written"),
        ).where(deliveries.c.id == item.claimed.id)
    ).first()
    return row is not None and row.attempts == item.claimed.attempts + 1 == row.written + 1


def attempt_row(item: Recorded) -> dict[str, Any]:
    """As the table has it."""
    return dict(zip(attempts.c.keys(), _attempt(item), strict=True))


def _attempt(item: Recorded) -> RowValues:
    """In the order of the table's columns."""
    outcome, claimed = item.outcome, item.claimed
    return (
        claimed.id,
        claimed.attempts + 1,
        claimed.tenant,
        item.started_at,
        item.duration_ms,
        item.server,
        str(outcome.verdict),
        str(outcome.stage),
        str(outcome.party) if outcome.party else None,
        outcome.code,
        outcome.enhanced_code,
        outcome.reply,
        outcome.hint,
        outcome.ambiguous,
        outcome.dialogue or None,
    )


def _erase_secrets(connection: Connection, items: Sequence[Recorded]) -> None:
    done = {item.claimed.event for item in items if item.claimed.secret and item.state is not State.QUEUED}
    if done:
        erase(connection, sorted(done))


def erase(connection: Connection, keys: Sequence[str]) -> None:
    """Erase messages and variables of these events where none of their deliveries is open."""
    over = finished(connection, keys)
    if over:
        connection.execute(delete(messages).where(messages.c.event.in_(over)))
        connection.execute(update(events).where(events.c.key.in_(over)).values(variables=None))
        connection.execute(update(deliveries).where(deliveries.c.event.in_(over)).values(erase_at=None))


def due_for_erasure(connection: Connection, now: int, limit: int) -> list[str]:
    """Events whose message may go now: the time of all their deliveries has come, and none is open."""
    others = deliveries.alias()
    needs_it = or_(others.c.ended_at.is_(None), others.c.erase_at > now)
    still_open = select(others.c.id).where(others.c.event == deliveries.c.event, needs_it).exists()
    keys = connection.execute(
        select(deliveries.c.event)
        .where(deliveries.c.erase_at <= now, ~still_open)
        .order_by(deliveries.c.erase_at)
        .limit(limit)
    ).scalars()
    return sorted(set(keys))


def expire(connection: Connection, now: int, erase_after_ms: int, limit: int) -> int:
    """End what waited past its time; returns how many, so that a caller comes back while there is more.

    What was never tried is tried first, unless its server is known to fail: a clock that is ahead must not end all.
    """
    held = select(holds.c.lane).where(holds.c.lane.in_([deliveries.c.queue, literal_column(LANE)])).exists()
    keep_until = now + erase_after_ms
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.state == State.QUEUED,
            deliveries.c.urgency.in_(list(Urgency)),
            deliveries.c.expires_at <= now,
            or_(deliveries.c.attempts > 0, held),
        )
        .limit(limit)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    rows = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), deliveries.c.state == State.QUEUED)
        .values(state=State.EXPIRED.value, ended_at=now, erase_at=case((deliveries.c.secret, now), else_=keep_until))
        .returning(deliveries.c.event, deliveries.c.secret)
    ).all()
    secret = sorted({row.event for row in rows if row.secret})
    if secret:
        erase(connection, secret)
    return len(rows)


def _hold_or_release(
    connection: Connection,
    now: int,
    items: Sequence[Recorded],
    in_force: Callable[[Recorded], bool],
    some_holds: Sequence[str] | None,
) -> None:
    failed: dict[str, Recorded] = {}
    for item in items:
        if item.hold_for_ms is not None and (item.claimed.probe or item.claimed.lane not in failed):
            failed[item.claimed.lane] = item
    answered = [item for item in items if _server_answered(item)]
    good = {lane_of(queue) for queue in {item.claimed.queue for item in answered}} - failed.keys()
    if held := on_hold(connection, good, some_holds):
        _release_by_answers(connection, [item for item in answered if item.claimed.lane in held], in_force)
    for lane, item in failed.items():
        held = connection.execute(select(holds).where(holds.c.lane == lane)).first()
        if held is not None and not item.claimed.probe:
            continue  # others of the same failure; the hold stands
        why = {key: value for key, value in attempt_row(item).items() if key in holds.c}
        until = now + (item.hold_for_ms or 0)
        if held is None:
            connection.execute(insert(holds).values(lane=lane, since=now, until=until, failures=1, **why))
        else:
            connection.execute(
                update(holds).where(holds.c.lane == lane).values(until=until, failures=held.failures + 1, **why)
            )


def _release_by_answers(
    connection: Connection, answered: Sequence[Recorded], in_force: Callable[[Recorded], bool]
) -> None:
    good = set[str]()
    for item in answered:
        if item.claimed.lane not in good and in_force(item):
            good.add(item.claimed.lane)
    if good:
        connection.execute(delete(holds).where(holds.c.lane.in_(sorted(good))))


def _server_answered(item: Recorded) -> bool:
    """Whether the lane works; what failed before its server was asked says nothing about it."""
    said = item.outcome.code is not None or item.state is State.SENT
    return said and item.hold_for_ms is None and not item.of_before


def _is_over_unheard(item: Recorded) -> bool:
    """Whether the mail ended by its own fault, and nothing was heard of its server.

    What is tried again is left out: it would be the next probe, at once, and again.
    """
    return item.state is not State.QUEUED and not _server_answered(item)


def failures_of(connection: Connection, lanes: Sequence[str]) -> dict[str, int]:
    """How often in a row the probes of these lanes have failed."""
    rows = connection.execute(select(holds.c.lane, holds.c.failures).where(holds.c.lane.in_(lanes)))
    return {row.lane: row.failures for row in rows}


def hold_queue(connection: Connection, queue: str, now: int, until: int, why: Outcome) -> None:
    """Let one tenant's queue wait, whatever its lane does."""
    values = {"party": why.party, "stage": why.stage.value, "reply": why.reply, "hint": why.hint}
    connection.execute(delete(holds).where(holds.c.lane == queue))
    connection.execute(insert(holds).values(lane=queue, since=now, until=until, failures=0, **values))


def release_queues(connection: Connection, queues: Sequence[str]) -> None:
    """Let tenants' queues that waited by themselves go on."""
    connection.execute(delete(holds).where(holds.c.lane.in_(queues)))


_CHANGES_AND_HOLDS = f"SELECT count, NULL FROM changes UNION ALL SELECT NULL, lane FROM ({_SOME_HOLDS}) AS few"  # noqa: S608  constants


def look_around(connection: Connection) -> tuple[int, list[str]]:
    """In one query, the count of changes (`standing`) and some of what is on hold, for `on_hold`."""
    rows = ask(connection, _CHANGES_AND_HOLDS)
    (count,) = (count for count, lane in rows if lane is None)
    return count, [lane for _, lane in rows if lane is not None]


def on_hold(connection: Connection, lanes: Collection[str], some: Sequence[str] | None = None) -> set[str]:
    """Those of these lanes and queues that wait; `some` are the holds that were found just before, if they were."""
    few = [lane for (lane,) in ask(connection, _SOME_HOLDS)] if some is None else some
    if len(few) < _FEW_HOLDS:  # those are all
        return {lane for lane in few if lane in lanes}
    return set(connection.execute(select(holds.c.lane).where(holds.c.lane.in_(sorted(lanes)))).scalars())


def release(connection: Connection, owner: TenantId, now: int) -> None:
    """Let all mail of an owner's server go, because its settings have changed: also what waited for another try.

    Of a tenant's that waited, only as much as one write has room for; see `queues.left_behind`.
    """
    for lane in (owner, SYSTEMS_OWN) if owner == SYSTEM else (owner,):
        connection.execute(delete(holds).where(holds.c.lane == lane))
        first, last = queues_of(lane)
        waited = (text("state = 'queued' AND deferred"), deliveries.c.queue.between(first, last))
        if owner != SYSTEM:
            some = select(deliveries.c.id).where(*waited).limit(MOVED_AT_ONCE)
            waited = (*waited, deliveries.c.id.in_(connection.scalars(some).all()))
        connection.execute(update(deliveries).where(*waited).values(due_at=now, deferred=False))
    bell.ring(connection)
