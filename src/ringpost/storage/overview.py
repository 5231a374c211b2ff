"""The outbox at a glance, over all tenants, for metrics and `ringpost status`.

What it costs does not grow with what waits: counts end at a bound, the oldest mail of a class is the first entry of an
index, and rates come from tallies that workers keep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from ringpost.domain.deliveries import Party, Urgency, Verdict
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import taking
from ringpost.storage.queues import LANE, SYSTEMS_OWN, is_borrowed
from ringpost.storage.tables import AnyRow, tallies, workers

MOST_COUNTED = 100_000
"""Counts of one class in one state end here; `100,000` means so many or more."""
OLDEST_LOOKED_AT = 2_000
"""Mails of each class that are looked at to find the queues that have waited longest."""
QUEUES_LOOKED_AT = 10_000
"""Queues of each class that are looked at to find the mail that has been due longest."""
NEWEST_LOOKED_AT = 10_000
"""Events that are looked at to find the rate of acceptance."""
WORRYING_S = {Urgency.EMERGENCY: 60, Urgency.ALERT: 15 * 60, Urgency.NORMAL: 60 * 60}
"""The age from which on the oldest mail of a class is something to look after."""
TALLY_MS = 10_000
"""The span that one row of the tallies is about."""
RATES_OVER_MS = 300_000
"""Rates are of the last five minutes."""


@dataclass(frozen=True, slots=True)
class OpenMail:
    """What of one class has not ended."""

    queued: int
    sending: int
    oldest_at: int | None
    """When the oldest of them was accepted; None when there is none."""


@dataclass(frozen=True, slots=True)
class Glance:
    """How full the outbox is, and what holds it up."""

    classes: Mapping[Urgency, OpenMail]
    lanes_on_hold: Mapping[Party, int]
    """How many lanes are on hold, by whose failure it is."""
    queues_over_loan: int
    """Tenants that have used up their share of the system's mail server and wait for their next hour."""
    longest_due_at: int | None
    """Since when the mail has been due that has been due longest, of what nothing keeps from being tried; None when
    there is none."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What happened lately, per minute."""

    accepted: float
    """Events."""
    attempts: Mapping[tuple[Verdict, Party | None], float]


QUEUED = text("""
    SELECT count(*) FROM (
      SELECT 1 FROM deliveries WHERE state = 'queued' AND urgency = :urgency LIMIT :most) AS these""")

OLDEST = text("""
    SELECT created_at FROM deliveries WHERE state = 'queued' AND urgency = :urgency ORDER BY expires_at LIMIT 1""")
"""Within a class all expire after the same time, so the first to expire is the oldest; a retry by hand begins anew."""

SENDING = text("""
    SELECT urgency, count(*) AS number, min(created_at) AS oldest_at FROM (
      SELECT urgency, created_at FROM deliveries WHERE state = 'sending' AND tenant >= '' LIMIT :most) AS these
    GROUP BY urgency""")
"""Workers have few slots, so there is never much of it. `tenant >= ''` is always true and names the index."""

QUEUES = text("""
    SELECT queue, count(*) AS number, min(created_at) AS oldest_at FROM (
      SELECT queue, created_at FROM deliveries
      WHERE state = 'queued' AND urgency = :urgency ORDER BY expires_at LIMIT :most) AS these
    GROUP BY queue""")

ACCEPTED = text("""
    SELECT count(*) AS number, min(accepted_at) AS first_at FROM (
      SELECT accepted_at FROM events WHERE accepted_at > :since ORDER BY accepted_at DESC LIMIT :most) AS these""")

_FIRST = "(SELECT min(queue) FROM deliveries WHERE state = 'queued' AND {} AND queue >= {{first}}) <= {{last}}"
_QUEUED = " OR ".join(
    [
        *(_FIRST.format(f"NOT deferred AND urgency = {urgency.value}") for urgency in Urgency),
        _FIRST.format("deferred"),
    ]
)
"""Whether something of these queues is queued: a step into an index for each part."""
_SENT_NOW = "FROM deliveries WHERE state = 'sending' AND tenant >= ''"
"""All that is being sent now, which may be the probe."""

WAITS = text(
    f"SELECT {_QUEUED.format(first=':queue', last=':queue')} OR EXISTS (SELECT 1 {_SENT_NOW} AND queue = :queue)"
)

_HELD = f"""
    FROM (
      SELECT holds.*, CASE WHEN lane = 'system' THEN 'system:' ELSE lane END AS first,
             CASE WHEN lane = 'system' THEN 'system;' ELSE lane END AS last
      FROM holds) AS these
    WHERE {_QUEUED.format(first="these.first", last="these.last")} OR lane IN (
      SELECT queue {_SENT_NOW}
      UNION SELECT {LANE} {_SENT_NOW})
    """  # noqa: S608  constants
"""Holds that keep something waiting: one whose mail has ended otherwise stays until its next probe finds nothing."""
HOLDS = text(f"SELECT * {_HELD} ORDER BY since, lane LIMIT :most")
WHOSE = text(f"SELECT lane, party {_HELD} LIMIT :most")


def glance(connection: Connection) -> Glance:
    """How full the outbox is, and what holds it up."""
    sending = {row.urgency: row for row in connection.execute(SENDING, {"most": MOST_COUNTED})}
    lanes, queues = _holds(connection)
    classes = {urgency: _open_mail(connection, urgency, sending.get(urgency)) for urgency in Urgency}
    return Glance(classes, lanes, queues, _longest_due_at(connection))


def _open_mail(connection: Connection, urgency: Urgency, sending: AnyRow | None) -> OpenMail:
    queued = connection.execute(QUEUED, {"urgency": urgency, "most": MOST_COUNTED}).scalar() or 0
    oldest = [connection.execute(OLDEST, {"urgency": urgency}).scalar(), sending.oldest_at if sending else None]
    return OpenMail(
        queued, sending.number if sending else 0, min((at for at in oldest if at is not None), default=None)
    )


def _holds(connection: Connection) -> tuple[dict[Party, int], int]:
    """Lanes on hold by whose failure it is, and queues on hold by themselves."""
    lanes: dict[Party, int] = dict.fromkeys((Party.MAIL_SERVER, Party.CONFIGURATION, Party.NETWORK), 0)
    queues = 0
    for row in connection.execute(WHOSE, {"most": MOST_COUNTED}):
        if is_borrowed(row.lane):
            queues += 1
        else:
            lanes[Party(row.party)] = lanes.get(Party(row.party), 0) + 1
    return lanes, queues


def _longest_due_at(connection: Connection) -> int | None:
    """It may be in the future, when everything waits for its time."""
    look = {"after": "", "width": QUEUES_LOOKED_AT}
    due = [connection.execute(taking.LONGEST_DUE, {**look, "urgency": urgency}).scalar() for urgency in Urgency]
    deferred = connection.exec_driver_sql(taking.FIRST_DEFERRED).scalar()
    return min((at for at in (*due, deferred) if at is not None), default=None)


def longest_waiting(connection: Connection, limit: int) -> list[tuple[str, int, int]]:
    """Queues with most among the oldest waiting mails of each class: queue, how many, when the oldest was accepted."""
    found: dict[str, tuple[int, int]] = {}
    for urgency in Urgency:
        for row in connection.execute(QUEUES, {"urgency": urgency, "most": OLDEST_LOOKED_AT}):
            number, oldest = found.get(row.queue, (0, row.oldest_at))
            found[row.queue] = number + row.number, min(oldest, row.oldest_at)
    ranked = sorted(((queue, *rest) for queue, rest in found.items()), key=lambda row: (-row[1], row[2], row[0]))
    return ranked[:limit]


def held(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Lanes and queues on hold that something waits in, with their reason, those held longest first."""
    return connection.execute(HOLDS, {"most": limit}).all()


def something_waits(connection: Connection, queue: str) -> bool:
    """Whether a queue has mail that has not ended."""
    return bool(connection.execute(WAITS, {"queue": queue}).scalar())


def rates(connection: Connection, now: int, over_ms: int = RATES_OVER_MS) -> Rates:
    """What happened in the last `over_ms` milliseconds that have been tallied to the end, per minute."""
    accepted = connection.execute(ACCEPTED, {"since": now - over_ms, "most": NEWEST_LOOKED_AT}).one()
    span = over_ms if accepted.number < NEWEST_LOOKED_AT else max(1, now - accepted.first_at)
    end = now - now % TALLY_MS
    query = (
        select(tallies.c.verdict, tallies.c.party, func.sum(tallies.c.count).label("number"))
        .where(tallies.c.since >= end - over_ms, tallies.c.since < end)
        .group_by(tallies.c.verdict, tallies.c.party)
    )
    return Rates(
        accepted.number * 60_000 / span,
        {
            (Verdict(row.verdict), Party(row.party) if row.party else None): row.number * 60_000 / over_ms
            for row in connection.execute(query)
        },
    )


def workers_alive(connection: Connection, now: int) -> Sequence[AnyRow]:
    """Workers that have shown a sign of life lately, by host and age."""
    query = select(workers).where(workers.c.until > now).order_by(workers.c.host, workers.c.since, workers.c.name)
    return connection.execute(query).all()


def tenant_of(lane: str) -> str | None:
    """Whose the mail of a lane or queue is; None for the system level's own and for the lane that it lends."""
    if is_borrowed(lane):
        return lane.partition(":")[2]
    return None if lane in (SYSTEM, SYSTEMS_OWN) else lane
