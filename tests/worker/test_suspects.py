"""A mail that stops its worker is found out, however much is in hand with it; nothing innocent is set aside for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, bindparam, select, update
from tests.conftest import Clock
from tests.usecases.test_purge import put

from ringpost.domain.deliveries import State, Urgency
from ringpost.storage.tables import deliveries
from ringpost.usecases.recover_lost import BITE, recover_lost
from ringpost.usecases.room import Room

LEASE_MS = 60_000
RENEWED_EVERY_MS = LEASE_MS // 3


class Waiting(NamedTuple):
    """A mail in the outbox."""

    id: str
    urgency: int
    due_at: int


class InHand(NamedTuple):
    """A mail of a worker that dies."""

    id: str
    begun_at: int


@dataclass(frozen=True)
class Workers:
    """Workers one after the other, with room for all that is due: each dies of the guilty ones that it begins."""

    room: Room
    clock: Clock
    guilty: Sequence[str]
    dies_after_ms: int
    """How long a worker lives after it has begun a guilty one."""
    mail_takes_ms: int

    async def live(self, number: int) -> bool:
        """One life, and what the next worker recovers of it; False when it lived on, because no guilty one waited."""
        waiting = await self.room.database.read(outbox)
        of_the_guilty = [max(self.clock.ms, one.due_at) for one in waiting if one.id in self.guilty]
        if not of_the_guilty:
            return False
        death = min(of_the_guilty) + self.dies_after_ms
        begun = [InHand(one.id, max(self.clock.ms, one.due_at)) for one in waiting if one.due_at <= death]
        held = [one for one in begun if one.id in self.guilty or one.begun_at + self.mail_takes_ms > death]
        await self.room.database.write(die, f"w{number}", death, self.clock.ms, begun, held)
        self.clock.advance((death - self.clock.ms) / 1000)
        await recover_lost(self.room, {f"w{number}-1"})
        return True


def outbox(connection: Connection) -> list[Waiting]:
    """What waits, the next first."""
    columns = deliveries.c.id, deliveries.c.urgency, deliveries.c.due_at
    of_queue = deliveries.c.state == State.QUEUED
    return [Waiting(*row) for row in connection.execute(select(*columns).where(of_queue).order_by(*columns[1:]))]


def die(
    connection: Connection, worker: str, at: int, since: int, begun: Sequence[InHand], held: Sequence[InHand]
) -> None:
    """What a worker leaves behind that has lived since then: some is sent, some is in its hand."""
    over: dict[str, Any] = {"state": State.SENT, "sent_at": at, "ended_at": at, "erase_at": at}
    renewed = at - (at - since) % RENEWED_EVERY_MS + LEASE_MS
    in_hand: dict[str, Any] = {
        "state": State.SENDING, "claim": f"{worker}-1", "claims": deliveries.c.claims + 1,
        "lease_until": bindparam("lease_until"),
    }  # fmt: skip
    by_id = update(deliveries).where(deliveries.c.id == bindparam("of"))
    leases = [{"of": one.id, "lease_until": max(one.begun_at + LEASE_MS, renewed)} for one in held]
    connection.execute(by_id.values(**in_hand), leases)
    is_held = {one.id for one in held}
    if ended := [{"of": one.id} for one in begun if one.id not in is_held]:
        connection.execute(by_id.values(**over), ended)


async def put_in_outbox(
    room: Room, clock: Clock, mails: int, *, urgency: Urgency = Urgency.NORMAL, name: str = "e"
) -> None:
    """So many mails, `e00000-1` and so on."""
    waits = {"state": State.QUEUED, "ended_at": None, "erase_at": None, "urgency": urgency}
    await room.database.write(put, clock.ms, mails, waits, name=name)


def states(connection: Connection) -> dict[str, str]:
    """What became of each."""
    return {row.id: row.state for row in connection.execute(select(deliveries.c.id, deliveries.c.state))}


async def rejected(room: Room) -> list[str]:
    """What was set aside."""
    return sorted(one for one, state in (await room.database.read(states)).items() if state == State.REJECTED)


@pytest.mark.parametrize("guilty", [["e00007-1"], ["e00049-1"], ["e00003-1", "e00030-1"]], ids=["one", "last", "two"])
@pytest.mark.parametrize(
    ("dies_after_ms", "mail_takes_ms"),
    [(10, 300), (10, 30_000), (2_000, 1_000), (10_000, 30_000)],
    ids=["quick", "slow servers", "dies late", "dies late, slow servers"],
)
async def test_only_the_guilty_are_set_aside(
    room: Room, clock: Clock, guilty: list[str], dies_after_ms: int, mail_takes_ms: int
) -> None:
    await put_in_outbox(room, clock, 50)
    await ends_well(room, Workers(room, clock, guilty, dies_after_ms, mail_takes_ms))


async def test_only_the_guilty_are_set_aside_of_thousands(room: Room, clock: Clock) -> None:
    await put_in_outbox(room, clock, 2 * BITE + 1)
    guilty = [f"e{2 * BITE - 9:05}-1"]
    await ends_well(room, Workers(room, clock, guilty, dies_after_ms=10, mail_takes_ms=30_000))


async def ends_well(room: Room, workers: Workers) -> None:
    """Let workers live until none dies any more, with new mail for each."""
    lives = 0
    while await workers.live(lives):
        lives += 1
        await put_in_outbox(room, workers.clock, 3, name=f"n{lives}-")
        assert lives <= 10, await rejected(room)
    assert await rejected(room) == workers.guilty


async def test_a_worker_that_is_killed_for_other_reasons_costs_nobody_a_mail(room: Room, clock: Clock) -> None:
    await put_in_outbox(room, clock, 5)
    for life in range(8):  # all are in hand each time
        begun = [InHand(one.id, one.due_at) for one in await room.database.read(outbox)]
        assert len(begun) == 5
        await room.database.write(die, f"w{life}", clock.ms, clock.ms, begun, begun)
        await recover_lost(room, {f"w{life}-1"})
        clock.advance(3600)
    assert await rejected(room) == []


async def test_what_comes_back_the_second_time_is_back_within_a_minute_emergencies_first(
    room: Room, clock: Clock
) -> None:
    await put_in_outbox(room, clock, BITE + 200)
    await put_in_outbox(room, clock, 2, urgency=Urgency.EMERGENCY, name="u")
    since = clock.ms
    for life in range(2):
        begun = [InHand(one.id, since) for one in await room.database.read(outbox)]
        await room.database.write(die, f"w{life}", since, since, begun, begun)
        await recover_lost(room, {f"w{life}-1"})
    waiting = sorted(await room.database.read(outbox), key=lambda one: one.due_at)
    assert [one.id for one in waiting[:2]] == ["u00000-1", "u00001-1"]
    assert len({one.due_at for one in waiting}) == BITE + 202, "one after the other"
    assert waiting[-1].due_at <= since + 60_000


async def test_what_is_in_hand_beside_a_suspect_for_the_first_time_comes_back_at_once_and_delays_nobody(
    room: Room, clock: Clock
) -> None:
    await put_in_outbox(room, clock, 2)
    for life, more in enumerate((0, 300)):
        if more:
            await put_in_outbox(room, clock, more, name="n")
        begun = [InHand(one.id, clock.ms) for one in await room.database.read(outbox)]
        await room.database.write(die, f"w{life}", clock.ms, clock.ms, begun, begun)
        await recover_lost(room, {f"w{life}-1"})
    waiting = await room.database.read(outbox)
    assert {one.id: one.due_at - clock.ms for one in waiting if one.due_at > clock.ms} == {"e00001-1": 200}
