"""A worker that is lost, or only seems to be: nothing is sent twice without need, no innocent mail is set aside."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, insert, select, update
from structlog.testing import capture_logs
from tests.conftest import Clock
from tests.journeys.running import mailbox
from tests.patience import patience
from tests.transports.scripted_server import ScriptedServer, polite
from tests.usecases.test_purge import DAY_MS, count, ended, put
from tests.worker.posts import is_sent, report, save, sent, story

from ringpost.domain.deliveries import State
from ringpost.storage import leases, outbox, overview
from ringpost.storage.tables import attempts, deliveries, events
from ringpost.usecases.recover_lost import leave_in_hand, recover_lost
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions


def strand(connection: Connection, claim: str, claims: int) -> None:
    """As if a worker had died with everything in hand."""
    connection.execute(update(deliveries).values(state=State.SENDING.value, claim=claim, lease_until=0, claims=claims))


def waits(connection: Connection) -> list[tuple[str, int, int]]:
    """State, claims and due time of everything, in order of due time."""
    columns = deliveries.c.state, deliveries.c.claims, deliveries.c.due_at
    return [tuple(row) for row in connection.execute(select(*columns).order_by(deliveries.c.due_at))]


async def test_a_clock_set_forward_takes_nothing_out_of_the_hands_of_the_living(
    tenant_client: httpx.AsyncClient, worker: Worker, clock: Clock
) -> None:
    assert worker
    async with mailbox() as box:
        box.hold_back.clear()
        await save(tenant_client, box.port)
        await report(tenant_client, "DISK_LOW", 3)
        async with patience(10):
            await box.asked.wait()
        clock.advance(24 * 3600)  # every lease is over by this clock
        await asyncio.sleep(0.3)  # several sweeps
        box.hold_back.set()
        await sent(tenant_client, 3)
        assert sorted(box.message_ids.values()) == [1, 1, 1]


@pytest.mark.parametrize("days", [30, -30], ids=["ahead", "back"])
async def test_a_mail_is_recorded_as_sent_and_as_quick_as_it_was_however_far_the_clock_is_set_meanwhile(
    tenant_client: httpx.AsyncClient, room: Room, clock: Clock, days: int
) -> None:
    worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=60, grace_s=1))
    task = asyncio.create_task(worker.run())
    async with mailbox() as box:
        box.hold_back.clear()
        await save(tenant_client, box.port)
        (delivery,) = await report(tenant_client, "DISK_LOW")
        async with patience(10):
            await box.asked.wait()
        clock.advance(days * 24 * 3600)
        box.hold_back.set()
        try:
            found = await story(tenant_client, delivery, is_sent)
        finally:
            worker.stop()
            await task
        assert list(box.message_ids.values()) == [1]
    assert found["last_attempt"]["duration_ms"] < 15_000


async def test_what_was_in_hand_comes_back_one_after_the_other_from_the_second_time_on(
    tenant_client: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW", 4)
    await room.database.write(strand, "w1-1.2", 1)
    await recover_lost(room, {"w1-1.2"})
    assert {due for _, _, due in await room.database.read(waits)} == {clock.ms}, "the first time, at once"
    await room.database.write(strand, "w2-1.2", 2)
    await recover_lost(room, {"w2-1.2"})
    assert len({due for _, _, due in await room.database.read(waits)}) == 4, "then apart"


async def test_what_was_claimed_too_often_is_set_aside_and_can_be_retried(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, 2525)
    (delivery,) = await report(tenant_client, "DISK_LOW")
    await room.database.write(strand, "w1-1.2", 5)
    await recover_lost(room, {"w1-1.2"})
    story = (await tenant_client.get(f"/deliveries/{delivery}")).json()
    assert (story["state"], story["last_attempt"]["verdict"]) == ("rejected", "rejected")
    assert (await tenant_client.post(f"/deliveries/{delivery}/retry")).status_code == 204


async def test_however_many_claims_lost_workers_had_they_are_recovered(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW")
    await room.database.write(strand, "w1-a7", 1)
    await recover_lost(
        room, {f"w1-a{number}" for number in range(70_000)}
    )  # mail that was just accepted: one claim each
    assert [state for state, _, _ in await room.database.read(waits)] == ["queued"]


async def test_however_much_a_worker_has_in_hand_its_leases_are_renewed(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW")
    await room.database.write(strand, "w1-a7", 1)
    in_hand = [f"w1-a{number}" for number in range(70_000)]  # RINGPOST_SLOTS may be a million
    await room.database.write(leases.renew, in_hand, [], 5000)
    assert await room.database.read(leases.leases) == [("w1-a7", 5000)]


@pytest.mark.parametrize(("minutes", "state"), [(71, "queued"), (73, "sending")])
async def test_after_a_clock_that_was_ahead_mail_waits_no_longer_than_the_longest_delay(
    tenant_client: httpx.AsyncClient, room: Room, clock: Clock, minutes: int, state: str
) -> None:
    async with mailbox() as box:
        box.hold_back.clear()
        await save(tenant_client, box.port)
        (delivery,) = await report(tenant_client, "DISK_LOW")
        later = update(deliveries).values(due_at=clock.ms + minutes * 60_000, deferred=True)
        await room.database.write(lambda connection: connection.execute(later).close())
        worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.05))
        task = asyncio.create_task(worker.run())
        await asyncio.sleep(0.5)
        found = (await tenant_client.get(f"/deliveries/{delivery}")).json()
        box.hold_back.set()
        worker.stop()
        await task
    assert found["state"] == state


async def test_lost_workers_are_found_while_there_is_much_to_purge(
    room: Room, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.usecases.purge.BITE", 1)  # so that a few thousand events are much
    long_ago = clock.ms - 100 * DAY_MS
    await room.database.write(put, long_ago, 3000, ended(long_ago))
    in_hand = {"state": State.SENDING, "claim": "dead-1", "lease_until": 0, "ended_at": None, "erase_at": None}
    await room.database.write(put, clock.ms, 1, in_hand, name="lost")
    worker = Worker(room, WorkerOptions(slots=64, sweep_s=0.05, lease_s=0.6))
    task = asyncio.create_task(worker.run())
    try:
        async with patience(4):
            while "dead-1" in dict(await room.database.read(leases.leases)):
                await asyncio.sleep(0.05)
        assert await room.database.read(count, events) > 1, "there was still much to purge"
    finally:
        worker.stop()
        await task


async def test_lost_workers_and_what_is_set_aside_because_of_them_are_counted(
    room: Room, clock: Clock, tmp_path: Path
) -> None:
    def counted() -> list[float | None]:
        names = "ringpost_workers_lost_total", "ringpost_deliveries_set_aside_total"
        return [REGISTRY.get_sample_value(name) for name in names]

    before = counted()
    in_hand = {"state": State.SENDING, "lease_until": 0, "ended_at": None, "erase_at": None}
    for number, (claim, claims, mails) in enumerate((("dead-1", 1, 20), ("dead-a2", 5, 1), ("gone-1", 1, 2))):
        of_it = {**in_hand, "claim": claim, "claims": claims}
        await room.database.write(put, clock.ms, mails, of_it, name=f"e{number}")
    worker = Worker(room, WorkerOptions(slots=64, sweep_s=0.05, presence=tmp_path / "workers"))
    with capture_logs() as logs:
        task = asyncio.create_task(worker.run())
        try:
            async with patience(10):
                while counted() == before:
                    await asyncio.sleep(0.05)
        finally:
            worker.stop()
            await task
    [line] = [line for line in logs if line["event"] == "workers_lost"]
    assert (line["workers"], line["deliveries"]) == (["dead", "gone"], 23), "one line, however much they had in hand"
    assert [after - (then or 0) for after, then in zip(counted(), before, strict=True) if after] == [2, 1]


async def test_a_worker_that_cannot_give_back_what_it_has_in_hand_says_goodbye_all_the_same(
    tenant_client: httpx.AsyncClient, room: Room, tmp_path: Path
) -> None:
    worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.05, grace_s=0, presence=tmp_path / "workers"))
    task = asyncio.create_task(worker.run())
    async with mailbox() as box:
        box.hold_back.clear()
        await save(tenant_client, box.port)
        (delivery,) = await report(tenant_client, "DISK_LOW")
        async with patience(10):
            await box.asked.wait()
        await room.database.write(_try_already_told, delivery)
        worker.stop()
        await task
        box.hold_back.set()
    assert list((tmp_path / "workers").iterdir()) == [], "nobody waits for its lease to run out"
    assert await room.database.read(overview.workers_alive, room.clock()) == []


def _try_already_told(connection: Connection, delivery: str) -> None:
    """So that the same cannot be told again: a fault that is none of the storage."""
    connection.execute(
        insert(attempts).values(
            delivery=delivery, number=1, tenant="acme", started_at=1, duration_ms=1, verdict="retry", stage="data",
            reply="", hint="", ambiguous=False,
        )
    )  # fmt: skip


async def test_a_fault_of_ours_at_judging_an_attempt_does_not_send_the_mail_again_and_again(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    policy: Any = replace(room.options.retry_policy, jitter=None)  # nothing that can be reckoned with
    faulty = replace(room, options=replace(room.options, retry_policy=policy))
    async with ScriptedServer(polite({"RCPT": [b"451 4.7.1 try again later\r\n"] * 100})) as server:
        await save(tenant_client, server.port)
        await report(tenant_client, "DISK_LOW")
        worker = Worker(faulty, WorkerOptions(slots=64, poll_s=0.02, sweep_s=0.05))
        task = asyncio.create_task(worker.run())
        async with patience(10):
            while not _tried(server):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # several sweeps
        worker.stop()
        await task
    assert _tried(server) == 1


async def test_a_stop_is_not_held_against_the_mail_that_was_in_hand(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW")
    await room.database.write(strand, "w1-1.2", 4)
    await leave_in_hand(room, [item for item, _ in await room.database.read(_in_hand)])
    assert [(state, claims) for state, claims, _ in await room.database.read(waits)] == [("queued", 0)]


def _tried(server: ScriptedServer) -> int:
    return sum(command.startswith(b"RCPT") for command in server.commands)


def _in_hand(connection: Connection) -> list[tuple[outbox.Claimed, int]]:
    return leases.held_under(connection, ["w1-1.2"], 10)
