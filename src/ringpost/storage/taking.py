"""The statements that take deliveries out of the outbox. PostgreSQL passes over what others take at the same moment."""

import json
import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, TextClause, text

from ringpost.domain.deliveries import Urgency
from ringpost.storage.queues import LANE
from ringpost.storage.tables import AnyRow

_ON_THE_RING = "state = 'queued' AND NOT deferred AND urgency = :urgency"
_RING = f"""
    WITH RECURSIVE ring(queue, n) AS (
      SELECT (SELECT min(queue) FROM deliveries WHERE {_ON_THE_RING} AND queue > :after), 1
      UNION ALL
      SELECT (SELECT min(queue) FROM deliveries WHERE {_ON_THE_RING} AND queue > ring.queue), n + 1
      FROM ring WHERE queue IS NOT NULL AND n < :width)"""
_HELD = f"""
    EXISTS (SELECT 1 FROM holds WHERE lane IN (queue, {LANE}))"""

RING = text(f"{_RING} SELECT queue, {_HELD} AS held FROM ring WHERE queue IS NOT NULL")
"""The next queues of one class that have mail on the ring, each found by one look into the index."""

LONGEST_DUE = text(f"""
    {_RING}
    SELECT min((SELECT min(due_at) FROM deliveries WHERE {_ON_THE_RING} AND queue = ring.queue AND due_at > 0))
    FROM ring WHERE queue IS NOT NULL AND (:urgency = {Urgency.EMERGENCY.value} OR NOT {_HELD})""")
"""Since when the mail has been due that has been due longest, of what a claim would take; two looks for each queue.

What is retried by hand goes first by a time of 0, which does not tell how long it has been due.
"""

_CLAIM = "UPDATE deliveries SET state = 'sending', deferred = false, claim = :claim, lease_until = :lease_until, \
claims = claims + 1"
_CLAIM_HERE = _CLAIM.replace(":claim", "?").replace(":lease_until", "?")
_CLAIMED = "deliveries.id, tenant, event, recipient, urgency, secret, queue, attempts, retries, created_at, expires_at"

_TAKE_HERE = "SELECT id FROM (SELECT id FROM deliveries WHERE state = 'queued' AND NOT deferred AND urgency = ? \
AND queue = ? ORDER BY due_at LIMIT ?)"
_TAKE_SIDE_BY_SIDE = text(f"""
    WITH ring AS (SELECT key AS queue, value::bigint AS share FROM jsonb_each_text(CAST(:shares AS jsonb))),
    taken AS MATERIALIZED (
      SELECT mine.id
      FROM ring CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'queued' AND NOT deferred AND urgency = :urgency AND queue = ring.queue COLLATE "C"
        ORDER BY due_at LIMIT ring.share
        FOR UPDATE SKIP LOCKED) AS mine)
    {_CLAIM}
    FROM taken WHERE deliveries.id = taken.id
    RETURNING {_CLAIMED}""")


def take(
    connection: Connection, claim: str, lease_until: int, shares: Mapping[str, int], urgency: int
) -> Sequence[AnyRow]:
    """Claim what is due first of each queue in `shares` (queue -> how many). On SQLite, a LIMIT must be a parameter.

    All that is on the ring is due, whatever its time says: the clock may have been ahead when it came there.
    """
    if connection.dialect.name == "postgresql":
        values = {"claim": claim, "lease_until": lease_until, "shares": json.dumps(dict(shares))}
        return connection.execute(_TAKE_SIDE_BY_SIDE, {**values, "urgency": urgency}).all()
    due = " UNION ALL ".join([_TAKE_HERE] * len(shares))
    where = [value for queue, share in shares.items() for value in (urgency, queue, share)]
    return connection.exec_driver_sql(
        f"{_CLAIM_HERE} WHERE id IN ({due}) RETURNING {_CLAIMED}", (claim, lease_until, *where)
    ).all()


QUEUES_OF_LANE = text(f"""
    WITH RECURSIVE ring(queue, n) AS (
      SELECT (SELECT min(queue) FROM deliveries WHERE {_ON_THE_RING} AND queue >= :first AND queue <= :last), 1
      UNION ALL
      SELECT (SELECT min(queue) FROM deliveries WHERE {_ON_THE_RING} AND queue > ring.queue AND queue <= :last), n + 1
      FROM ring WHERE queue IS NOT NULL AND n < :width)
    SELECT queue FROM ring WHERE queue IS NOT NULL""")
"""The queues of one lane, and of one class, that have mail on the ring; the first ones, each found by one look."""

_IN_LINE = f"FROM deliveries WHERE {_ON_THE_RING} AND queue = :queue"
WITHIN = 1000
"""How many mails to look at for a probe, however many there are."""


def _untried(what: str, since: str, order: str) -> str:
    near = f"SELECT id, attempts, due_at {_IN_LINE} AND {since} ORDER BY due_at {order} LIMIT {WITHIN}"
    return f"(SELECT {what} FROM ({near}) AS near WHERE attempts = 0 ORDER BY due_at {order} LIMIT 1)"


_LINE = text(
    f"SELECT {_untried('due_at', 'due_at > 0', 'ASC')} AS first, {_untried('due_at', 'due_at > 0', 'DESC')} AS last"
)
_GOLDEN_RATIO = 0.6180339887
"""Steps of so much of a line, begun anew at its end, come close to each place in it, and seldom back to one."""


def somewhere_untried(connection: Connection, of: Mapping[str, int | str], turn: int) -> int | None:
    """A time since which mail of a queue and class may have been due untried, another each turn; None without any.

    By when it came and not by how much it is: much came at one time.
    """
    line = connection.execute(_LINE, of).one()
    times = [at for at in (line.first, line.last) if at is not None]
    return min(times) + math.ceil(turn * _GOLDEN_RATIO % 1 * (max(times) - min(times))) if times else None


_ON_LANE = "queue >= :first AND queue <= :last"
_PROBE = f"""
    {_CLAIM}
    WHERE id =
      (SELECT id FROM deliveries
       WHERE state = 'queued' AND urgency = :urgency AND {{}}
       ORDER BY due_at LIMIT 1{{}})
      AND state = 'queued'
    RETURNING {_CLAIMED}"""


def _side_by_side(statement: str, *others: str) -> dict[str, TextClause]:
    """By dialect; on PostgreSQL, its last gap is filled with passing over what others are changing."""
    return {
        "sqlite": text(statement.format(*others, "")),
        "postgresql": text(statement.format(*others, " FOR UPDATE SKIP LOCKED")),
    }


PROBE_DUE = _side_by_side(_PROBE, "NOT deferred AND queue = :queue")
"""The one of a queue that has been due longest; its lane is on hold."""
PROBE_UNTRIED = _side_by_side(_PROBE, f"NOT deferred AND id = {_untried('id', 'due_at >= :since', 'ASC')}")
"""One that was never tried, of the first that have been due since a time or since later."""
PROBE_DEFERRED = _side_by_side(
    _PROBE,
    f"""deferred AND id =
        (SELECT id FROM
          (SELECT id, urgency, due_at FROM deliveries WHERE state = 'queued' AND deferred AND {_ON_LANE} LIMIT {WITHIN})
          AS near
         WHERE urgency = :urgency ORDER BY due_at LIMIT 1)""",
)
"""One of a lane that waits for its time: the next, of as many as are looked at."""

OPEN_ON_LANE = text(f"""
    SELECT 1 WHERE
      EXISTS (SELECT 1 FROM deliveries WHERE state = 'sending' AND {_ON_LANE})
      OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued' AND deferred AND {_ON_LANE})
      OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued' AND NOT deferred
        AND urgency IN ({", ".join(str(urgency.value) for urgency in Urgency)}) AND {_ON_LANE})""")
"""Whether anything of a lane has not ended, whoever is changing it; each part has an index of its own."""

FIRST_DEFERRED = "SELECT min(due_at) FROM deliveries WHERE state = 'queued' AND deferred"

_BRING = """
    UPDATE deliveries SET deferred = false
    WHERE id IN (
      SELECT id FROM deliveries WHERE state = 'queued' AND deferred AND due_at <= :now
      ORDER BY due_at LIMIT :limit{})"""

BRING_DUE = _side_by_side(_BRING)
