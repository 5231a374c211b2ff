"""Leases: what a worker has in hand is its own while it renews them, and goes back into the outbox when it is lost."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, text, update

from ringpost.domain.deliveries import Outcome, State, Urgency
from ringpost.storage.bulk import among
from ringpost.storage.outbox import Claimed, from_row, put_off_probes
from ringpost.storage.outcomes import Recorded, attempt_row
from ringpost.storage.tables import attempts, deliveries, holds

MOST_CLAIMS = 5
"""A delivery that was claimed so often without an outcome breaks its workers, unless others are as suspicious."""

SUSPICIOUS_CLAIMS = 3
"""What was claimed so often without an outcome may be what breaks the workers of those beside it."""

SKEW_MS = 5_000
"""How much the clocks of the machines differ at most when all is well."""


def renew(connection: Connection, claims: Sequence[str], probes: Sequence[Claimed], lease_until: int) -> None:
    """A worker's heartbeat: put off the end of its leases, and of the holds of the lanes that it probes."""
    put_off_probes(connection, lease_until, probes)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.state == State.SENDING, among(connection, deliveries.c.claim, claims))
        .values(lease_until=lease_until)
    )


def leases(connection: Connection) -> list[tuple[str, int]]:
    """All claims under which something is being sent, and until when their leases run."""
    columns = deliveries.c.claim, deliveries.c.lease_until
    rows = connection.execute(select(*columns).where(deliveries.c.state == State.SENDING).distinct())
    return [(row.claim, row.lease_until) for row in rows]


def held_under(connection: Connection, claims: Sequence[str], limit: int) -> list[tuple[Claimed, int]]:
    """What is being sent under these claims, each with how often it was claimed since its last outcome.

    Emergencies first, then what was claimed most often and, of that, what was claimed last: a lease that was renewed
    since ends sooner than one that began after that.
    """
    most_suspicious = deliveries.c.claims.desc(), deliveries.c.lease_until.desc(), deliveries.c.id
    rows = connection.execute(
        select(deliveries)
        .where(*_held_under(connection, claims))
        .order_by(deliveries.c.urgency != Urgency.EMERGENCY, *most_suspicious)
        .limit(limit)
    ).all()
    return [(from_row(row, row.claim), row.claims) for row in rows]


class Suspects(NamedTuple):
    """How much of what is being sent under some claims may be what breaks its workers."""

    slight: int
    """Claimed twice without an outcome, or more often: with these, a worker was lost before."""
    strong: int
    """Of these, claimed SUSPICIOUS_CLAIMS times or more often."""


def suspects(connection: Connection, claims: Sequence[str]) -> Suspects:
    """Count what was in the hands of lost workers before."""
    slight, strong = (func.count().filter(deliveries.c.claims >= times) for times in (2, SUSPICIOUS_CLAIMS))
    row = connection.execute(select(slight, strong).where(*_held_under(connection, claims))).one()
    return Suspects(*row)


def _held_under(connection: Connection, claims: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return deliveries.c.state == State.SENDING, among(connection, deliveries.c.claim, claims)


def return_lost(connection: Connection, item: Claimed, outcome: Outcome, *, due_at: int, at: int, claims: int) -> None:
    """Queue a delivery again whose worker was lost, with an attempt that says so; `claims` is how often that was."""
    values = {
        "state": State.QUEUED.value,
        "claim": None,
        "lease_until": None,
        "attempts": item.attempts + 1,
        "claims": claims,
        "due_at": due_at,
        "deferred": due_at > at,
    }
    done = connection.execute(
        update(deliveries).where(deliveries.c.id == item.id, deliveries.c.claim == item.claim).values(**values)
    )
    if done.rowcount:
        lost = Recorded(item, outcome, "", at, 0, State.QUEUED, due_at, costs_retry=False)
        connection.execute(insert(attempts), [attempt_row(lost)])


def pull_back(connection: Connection, now: int, longest_ms: int) -> int:
    """After the clock was set back: what would wait longer than anything may is due now, and holds are probed now.

    So are emergencies that were tried last, and holds that began, at a time that is still to come: they are few enough
    to be looked at one by one. Leases stay as they are: when one is over shows in that nobody renews it. Returns how
    many deliveries had been put off too far.
    """
    to_come, far = now + SKEW_MS, now + longest_ms + SKEW_MS
    connection.execute(update(holds).where(or_(holds.c.until > far, holds.c.since > to_come)).values(until=now))
    last = attempts.c.delivery == deliveries.c.id, attempts.c.number == deliveries.c.attempts
    tried_later = select(attempts.c.delivery).where(*last, attempts.c.started_at > to_come).exists()
    waits = update(deliveries).where(text("state = 'queued' AND deferred")).values(due_at=now, deferred=False)
    late = connection.execute(waits.where(deliveries.c.due_at > far))
    urgent = connection.execute(waits.where(deliveries.c.urgency == Urgency.EMERGENCY, tried_later))
    return late.rowcount + urgent.rowcount
