"""Claim due deliveries, with all that is needed to try them. The claim is on disk before anything is sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import outbox
from ringpost.storage import settings as settings_rows
from ringpost.usecases.deliver import Work
from ringpost.usecases.room import Room

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
        claimed += taken
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
    tenants: set[TenantId] = {item.tenant for item in claimed}
    servers = {tenant: settings_rows.mail_server_in_force(connection, room.sealer, tenant) for tenant in tenants}
    failures = outbox.failures_of(connection, sorted({item.lane for item in claimed}))
    return [Work(item, contents.get(item.event), servers[item.tenant], failures.get(item.lane, 0)) for item in claimed]
