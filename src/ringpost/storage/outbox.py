"""The outbox: deliveries that have not ended, and how a worker takes them and says what became of them.

A *queue* is one tenant's mail on one *lane* (one mail server): `<tenant>` for the tenant's own, `system:<tenant>` when
it borrows the system's. The system level's own mail has a lane of its own, so that what keeps borrowers waiting (it is
not lent any more) does not keep the operator's alerts waiting. A claim walks round the ring of queues, so that no
tenant waits behind another's flood. A lane whose server fails is on *hold*: its queues are passed over, but for one
probe at a time.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from ringpost.domain.deliveries import Outcome, State, Urgency
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.tables import AnyRow, attempts, deliveries, events, holds, messages

MOST_CLAIMS = 5
"""A delivery that was claimed so often without an outcome breaks its workers; it is set aside."""

_BORROWED = f"{SYSTEM}:"
SYSTEMS_OWN = "system-own"
"""Queue and lane of the system level's own mail; no tenant's id has a hyphen."""


def queue_of(tenant: TenantId, *, own_server: bool) -> str:
    """The queue of a tenant that has, or has not, a mail server of its own."""
    if tenant == SYSTEM:
        return SYSTEMS_OWN
    return tenant if own_server else _BORROWED + tenant


def is_borrowed(queue: str) -> bool:
    """Whether a tenant's mail goes through the system's server."""
    return queue.startswith(_BORROWED)


def lane_of(queue: str) -> str:
    """The lane of a queue: the tenant's id, or `system`."""
    return queue.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in a worker's hands."""

    id: str
    tenant: TenantId
    event: str
    recipient: str
    urgency: Urgency
    secret: bool
    queue: str
    attempts: int
    retries: int
    created_at: int
    expires_at: int
    claim: str
    probe: bool = False
    """It tries out a lane that is on hold."""

    @property
    def lane(self) -> str:
        """The lane whose server is tried."""
        return lane_of(self.queue)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker asks for: at most `limit` due deliveries of one urgency, of each queue `room_for(queue)`."""

    name: str
    """Unique for ever; the fence."""
    now: int
    lease_until: int
    urgency: Urgency
    limit: int
    room_for: Callable[[str], int]
    after: str
    """Where on the ring of queues the last claim ended; empty to start."""


# Taking --------------------------------------------------------------------------------------------------------------

_RING = text("""
    WITH RECURSIVE ring(queue, n) AS (
      SELECT (SELECT min(queue) FROM deliveries
              WHERE state = 'queued' AND urgency = :urgency AND queue > :after), 1
      UNION ALL
      SELECT (SELECT min(queue) FROM deliveries
              WHERE state = 'queued' AND urgency = :urgency AND queue > ring.queue), n + 1
      FROM ring WHERE queue IS NOT NULL AND n < :width)
    SELECT queue, EXISTS (SELECT 1 FROM holds WHERE lane IN
             (queue, CASE WHEN queue LIKE 'system:%' THEN 'system' ELSE queue END)) AS held
    FROM ring WHERE queue IS NOT NULL""")

_WIDTH = 64
"""Queues looked at in one claim."""

_TAKE = text("""
    UPDATE deliveries SET state = 'sending', claim = :claim, lease_until = :lease_until, claims = claims + 1
    WHERE id IN (
      SELECT id FROM (
        SELECT due.id AS id, ring.value AS share,
               row_number() OVER (PARTITION BY ring.key ORDER BY due.due_at) AS place
        FROM json_each(:shares) AS ring
        JOIN deliveries AS due ON due.id IN (
          SELECT id FROM deliveries
          WHERE state = 'queued' AND urgency = :urgency AND queue = ring.key AND due_at <= :now
          ORDER BY due_at LIMIT :limit))
      WHERE place <= share ORDER BY place LIMIT :limit)
    RETURNING id, tenant, event, recipient, urgency, secret, queue, attempts, retries, created_at, expires_at""")


def claim(connection: Connection, wanted: Claim) -> tuple[list[Claimed], str]:
    """Take due deliveries, walking round the ring of queues; returns them and where the walk ended.

    An end of `""` means that the ring was walked to its last queue. Lanes on hold are passed over, except for class
    emergency, whose mail is tried on its own schedule whatever the lane says.
    """
    ring = connection.execute(_RING, {"urgency": wanted.urgency, "after": wanted.after, "width": _WIDTH}).all()
    if not ring:
        return [], ""
    end = ring[-1].queue if len(ring) == _WIDTH else ""
    free = [row.queue for row in ring if not row.held or wanted.urgency is Urgency.EMERGENCY]
    shares = {queue: share for queue in free if (share := wanted.room_for(queue)) > 0}
    if not shares:
        return [], end
    rows = connection.execute(
        _TAKE,
        {
            "claim": wanted.name,
            "lease_until": wanted.lease_until,
            "shares": json.dumps(shares),
            "urgency": wanted.urgency,
            "now": wanted.now,
            "limit": wanted.limit,
        },
    ).all()
    return [_claimed(row, wanted.name) for row in rows], end


_PROBE = text("""
    UPDATE deliveries SET state = 'sending', claim = :claim, lease_until = :lease_until, claims = claims + 1
    WHERE id = (
      SELECT id FROM deliveries
      WHERE state = 'queued' AND urgency = :urgency AND queue >= :first AND queue <= :last
      ORDER BY due_at LIMIT 1)
    RETURNING id, tenant, event, recipient, urgency, secret, queue, attempts, retries, created_at, expires_at""")


def claim_probes(connection: Connection, wanted: Claim) -> list[Claimed]:
    """Take one delivery of each lane whose hold is due for a probe: the most urgent, and of those the one due first.

    The hold is put off to the end of the lease first, so that no second worker probes the same lane.
    """
    due = select(holds.c.lane).where(holds.c.until <= wanted.now).order_by(holds.c.until).limit(wanted.limit)
    lanes = connection.execute(
        update(holds)
        .where(holds.c.lane.in_(due.scalar_subquery()))
        .values(until=wanted.lease_until)
        .returning(holds.c.lane)
    ).scalars()
    probes: list[Claimed] = []
    for lane in lanes.all():
        if is_borrowed(lane):  # a tenant's hour is over: there is nothing to try out
            connection.execute(delete(holds).where(holds.c.lane == lane))
            continue
        first, last = _queues_of(lane)
        for urgency in Urgency:
            row = connection.execute(
                _PROBE,
                {
                    "claim": wanted.name,
                    "lease_until": wanted.lease_until,
                    "urgency": urgency,
                    "first": first,
                    "last": last,
                },
            ).first()
            if row is not None:
                probes.append(_claimed(row, wanted.name, probe=True))
                break
        else:
            connection.execute(delete(holds).where(holds.c.lane == lane))  # nothing waits: nothing to hold
    return probes


def contents(connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """The sealed messages of these events."""
    if not keys:
        return {}
    rows = connection.execute(select(messages.c.event, messages.c.content).where(messages.c.event.in_(keys)))
    return {row.event: row.content for row in rows}


def content_sizes(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """How many bytes the sealed messages of these events have; reads none of them."""
    size = func.length(messages.c.content)
    rows = connection.execute(select(messages.c.event, size.label("size")).where(messages.c.event.in_(keys)))
    return {row.event: row.size for row in rows}


def next_due(connection: Connection) -> int | None:
    """When the next delivery or probe is due (ms), for a worker that has nothing to do; None when nothing waits."""
    return connection.execute(select(func.min(deliveries.c.due_at)).where(deliveries.c.state == State.QUEUED)).scalar()


def _claimed(row: AnyRow, name: str, *, probe: bool = False) -> Claimed:
    return Claimed(
        id=row.id,
        tenant=row.tenant,
        event=row.event,
        recipient=row.recipient,
        urgency=Urgency(row.urgency),
        secret=bool(row.secret),
        queue=row.queue,
        attempts=row.attempts,
        retries=row.retries,
        created_at=row.created_at,
        expires_at=row.expires_at,
        claim=name,
        probe=probe,
    )


# Saying what became of it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
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
    """Another queue to go on in; None for the same."""


_MARK = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("b_id"), deliveries.c.claim == bindparam("b_claim"))
    .values(
        state=bindparam("b_state"),
        due_at=bindparam("b_due_at"),
        queue=bindparam("b_queue"),
        attempts=bindparam("b_attempts"),
        retries=bindparam("b_retries"),
        claims=0,
        claim=None,
        lease_until=None,
        sent_at=bindparam("b_sent_at"),
        ended_at=bindparam("b_ended_at"),
        erase_at=bindparam("b_erase_at"),
    )
)


def record(connection: Connection, now: int, items: Sequence[Recorded]) -> list[bool]:
    """Write attempts and new states; an item counts only while its claim is still the delivery's (the fence).

    Returns for each item whether it counted.
    """
    marked = connection.execute(_MARK, [_mark(item, now) for item in items])
    ours = [marked.rowcount == len(items) or _is_marked(connection, item) for item in items]
    kept = [item for item, good in zip(items, ours, strict=True) if good]
    if kept:
        connection.execute(insert(attempts), [_attempt(item) for item in kept])
        _erase_secrets(connection, kept)
        _hold_or_release(connection, now, kept)
    return ours


def _mark(item: Recorded, now: int) -> dict[str, Any]:
    claimed, ended = item.claimed, item.state is not State.QUEUED
    return {
        "b_id": claimed.id,
        "b_claim": claimed.claim,
        "b_state": item.state.value,
        "b_due_at": item.due_at,
        "b_queue": item.queue or claimed.queue,
        "b_attempts": claimed.attempts + 1,
        "b_retries": claimed.retries + item.costs_retry,
        "b_sent_at": now if item.state is State.SENT else None,
        "b_ended_at": now if ended else None,
        "b_erase_at": item.erase_at,
    }


def _is_marked(connection: Connection, item: Recorded) -> bool:
    """Whether the mark hit: the delivery counts one attempt more than are written."""
    written = select(func.count()).select_from(attempts)
    row = connection.execute(
        select(
            deliveries.c.attempts,
            deliveries.c.state,
            written.where(attempts.c.delivery == deliveries.c.id).scalar_subquery().label("written"),
        ).where(deliveries.c.id == item.claimed.id)
    ).first()
    return row is not None and row.attempts == item.claimed.attempts + 1 == row.written + 1


def _attempt(item: Recorded) -> dict[str, Any]:
    outcome, claimed = item.outcome, item.claimed
    return {
        "delivery": claimed.id,
        "number": claimed.attempts + 1,
        "tenant": claimed.tenant,
        "started_at": item.started_at,
        "duration_ms": item.duration_ms,
        "server": item.server,
        "verdict": outcome.verdict.value,
        "stage": outcome.stage.value,
        "party": outcome.party.value if outcome.party else None,
        "code": outcome.code,
        "enhanced_code": outcome.enhanced_code,
        "reply": outcome.reply,
        "hint": outcome.hint,
        "ambiguous": outcome.ambiguous,
    }


def _erase_secrets(connection: Connection, items: Sequence[Recorded]) -> None:
    done = {item.claimed.event for item in items if item.claimed.secret and item.state is not State.QUEUED}
    if done:
        erase(connection, sorted(done))


def erase(connection: Connection, keys: Sequence[str]) -> int:
    """Erase messages and variables of these events where none of their deliveries is open; returns how many."""
    still_open = select(deliveries.c.event).where(
        deliveries.c.event.in_(keys), deliveries.c.state.in_([State.QUEUED, State.SENDING])
    )
    not_over = set(connection.execute(still_open).scalars())
    over = [key for key in keys if key not in not_over]
    if over:
        connection.execute(delete(messages).where(messages.c.event.in_(over)))
        connection.execute(update(events).where(events.c.key.in_(over)).values(variables=None))
        connection.execute(update(deliveries).where(deliveries.c.event.in_(over)).values(erase_at=None))
    return len(over)


def _hold_or_release(connection: Connection, now: int, items: Sequence[Recorded]) -> None:
    failed: dict[str, Recorded] = {}
    for item in items:
        if item.hold_for_ms is not None and (item.claimed.probe or item.claimed.lane not in failed):
            failed[item.claimed.lane] = item
    good = {item.claimed.lane for item in items if _server_answered(item)} - failed.keys()
    if good:
        connection.execute(delete(holds).where(holds.c.lane.in_(sorted(good))))
    for lane, item in failed.items():
        held = connection.execute(select(holds).where(holds.c.lane == lane)).first()
        if held is not None and not item.claimed.probe:
            continue  # others of the same failure; the hold stands
        why = {key: value for key, value in _attempt(item).items() if key in holds.c}
        until = now + (item.hold_for_ms or 0)
        if held is None:
            connection.execute(insert(holds).values(lane=lane, since=now, until=until, failures=1, **why))
        else:
            connection.execute(
                update(holds).where(holds.c.lane == lane).values(until=until, failures=held.failures + 1, **why)
            )


def _server_answered(item: Recorded) -> bool:
    """Whether the lane works; what failed before its server was asked says nothing about it."""
    return item.hold_for_ms is None and (item.outcome.code is not None or item.state is State.SENT)


def failures_of(connection: Connection, lanes: Sequence[str]) -> dict[str, int]:
    """How often in a row the probes of these lanes have failed."""
    rows = connection.execute(select(holds.c.lane, holds.c.failures).where(holds.c.lane.in_(lanes)))
    return {row.lane: row.failures for row in rows}


def hold_queue(connection: Connection, queue: str, now: int, until: int, why: Outcome) -> None:
    """Let one tenant's queue wait, whatever its lane does."""
    values = {"party": why.party, "stage": why.stage.value, "reply": why.reply, "hint": why.hint}
    connection.execute(delete(holds).where(holds.c.lane == queue))
    connection.execute(insert(holds).values(lane=queue, since=now, until=until, failures=0, **values))


def on_hold(connection: Connection, lanes: Sequence[str]) -> set[str]:
    """Those of these lanes whose server fails."""
    if not lanes:
        return set()
    return set(connection.execute(select(holds.c.lane).where(holds.c.lane.in_(lanes))).scalars())


def release_hold(connection: Connection, lane: str, now: int) -> None:
    """Let all mail of a lane go at once, because its settings have changed: also what waited for another try."""
    connection.execute(delete(holds).where(holds.c.lane == lane))
    first, last = _queues_of(lane)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.state == State.QUEUED, deliveries.c.queue.between(first, last), deliveries.c.due_at > now)
        .values(due_at=now)
    )


def _queues_of(lane: str) -> tuple[str, str]:
    """The first and the last queue that may be on a lane."""
    return (_BORROWED, f"{SYSTEM};") if lane == SYSTEM else (lane, lane)


def move_queue(connection: Connection, tenant: TenantId, *, own_server: bool) -> None:
    """The tenant has got, or lost, a mail server of its own: what waits goes on through the one now in force."""
    old, new = queue_of(tenant, own_server=not own_server), queue_of(tenant, own_server=own_server)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.state == State.QUEUED, deliveries.c.queue == old, deliveries.c.tenant == tenant)
        .values(queue=new)
    )


# Leases and ends ------------------------------------------------------------------------------------------------------


def renew(connection: Connection, claims: Sequence[str], probed: Sequence[str], lease_until: int) -> None:
    """A worker's heartbeat: put off the end of its leases, and of the holds of the lanes that it probes."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.state == State.SENDING, deliveries.c.claim.in_(claims))
        .values(lease_until=lease_until)
    )
    if probed:
        connection.execute(update(holds).where(holds.c.lane.in_(probed)).values(until=lease_until))


def give_back(connection: Connection, items: Sequence[Claimed]) -> None:
    """Put deliveries that were claimed but never tried back, as if they had not been claimed."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == bindparam("b_id"), deliveries.c.claim == bindparam("b_claim"))
        .values(state=State.QUEUED.value, claim=None, lease_until=None, claims=deliveries.c.claims - 1),
        [{"b_id": item.id, "b_claim": item.claim} for item in items],
    )


def leases(connection: Connection) -> list[tuple[str, int]]:
    """All claims under which something is being sent, and until when their leases run."""
    columns = deliveries.c.claim, deliveries.c.lease_until
    rows = connection.execute(select(*columns).where(deliveries.c.state == State.SENDING).distinct())
    return [(row.claim, row.lease_until) for row in rows]


def held_under(connection: Connection, claims: Sequence[str], limit: int) -> list[tuple[Claimed, int]]:
    """What is being sent under these claims, each with how often it was claimed since its last outcome."""
    rows = connection.execute(
        select(deliveries).where(deliveries.c.state == State.SENDING, deliveries.c.claim.in_(claims)).limit(limit)
    ).all()
    return [(_claimed(row, row.claim), row.claims) for row in rows]


def return_lost(connection: Connection, item: Claimed, outcome: Outcome, *, due_at: int, at: int, claims: int) -> None:
    """Queue a delivery again whose worker was lost, with an attempt that says so; `claims` is how often that was."""
    values = {
        "state": State.QUEUED.value,
        "claim": None,
        "lease_until": None,
        "attempts": item.attempts + 1,
        "claims": claims,
        "due_at": due_at,
    }
    done = connection.execute(
        update(deliveries).where(deliveries.c.id == item.id, deliveries.c.claim == item.claim).values(**values)
    )
    if done.rowcount:
        lost = Recorded(item, outcome, "", at, 0, State.QUEUED, due_at, costs_retry=False)
        connection.execute(insert(attempts), [_attempt(lost)])


def pull_back(connection: Connection, now: int, longest_ms: int) -> int:
    """After the clock was set back: what would wait longer than anything may is due now, and holds are probed now."""
    far = now + longest_ms
    connection.execute(update(holds).where(holds.c.until > far).values(until=now))
    late = (deliveries.c.state == State.QUEUED) & (deliveries.c.due_at > far)
    return connection.execute(update(deliveries).where(late).values(due_at=now)).rowcount


def expire(connection: Connection, now: int, erase_after_ms: int, limit: int) -> int:
    """End what waited past its time; returns how many, so that a caller comes back while there is more."""
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.state == State.QUEUED, deliveries.c.expires_at <= now)
        .order_by(deliveries.c.expires_at)
        .limit(limit)
    )
    rows = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), deliveries.c.state == State.QUEUED)
        .values(state=State.EXPIRED.value, ended_at=now, erase_at=now + erase_after_ms)
        .returning(deliveries.c.event, deliveries.c.secret)
    ).all()
    secret = sorted({row.event for row in rows if row.secret})
    if secret:
        erase(connection, secret)
    return len(rows)


def due_for_erasure(connection: Connection, now: int, limit: int) -> list[str]:
    """Events whose message may go now: the time of a delivery has come, and none of the event's is open."""
    others = deliveries.alias()
    still_open = select(others.c.id).where(others.c.event == deliveries.c.event, others.c.ended_at.is_(None)).exists()
    keys = connection.execute(
        select(deliveries.c.event)
        .where(deliveries.c.erase_at <= now, ~still_open)
        .order_by(deliveries.c.erase_at)
        .limit(limit)
    ).scalars()
    return sorted(set(keys))
