"""The same for many deliveries: bite by bite, so that a thousand of them keep no other write waiting."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.deliveries import State
from ringpost.errors import NotFound, WrongState
from ringpost.storage import audit, search
from ringpost.storage.search import Filter
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
    wanted: Filter = field(default_factory=Filter)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it."""

    changed: tuple[str, ...]
    """Ids, the newest first."""
    left_alone: tuple[str, ...]
    """Those whose state did not permit it when they were looked for, or when their turn came."""
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
) -> list[str]:
    """Change each, as far as its state permits; one line of the audit log a bite. Returns those that it did."""
    changed: list[str] = []
    for start in range(0, len(ids), BITE):
        changed += await room.database.write(_bite, room, actor, ids[start : start + BITE], change, action)
    return changed


def tell(chosen: Chosen, ids: list[str], changed: list[str], *, more: bool) -> Done:
    """What became of all that were meant; `ids` are those that were in a state for it."""
    meant, done = dict.fromkeys(chosen.ids or ids), frozenset(changed)
    return Done(tuple(changed), tuple(one for one in meant if one not in done), more)


def _bite(
    connection: Connection,
    room: Room,
    actor: Principal,
    ids: list[str],
    change: Callable[[Connection, Room, Principal, str], None],
    action: str,
) -> list[str]:
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
    return done
