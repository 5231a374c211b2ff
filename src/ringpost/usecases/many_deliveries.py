"""The same for many deliveries: bite by bite, so that a thousand of them keep no other write waiting."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.deliveries import State
from ringpost.errors import NotFound, WrongState
from ringpost.storage import audit, search
from ringpost.storage.search import Wanted
from ringpost.usecases.room import Room

BITE: Final = 100
"""Deliveries of one write."""
MOST_AT_ONCE: Final = 2_000
"""Deliveries of one call."""
_MOST_LOOKS: Final = 40

RETRIABLE: Final = (State.QUEUED, State.REJECTED, State.EXPIRED, State.CANCELLED)
CANCELLABLE: Final = (State.QUEUED,)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which deliveries are meant: these, or all that a search finds (down to where it began, so none joins later)."""

    ids: tuple[str, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it."""

    changed: int
    left_alone: int
    """Those whose state did not permit it when their turn came."""
    more: bool
    """There may be more of them: do it once more."""


def select(
    connection: Connection, principal: Principal, chosen: Chosen, states: tuple[State, ...]
) -> tuple[list[str], bool]:
    """Ids of those that are in one of these states, MOST_AT_ONCE at most, and whether there may be more."""
    if chosen.ids:
        return search.newest_first(connection, principal.tenant, chosen.ids[:MOST_AT_ONCE], states), False
    asked = chosen.wanted.states
    wanted = replace(chosen.wanted, states=tuple(state for state in states if not asked or state in asked))
    ids: list[str] = []
    if not wanted.states:
        return ids, False
    for _ in range(_MOST_LOOKS):
        found = search.find_deliveries(connection, principal.tenant, replace(wanted, most=500))
        ids += found.ids
        if not found.more or len(ids) >= MOST_AT_ONCE:
            return ids[:MOST_AT_ONCE], found.more or len(ids) > MOST_AT_ONCE
        wanted = replace(wanted, before=found.looked_to or found.ids[-1])
    return ids, True


async def change_each(
    room: Room,
    actor: Principal,
    ids: list[str],
    change: Callable[[Connection, Room, Principal, str], None],
    action: str,
) -> tuple[int, int]:
    """Change each, as far as its state permits; one line of the audit log a bite. Returns how many it did, and not."""
    changed = 0
    for start in range(0, len(ids), BITE):
        changed += await room.database.write(_bite, room, actor, ids[start : start + BITE], change, action)
    return changed, len(ids) - changed


def _bite(
    connection: Connection,
    room: Room,
    actor: Principal,
    ids: list[str],
    change: Callable[[Connection, Room, Principal, str], None],
    action: str,
) -> int:
    done: list[str] = []
    for delivery in ids:
        try:
            change(connection, room, actor, delivery)
        except (NotFound, WrongState):
            continue  # it has ended, or begun, since somebody chose it
        done.append(delivery)
    if done:
        about = f"{len(done)} deliveries, {done[-1]} to {done[0]}" if len(done) > 1 else done[0]
        audit.record(connection, actor.tenant, audit.Entry(room.clock(), audit.name_of(actor), action, about))
    return len(done)
