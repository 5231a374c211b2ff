"""Recover what lost workers had in hand, and what a stopping one leaves: queued again, or set aside."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import SYSTEM
from ringpost.storage import leases, outbox, outcomes, settings
from ringpost.usecases.deliver import erase_at, lost_worker, set_aside
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.recover_lost")

BITE: Final = 500
"""Mails in one commit."""
APART_MS: Final = 200
"""The time between mails that come back the second time; each further time it is APART_FACTOR times as long."""
APART_FACTOR: Final = 5
LONGEST_MS: Final = 60_000
"""When the last of them is back, unless they were claimed too often; then it is TOO_OFTEN_LONGEST_MS."""
TOO_OFTEN_LONGEST_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """What lost workers had in hand."""

    claims: frozenset[str] = frozenset()
    """Under which there was something."""
    set_aside: int = 0
    """How many mails of it were claimed too often, and have ended."""
    deliveries: int = 0
    """How many mails it was in all."""
    back_ms: int = 0
    """How long from now the next suspect waits until it comes back."""


async def recover_lost(room: Room, claims: Collection[str]) -> Recovered:
    """Queue again what lost workers had in hand under these claims; set aside what was claimed too often.

    A mail that stops its worker takes others down with it. What was in hand a second time is suspected, and comes back
    one after the other, ever further apart: emergencies first, then what was begun last, because a worker seldom
    outlives for long what stops it. So fewer are in hand each time, in the end the guilty one alone; and only what was
    alone in being so suspicious is set aside.
    """
    total = Recovered()
    suspects = await room.database.read(leases.suspects, sorted(claims))
    while True:
        bite = await room.database.write(_recover, room, sorted(claims), suspects, total.back_ms)
        total = Recovered(
            total.claims | bite.claims,
            total.set_aside + bite.set_aside,
            total.deliveries + bite.deliveries,
            bite.back_ms,
        )
        if bite.deliveries < BITE:
            return total


def _recover(
    connection: Connection, room: Room, lost: Sequence[str], suspects: leases.Suspects, back_ms: int
) -> Recovered:
    now, aside = room.clock(), 0
    found = leases.held_under(connection, lost, BITE)
    settings.keep_as_they_are(connection, {SYSTEM, *(item.tenant for item, _ in found)})
    outbox.end_probes(connection, now, [item for item, _ in found])
    for item, claims in found:
        if claims < leases.MOST_CLAIMS or suspects.strong > 1:
            wait_ms = back_ms if claims > 1 else 0
            leases.return_lost(connection, item, lost_worker(), due_at=now + wait_ms, at=now, claims=claims)
            back_ms += _apart_ms(claims, suspects.slight)
            continue
        end = erase_at(room, now, secret=item.secret)
        state = State.REJECTED
        ended = outcomes.Recorded(item, set_aside(), "", now, 0, state, now, costs_retry=False, erase_at=end)
        outcomes.record(connection, now, [ended])
        aside += 1
        _log.error("delivery_set_aside", delivery=item.id, tenant=item.tenant, claims=claims)
    return Recovered(frozenset(item.claim for item, _ in found), aside, len(found), back_ms)


def _apart_ms(claims: int, suspects: int) -> int:
    """The time between a mail that was claimed so often and the next one, when there are so many suspects."""
    if claims < 2:
        return 0
    longest_ms = LONGEST_MS if claims < leases.MOST_CLAIMS else TOO_OFTEN_LONGEST_MS
    return min(APART_MS * APART_FACTOR ** (claims - 2), longest_ms // max(1, suspects))


async def leave_in_hand(room: Room, items: Sequence[outbox.Claimed]) -> None:
    """Queue again what a stopping worker could not wait for. It stopped nobody, so that is not held against it."""
    if items:
        await room.database.write(_leave, room, items)


def _leave(connection: Connection, room: Room, items: Sequence[outbox.Claimed]) -> None:
    now = room.clock()
    settings.keep_as_they_are(connection, {SYSTEM, *(item.tenant for item in items)})
    outbox.end_probes(connection, now, items)
    for item in items:
        leases.return_lost(connection, item, lost_worker(), due_at=now, at=now, claims=0)
