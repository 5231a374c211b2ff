"""The outbox: deliveries that have not ended, and how a worker takes them.

A claim walks round the ring of queues, so that no tenant waits behind another's flood. On the ring is what is due; what
waits for its time is *deferred*, and comes back when that has come. A lane whose server fails is on *hold*: its queues
are passed over, but for one probe at a time. What becomes of a claimed delivery: `outcomes`; what
keeps it claimed: `leases`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, TextClause, bindparam, case, delete, func, select, update

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import taking
from ringpost.storage.bulk import among
from ringpost.storage.queues import is_borrowed, lane_of, queues_of
from ringpost.storage.tables import AnyRow, deliveries, holds, messages

_PROBE = ".probe"
"""How the claims of probes end, so that what is stored tells what they are."""


class Claimed(NamedTuple):
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

    @property
    def probe(self) -> bool:
        """Whether it tries out a lane that is on hold."""
        return self.claim.endswith(_PROBE)

    @property
    def lane(self) -> str:
        """The lane whose server is tried."""
        return lane_of(self.queue)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker asks for: at most `limit` due deliveries of one urgency, of each queue what `share_out` gives."""

    name: str
    """Unique for ever; the fence."""
    now: int
    lease_until: int
    urgency: Urgency
    limit: int
    share_out: Callable[[Sequence[str]], dict[str, int]]
    """Says how many each of the queues that wait may take."""
    after: str
    """Where on the ring of queues the last claim ended; empty to start."""
    ready: Sequence[str] = ()
    """Queues to look at whatever part of the ring it is: something waits there, and there is room for it again."""


_WIDTH = 64
"""Queues looked at in one claim."""


_BITE = 1000
"""Deferred deliveries that come back in one claim, at most."""


def bring_due(connection: Connection, now: int) -> None:
    """Put deferred deliveries whose time has come back on the ring."""
    due = connection.exec_driver_sql(taking.FIRST_DEFERRED).scalar()
    if due is not None and due <= now:
        connection.execute(taking.BRING_DUE[connection.dialect.name], {"now": now, "limit": _BITE})


def claim(connection: Connection, wanted: Claim) -> tuple[list[Claimed], str]:
    """Take due deliveries, walking round the ring of queues; returns them and where the walk ended.

    An end of `""` means that it saw the whole ring; one that is not behind where it began, that it came round. Lanes on
    hold are passed over, except for class emergency, whose mail is tried on its own schedule whatever the lane says.
    """
    ring = _walk(connection, wanted.urgency, wanted.after)
    end = ring[-1].queue if len(ring) == _WIDTH else ""
    ready = sorted({*wanted.ready}.difference(row.queue for row in ring))
    if not ring and not ready:
        return [], end
    held = {row.queue for row in ring if row.held} | _held(connection, ready)
    queues = [*(row.queue for row in ring), *ready]
    free = [queue for queue in queues if queue not in held or wanted.urgency is Urgency.EMERGENCY]
    shares = _within(wanted.share_out(free), wanted.limit)
    if not shares:
        return [], end
    rows = taking.take(connection, wanted.name, wanted.lease_until, shares, wanted.urgency.value)
    return [from_row(row, wanted.name) for row in rows], end


def _walk(connection: Connection, urgency: Urgency, after: str) -> list[AnyRow]:
    """The next part of the ring. After the last queue come the first ones, so that each is seen among as many others.

    Else those of a short last part would get more than all others.
    """

    def part(after: str, width: int) -> list[AnyRow]:
        return list(connection.execute(taking.RING, {"urgency": urgency, "after": after, "width": width}))

    ring = part(after, _WIDTH)
    if after and len(ring) < _WIDTH:
        ring += [row for row in part("", _WIDTH - len(ring)) if row.queue <= after]
    return ring


def _held(connection: Connection, queues: Sequence[str]) -> set[str]:
    """Those of these queues that are on hold, or whose lane is."""
    if not queues:
        return set()
    lanes = {*queues, *map(lane_of, queues)}
    found = set(connection.execute(select(holds.c.lane).where(holds.c.lane.in_(sorted(lanes)))).scalars())
    return {queue for queue in queues if queue in found or lane_of(queue) in found}


def _within(shares: dict[str, int], limit: int) -> dict[str, int]:
    """No more than the limit in all, and every queue gets one before any gets two."""
    while sum(shares.values()) > limit:
        even = max(1, limit // len(shares))
        shares = {queue: min(share, even) for queue, share in [*shares.items()][:limit]}
    return {queue: share for queue, share in shares.items() if share > 0}


def claim_probes(connection: Connection, wanted: Claim) -> list[Claimed]:
    """Take one delivery of each lane whose hold is due for a probe.

    The hold is put off to the end of the lease first, so that no second worker probes the same lane.
    """
    due = select(holds.c.lane).where(holds.c.until <= wanted.now).order_by(holds.c.until).limit(wanted.limit)
    lanes = connection.execute(
        update(holds)
        .where(holds.c.lane.in_(due.scalar_subquery()), holds.c.until <= wanted.now)
        .values(until=wanted.lease_until)
        .returning(holds.c.lane, holds.c.failures)
    )
    probes: list[Claimed] = []
    for lane, failures in lanes.all():
        if is_borrowed(lane):  # a tenant's hour is over: there is nothing to try out
            connection.execute(delete(holds).where(holds.c.lane == lane))
        elif (probe := _claim_probe(connection, wanted, lane, failures)) is not None:
            probes.append(probe)
        elif not _is_open(connection, lane):  # nothing waits and nothing is tried: nothing to hold
            connection.execute(delete(holds).where(holds.c.lane == lane))
    return probes


def _claim_probe(connection: Connection, wanted: Claim, lane: str, failures: int) -> Claimed | None:
    """The most urgent that is due, and of those of a queue the one due first; else of what waits for its time.

    After each failure another class comes first, and after a round of classes another queue: it may be that the server
    only hangs up on the most urgent mail, or on one tenant's. Every second time it is one that was never tried, from
    another place in line each time: it may hang up on many, and what it would take stands behind them, or among them.
    """
    rounds, turn = divmod(failures - 1, len(Urgency))
    classes = [*Urgency][turn:] + [*Urgency][:turn]
    first, last = queues_of(lane)
    name = wanted.name + _PROBE

    def take(statement: Mapping[str, TextClause], **where: int | str) -> Claimed | None:
        values = {"claim": name, "lease_until": wanted.lease_until, **where}
        row = connection.execute(statement[connection.dialect.name], values).first()
        return None if row is None else from_row(row, name)

    for urgency in classes:
        of_lane = {"urgency": urgency, "first": first, "last": last, "width": _WIDTH}
        queues = connection.execute(taking.QUEUES_OF_LANE, of_lane).scalars().all()
        if not queues:
            continue
        where = {"urgency": urgency, "queue": queues[rounds % len(queues)]}
        if failures % 2 == 0:
            since = taking.somewhere_untried(connection, where, failures // 2)
            if since is not None and (untried := take(taking.PROBE_UNTRIED, **where, since=since)):
                return untried
        if due := take(taking.PROBE_DUE, **where):
            return due
    deferred = (take(taking.PROBE_DEFERRED, urgency=urgency, first=first, last=last) for urgency in classes)
    return next(filter(None, deferred), None)


def _is_open(connection: Connection, lane: str) -> bool:
    """Whether there is mail of the lane: in hand, it will tell about its server, which has failed so often before.

    What waits was not found when others were just changing it, and is the next probe if they leave it.
    """
    first, last = queues_of(lane)
    return connection.execute(taking.OPEN_ON_LANE, {"first": first, "last": last}).first() is not None


def give_back(connection: Connection, now: int, items: Sequence[Claimed]) -> None:
    """Put deliveries that were claimed but never tried back, as if they had not been claimed."""
    end_probes(connection, now, items)
    connection.execute(
        update(deliveries)
        .where(*_still_claimed)
        .values(
            state=State.QUEUED.value,
            claim=None,
            lease_until=None,
            claims=deliveries.c.claims - 1,
            deferred=deliveries.c.due_at > now,  # a probe may be of what waits for its time
        ),
        [_marks(item) for item in items],
    )


def end_probes(connection: Connection, now: int, items: Sequence[Claimed]) -> None:
    """Call it before the claims end. Those that are probes end unheard, so their lanes may be probed again at once."""
    put_off_probes(connection, now, items)


def put_off_probes(connection: Connection, until: int, items: Sequence[Claimed]) -> None:
    """Call it before the leases are renewed. The lanes of those that are probes are probed again at that time.

    A hold that does not end with the probe's lease any more is about something else: another
    worker probes the lane, or it has failed anew.
    """
    probes = [{**_marks(item), "b_lane": item.lane} for item in items if item.probe]
    if probes:
        lease = select(deliveries.c.lease_until).where(*_still_claimed).scalar_subquery()
        mine = holds.c.lane == bindparam("b_lane"), holds.c.until == lease
        connection.execute(update(holds).where(*mine).values(until=until), probes)


def put_on_queues(connection: Connection, items: Sequence[Claimed]) -> None:
    """These go through another server than that of the queue that they were claimed from."""
    where = [{**_marks(item), "b_queue": item.queue} for item in items]
    if where:
        connection.execute(update(deliveries).where(*_still_claimed).values(queue=bindparam("b_queue")), where)


_still_claimed = deliveries.c.id == bindparam("b_id"), deliveries.c.claim == bindparam("b_claim")


def _marks(item: Claimed) -> dict[str, str]:
    return {"b_id": item.id, "b_claim": item.claim}


def contents(connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """The sealed messages of these events."""
    if not keys:
        return {}
    rows = connection.execute(_CONTENTS.where(among(connection, messages.c.event, keys)))
    return {row.event: row.content for row in rows}


_SMALL = 64 * 1024
_CONTENTS = select(messages.c.event, messages.c.content)
_SIZE = func.length(messages.c.content)
_SMALL_CONTENTS = select(
    messages.c.event, _SIZE.label("size"), case((_SIZE <= _SMALL, messages.c.content)).label("content")
)


def small_contents(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
    """How many bytes the sealed messages of these events have, and those of at most 64 KiB; the others are not read."""
    rows = connection.execute(_SMALL_CONTENTS.where(among(connection, messages.c.event, keys)))
    return {row.event: (row.size, row.content) for row in rows}


def from_row(row: AnyRow, name: str) -> Claimed:
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
    )
