"""Claim due deliveries, with all that is needed to try them. The claim is on disk before anything is sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import outbox
from ringpost.storage import settings as settings_rows
from ringpost.storage.sealing import SealBroken
from ringpost.storage.settings import ServerInForce
from ringpost.usecases.deliver import Work
from ringpost.usecases.lend_server import lend_server
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.claim")

PROBES = 32
"""Lanes on hold that are probed at once, at most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker can take on now."""

    name: str
    """Of the claim; unique for ever."""
    lease_ms: int
    slots: int
    """Free for any class."""
    emergency_slots: int
    """Free for class emergency; more than `slots`, because some are kept for it."""
    room_for: Callable[[str], int]
    """How many more mails of a queue the worker takes on."""


class Ring:
    """Where the last claim of each class ended, so that the next one goes on from there."""

    def __init__(self) -> None:
        self._after = dict.fromkeys(Urgency, "")

    async def claim_deliveries(self, room: Room, wanted: Wanted) -> tuple[list[Work], bool]:
        """Take what is due, the urgent first. The flag tells whether there may be more at once."""
        works, ends = await room.database.write(_claim, room, wanted, dict(self._after))
        self._after = ends
        return works, bool(works) or any(ends.values())


def _claim(
    connection: Connection, room: Room, wanted: Wanted, after: dict[Urgency, str]
) -> tuple[list[Work], dict[Urgency, str]]:
    now = room.clock()
    claimed: list[outbox.Claimed] = []
    ends = dict(after)
    for urgency in Urgency:
        free = wanted.emergency_slots if urgency is Urgency.EMERGENCY else wanted.slots
        if free <= len(claimed):
            continue
        claim = outbox.Claim(
            f"{wanted.name}.{urgency.value}",
            now,
            now + wanted.lease_ms,
            urgency,
            free - len(claimed),
            wanted.room_for,
            after[urgency],
        )
        taken, ends[urgency] = outbox.claim(connection, claim)
        claimed += lend_server(connection, room, taken)
    if len(claimed) < wanted.slots:
        claimed += outbox.claim_probes(connection, _probes(wanted, now, min(PROBES, wanted.slots - len(claimed))))
    return _with_all_they_need(connection, room, claimed), ends


def _probes(wanted: Wanted, now: int, limit: int) -> outbox.Claim:
    return outbox.Claim(
        f"{wanted.name}.probe", now, now + wanted.lease_ms, Urgency.EMERGENCY, limit, wanted.room_for, ""
    )


def _with_all_they_need(connection: Connection, room: Room, claimed: Sequence[outbox.Claimed]) -> list[Work]:
    if not claimed:
        return []
    contents = outbox.contents(connection, sorted({item.event for item in claimed}))
    ways = {way: _server(connection, room, *way) for way in {_way(item) for item in claimed}}
    with_servers = [(_on_its_queue(item, ways[_way(item)]), ways[_way(item)]) for item in claimed]
    failures = outbox.failures_of(connection, sorted({item.lane for item, _ in with_servers}))
    spare = settings_rows.system_server_offered(connection) if _has_emergency(claimed) else False
    return [
        Work(
            item,
            contents.get(item.event),
            server,
            failures.get(item.lane, 0),
            can_fall_over=spare and item.urgency is Urgency.EMERGENCY and not outbox.is_borrowed(item.queue),
        )
        for item, server in with_servers
    ]


def _has_emergency(claimed: Sequence[outbox.Claimed]) -> bool:
    return any(item.urgency is Urgency.EMERGENCY for item in claimed)


def _way(item: outbox.Claimed) -> tuple[TenantId, bool]:
    """Whose mail it is, and whether it is an emergency that has fallen over to the system's server."""
    return item.tenant, item.urgency is Urgency.EMERGENCY and outbox.is_borrowed(item.queue)


def _server(connection: Connection, room: Room, tenant: TenantId, fell_over: bool) -> ServerInForce | None:
    """The mail server to try; None when there is none, or when its password does not open, which stops nobody else."""
    hosts = room.options.provider_hosts
    try:
        system = settings_rows.borrowed_server(connection, room.sealer, tenant, hosts) if fell_over else None
        return system or settings_rows.mail_server_in_force(connection, room.sealer, tenant, hosts)
    except SealBroken:
        _log.error("settings_do_not_open", tenant=tenant)
        return None


def _on_its_queue(item: outbox.Claimed, server: ServerInForce | None) -> outbox.Claimed:
    """On the queue of the server that it goes through; settings may have changed since it was queued."""
    if server is None:
        return item
    queue = outbox.queue_of(item.tenant, own_server=server.lane != SYSTEM)
    return item if queue == item.queue else replace(item, queue=queue)
