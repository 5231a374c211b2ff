"""Record what became of attempts: many in one commit, each only while its claim still stands."""

from collections.abc import Callable, Iterable, Sequence

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import State
from ringpost.storage import outbox
from ringpost.usecases.deliver import erase_at, lost_worker, set_aside
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.record")

BITE = 500
"""Rows in one commit of the sweeper."""


async def record_attempt(room: Room, item: outbox.Recorded) -> bool:
    """Write the attempt and the new state; False when the claim had been lost meanwhile and nothing was written."""
    return await room.database.write_each(_record, room, item)


def _record(connection: Connection, room: Room, items: Sequence[outbox.Recorded]) -> list[bool]:
    return outbox.record(connection, room.clock(), items)


async def recover_lost(room: Room) -> int:
    """Queue again what the worker of a lapsed lease had in hand; set aside what was claimed too often."""
    return await room.database.write(_recover, room)


async def bury(room: Room, dead: Callable[[Iterable[str]], set[str]]) -> None:
    """End the leases of workers that `dead` finds not to be alive, so that `recover_lost` need not wait for them."""
    claims = await room.database.read(outbox.claims_in_force)
    gone = dead({worker_of(claim) for claim in claims})
    if gone:
        lost = [claim for claim in claims if worker_of(claim) in gone]
        await room.database.write(outbox.end_leases, lost, room.clock())
        _log.warning("workers_died", workers=sorted(gone))


def worker_of(claim: str) -> str:
    """The worker in a claim's name, `<worker>-<number>.<what>`."""
    return claim.partition("-")[0]


def _recover(connection: Connection, room: Room) -> int:
    now = room.clock()
    lapsed = outbox.lapsed(connection, now, BITE)
    for item, claims in lapsed:
        if claims < outbox.MOST_CLAIMS:
            outbox.return_lapsed(connection, now, item, lost_worker())
            _log.warning("lease_ran_out", delivery=item.id, tenant=item.tenant, claims=claims)
            continue
        end = erase_at(room, now, secret=item.secret)
        state = State.REJECTED
        ended = outbox.Recorded(item, set_aside(), "", now, 0, state, now, costs_retry=False, erase_at=end)
        outbox.record(connection, now, [ended])
        _log.error("delivery_set_aside", delivery=item.id, tenant=item.tenant, claims=claims)
    return len(lapsed)


async def expire_overdue(room: Room) -> int:
    """End what waited past its time; returns how many."""
    keep_ms = room.options.keep_messages_s * 1000
    return await room.database.write(outbox.expire, room.clock(), keep_ms, BITE)
