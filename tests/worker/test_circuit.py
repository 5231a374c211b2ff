"""A server that fails is left alone as a whole: one probe at a time, ever more seldom, and no mail pays for it."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import insert
from tests.conftest import Clock
from tests.journeys.running import mailbox
from tests.patience import patience
from tests.transports.scripted_server import Client, ScriptedServer, polite, thinks_at_mail
from tests.worker.posts import borrow, is_sent, is_waiting, report, save, sent, story

from ringpost.storage import outcomes
from ringpost.storage.tables import holds
from ringpost.usecases.room import Room

AWAY = b"421 4.3.2 Away for now\r\n"

pytestmark = pytest.mark.usefixtures("worker")


async def connected(server: ScriptedServer, times: int) -> None:
    """Wait until it was connected to so often."""
    async with patience(15):
        while server.connections < times:
            await asyncio.sleep(0.01)


async def test_one_probe_at_a_time_and_ever_more_seldom_until_the_server_is_back(
    tenant_client: httpx.AsyncClient, clock: Clock
) -> None:
    async with ScriptedServer(polite({"GREETING": [AWAY] * 3})) as server:
        await save(tenant_client, server.port)
        deliveries = await report(tenant_client, "DISK_LOW", 30)
        await story(tenant_client, deliveries[0], is_waiting)
        for probe, wait_s in ((2, 5), (3, 10)):
            clock.advance(wait_s - 1)
            await asyncio.sleep(0.3)
            assert server.connections == probe - 1, "before its time nobody asks"
            clock.advance(2)
            await connected(server, probe)
            await asyncio.sleep(0.3)
            assert server.connections == probe, "and then one does"

        stories = [(await tenant_client.get(f"/deliveries/{one}")).json() for one in deliveries]
        clock.advance(21)
        await connected(server, 4)
        clock.advance(70)
        await sent(tenant_client, 30)

    assert sum(one["attempts"] for one in stories) <= 8 + 2, "those of the first window, and the probes"
    assert all(one["waiting_for_server"] for one in stories)
    assert len(server.mails) == 30
    assert server.connections <= 4 + 4, "it is not run down when it is back"


async def test_what_a_server_says_that_was_replaced_meanwhile_does_not_hold_the_new_one(
    tenant_client: httpx.AsyncClient,
) -> None:
    go_on = asyncio.Event()

    async with (
        ScriptedServer(thinks_at_mail(go_on, b"535 5.7.8 Wrong password\r\n")) as old,
        ScriptedServer(polite()) as new,
    ):
        await save(tenant_client, old.port)
        [delivery] = await report(tenant_client, "DISK_LOW")
        await old.hears(b"MAIL")
        await save(tenant_client, new.port)
        go_on.set()

        found = await story(tenant_client, delivery, is_sent)

    assert [attempt["code"] for attempt in found["all_attempts"]] == [535, 250]


async def test_what_is_sent_through_a_server_that_was_replaced_meanwhile_does_not_open_the_lane_of_the_new_one(
    tenant_client: httpx.AsyncClient,
) -> None:
    async with mailbox() as old, ScriptedServer(polite({"GREETING": [AWAY] * 9})) as new:
        old.hold_back.clear()
        await save(tenant_client, old.port)
        [under_way] = await report(tenant_client, "DISK_LOW")
        async with patience(15):
            await old.asked.wait()
        await save(tenant_client, new.port)
        [waits] = await report(tenant_client, "DISK_LOW")
        await story(tenant_client, waits, is_waiting)
        old.hold_back.set()
        await story(tenant_client, under_way, is_sent)

        found = (await tenant_client.get(f"/deliveries/{waits}")).json()

    assert found["waiting_for_server"] is not None


async def test_what_a_tenant_borrowed_that_has_a_server_of_its_own_meanwhile_opens_the_lane_of_the_one_lent(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, room: Room
) -> None:
    async with mailbox() as lent:
        lent.hold_back.clear()
        await save(admin_client, lent.port)
        await borrow(tenant_client)
        [under_way] = await report(tenant_client, "DISK_LOW")
        async with patience(15):
            await lent.asked.wait()
        why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
        held = insert(holds).values(lane="system", since=room.clock(), until=room.clock() + 900_000, **why)
        await room.database.write(lambda connection: connection.execute(held).close())
        await save(tenant_client, 2525)
        lent.hold_back.set()
        await story(tenant_client, under_way, is_sent)
        assert await room.database.read(outcomes.failures_of, ["system"]) == {}


async def test_new_mail_of_the_system_itself_waits_in_line_while_its_own_server_fails(
    admin_client: httpx.AsyncClient,
) -> None:
    async with ScriptedServer(polite({"GREETING": [AWAY] * 100})) as server:
        await save(admin_client, server.port, recipients="operator@example.com", notify_ip_blocked=True)
        event = {"type": "IP_BLOCKED", "variables": {"BLOCKED_IP": "203.0.113.77"}}
        for _ in range(5):
            answer = await admin_client.post("/events", json=event)
            await story(admin_client, answer.json()["deliveries"][0]["id"], is_waiting)
            await asyncio.sleep(0.3)  # in which a worker that was handed it would have tried

    assert server.connections == 1, "the first one found out for all"


async def voicemail(client: httpx.AsyncClient, recipient: str) -> str:
    """Report one for somebody; its delivery's id."""
    answer = await client.post("/events", json={"type": "VOICEMAIL_RECEIVED", "recipients": [recipient]})
    return str(answer.json()["deliveries"][0]["id"])


async def test_a_probe_that_no_server_could_take_leaves_the_lane_to_the_next_one(
    tenant_client: httpx.AsyncClient, clock: Clock
) -> None:
    async with ScriptedServer(polite({"GREETING": [AWAY]})) as server:
        await save(tenant_client, server.port)
        first = await voicemail(tenant_client, "ann@example.com")
        await story(tenant_client, first, is_waiting)
        probe = await voicemail(tenant_client, "jürgen@example.com")  # the server has no SMTPUTF8
        clock.advance(6)
        await story(tenant_client, probe, lambda found: found["state"] == "rejected")
        await story(tenant_client, first, is_sent)

    assert len(server.mails) == 1


@pytest.mark.parametrize("kind", ["DISK_LOW", "EMERGENCY_CALL"])
async def test_one_urgent_mail_that_its_server_hangs_up_on_does_not_keep_less_urgent_mail_waiting(
    tenant_client: httpx.AsyncClient, clock: Clock, kind: str
) -> None:
    async with ScriptedServer(hangs_up_on(b"manager@example.com")) as server:
        await save(tenant_client, server.port)
        [refused] = await report(tenant_client, kind)
        await story(tenant_client, refused, is_waiting)
        waits = [await voicemail(tenant_client, "ann@example.com") for _ in range(3)]
        for _ in range(30):
            clock.advance(20)
            await asyncio.sleep(0.1)
        await sent(tenant_client, len(waits))


def hangs_up_on(recipient: bytes) -> Callable[[Client], Awaitable[None]]:
    """Takes mail to anybody else."""

    async def script(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        while (line := await client.command()) and recipient not in line:
            await client.say(b"354 go\r\n" if line == b"DATA" else b"250 ok\r\n")
            if line == b"DATA":
                client.server.mails.append(await client.message())
                await client.say(b"250 ok\r\n")

    return script
