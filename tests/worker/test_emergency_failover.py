"""An emergency does not wait for its tenant's mail server when the system's stands by."""

import asyncio
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import Clock
from tests.journeys.running import Mailbox, mailbox, settings_for
from tests.patience import patience
from tests.transports.scripted_server import Client, ScriptedServer, Trick, polite
from tests.worker.posts import borrow, is_sent, is_waiting, save, story, tried

from ringpost.storage.tables import deliveries
from ringpost.usecases.room import Room

EMERGENCY = {"type": "EMERGENCY_CALL", "variables": {"CALLER_NUMBER": "101", "CALLEE_NUMBER": "112"}}

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def systems() -> AsyncIterator[Mailbox]:
    """The system's mail server."""
    async with mailbox() as box:
        yield box


@pytest.fixture
async def lent(systems: Mailbox, admin_client: httpx.AsyncClient) -> Mailbox:
    """The system's mail server, for tenants to use."""
    await save(admin_client, systems.port, username="system@example.net")
    return systems


async def report(client: httpx.AsyncClient, **fields: Any) -> str:
    """Report an emergency; the id of its delivery."""
    answer = await client.post("/events", json={**EMERGENCY, **fields})
    assert answer.status_code == 202, answer.text
    return answer.json()["deliveries"][0]["id"]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def servers_of(found: dict[str, Any]) -> list[str]:
    return [attempt["server"] for attempt in found["all_attempts"]]


async def test_a_server_that_is_down_is_passed_over_within_seconds(
    tenant_client: httpx.AsyncClient, lent: Mailbox
) -> None:
    own = closed_port()
    await save(tenant_client, own, reply_to="office@acme.example")

    delivery = await report(tenant_client)
    found = await story(tenant_client, delivery, is_sent)

    assert servers_of(found) == [f"127.0.0.1:{own}", f"127.0.0.1:{lent.port}"]
    assert [attempt["verdict"] for attempt in found["all_attempts"]] == ["retry", "sent"]
    [mail] = lent.received
    assert mail["From"] == "Acme <system@example.net>"
    assert mail["Reply-To"] == "office@acme.example"


async def test_a_login_that_is_refused_is_a_reason_too(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    async with ScriptedServer(polite({"MAIL": b"530 5.7.0 Authentication required\r\n"})) as own:
        await save(tenant_client, own.port)

        found = await story(tenant_client, await report(tenant_client), is_sent)

    assert [attempt["party"] for attempt in found["all_attempts"]] == ["configuration", None]
    assert len(lent.received) == 1


async def test_a_mail_that_its_own_server_may_have_goes_through_the_systems_all_the_same(
    tenant_client: httpx.AsyncClient, lent: Mailbox
) -> None:
    async with ScriptedServer(polite({"DOT": Trick.DROP})) as own:
        await save(tenant_client, own.port)

        found = await story(tenant_client, await report(tenant_client), is_sent)

    assert [attempt["ambiguous"] for attempt in found["all_attempts"]] == [True, False]
    assert len(lent.received) == 1, "better twice than never"


async def test_the_systems_server_is_not_tried_while_it_is_known_to_fail(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient, admin_client: httpx.AsyncClient
) -> None:
    own = closed_port()
    await save(admin_client, closed_port())
    await borrow(other_client)
    await story(other_client, await report(other_client, type="DISK_LOW"), tried(1))
    await save(tenant_client, own)

    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(1))
    await asyncio.sleep(0.3)
    found = await story(tenant_client, delivery, tried(1))

    assert (found["state"], servers_of(found)) == ("queued", [f"127.0.0.1:{own}"]), "it goes by its own schedule"


async def test_a_server_that_says_nothing_has_ten_seconds_and_no_more(
    tenant_client: httpx.AsyncClient, lent: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.usecases.deliver.FALL_OVER_S", 2.0)  # else this test would take 10 s
    async with ScriptedServer(polite({"EHLO": Trick.SILENCE})) as own:
        await save(tenant_client, own.port)

        found = await story(tenant_client, await report(tenant_client), is_sent)

    assert [attempt["stage"] for attempt in found["all_attempts"]] == ["ehlo", "accepted"]
    assert len(lent.received) == 1


async def test_when_both_fail_it_tries_the_one_and_the_other_and_waits_in_between(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, clock: Clock
) -> None:
    own, systems = closed_port(), closed_port()
    await save(admin_client, systems)
    await save(tenant_client, own)

    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(2))
    clock.advance(600)  # nothing is known of either any more
    await story(tenant_client, delivery, tried(4))
    await asyncio.sleep(0.3)
    found = await story(tenant_client, delivery, tried(4))

    assert found["attempts"] == 4, "it goes to and fro once, and then waits by its schedule"
    tries = servers_of(found)
    assert {*tries[:2]} == {*tries[2:]} == {f"127.0.0.1:{own}", f"127.0.0.1:{systems}"}


async def test_when_both_may_have_taken_it_it_does_not_go_to_and_fro_at_once(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, clock: Clock
) -> None:
    hangs_up = {"DOT": Trick.DROP}
    async with ScriptedServer(polite(hangs_up)) as own, ScriptedServer(polite(hangs_up)) as systems:
        await save(admin_client, systems.port, username="system@example.net")
        await save(tenant_client, own.port)

        delivery = await report(tenant_client)
        await story(tenant_client, delivery, tried(2))
        await asyncio.sleep(0.3)
        assert (len(own.mails), len(systems.mails)) == (1, 1), "each of them may be in the mailbox already"
        clock.advance(18)
        await story(tenant_client, delivery, tried(4))
        await asyncio.sleep(0.3)

        assert (len(own.mails), len(systems.mails)) == (2, 2)


async def test_it_comes_back_when_its_own_server_does(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, systems: Mailbox, clock: Clock
) -> None:
    await save(admin_client, closed_port())
    async with ScriptedServer(polite({"MAIL": [b"421 4.3.2 Going down\r\n"]})) as own:
        await save(tenant_client, own.port)
        delivery = await report(tenant_client)
        await story(tenant_client, delivery, tried(2))
        clock.advance(60)

        await story(tenant_client, delivery, is_sent)

    assert len(own.mails) == 1
    assert systems.received == []


async def test_a_recipient_that_is_refused_is_no_reason(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    async with ScriptedServer(polite({"RCPT": b"450 4.2.1 Come back later\r\n"})) as own:
        await save(tenant_client, own.port)

        found = await story(tenant_client, await report(tenant_client), tried(1))

    assert (found["state"], found["last_attempt"]["party"]) == ("queued", "recipient")
    assert lent.received == []


async def test_other_mail_waits_for_its_own_server(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    await save(tenant_client, closed_port())

    found = await story(tenant_client, await report(tenant_client, type="DISK_LOW"), tried(1))

    assert found["state"] == "queued"
    assert lent.received == []


async def test_a_lane_on_hold_is_not_even_tried(tenant_client: httpx.AsyncClient, lent: Mailbox) -> None:
    await save(tenant_client, closed_port())
    await story(tenant_client, await report(tenant_client, type="DISK_LOW"), tried(1))

    found = await story(tenant_client, await report(tenant_client), is_sent)

    assert servers_of(found) == [f"127.0.0.1:{lent.port}"]


@pytest.mark.parametrize("there_is_one", [True, False])
async def test_without_a_server_that_is_lent_it_goes_on_trying_its_own(
    tenant_client: httpx.AsyncClient,
    admin_client: httpx.AsyncClient,
    systems: Mailbox,
    room: Room,
    clock: Clock,
    there_is_one: bool,
) -> None:
    if there_is_one:
        await save(admin_client, systems.port, enable_tenant_access=False)
    await save(tenant_client, closed_port())

    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(1))
    clock.advance(7)
    await story(tenant_client, delivery, tried(2))
    await asyncio.sleep(0.3)
    found = await story(tenant_client, delivery, tried(2))

    assert (found["state"], found["attempts"]) == ("queued", 2), "after the delays of an emergency, not at once"
    assert len(set(servers_of(found))) == 1
    assert systems.received == []
    retries = select(deliveries.c.retries)
    assert await room.database.read(lambda connection: connection.execute(retries).scalar()) == 2, "ever longer ones"


async def test_what_waits_for_its_own_server_goes_at_once_when_the_system_lends_one(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, systems: Mailbox
) -> None:
    await save(admin_client, systems.port, enable_tenant_access=False)
    await save(tenant_client, closed_port())
    emergencies = [await report(tenant_client) for _ in range(3)]
    for delivery in emergencies:
        await story(tenant_client, delivery, lambda found: is_waiting(found) and found["state"] == "queued")

    await save(admin_client, systems.port)  # the clock stands still: no probe and no retry is due
    for delivery in emergencies:
        await story(tenant_client, delivery, is_sent)

    assert len(systems.received) == 3


async def test_what_is_being_sent_while_the_system_begins_to_lend_its_server_goes_through_it_when_its_own_fails(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, systems: Mailbox
) -> None:
    is_lent = asyncio.Event()

    async def hangs_up_late(_client: Client) -> None:
        await is_lent.wait()

    await save(admin_client, systems.port, enable_tenant_access=False)
    async with ScriptedServer(hangs_up_late) as own:
        ports = own.port, systems.port
        await save(tenant_client, own.port)
        delivery = await report(tenant_client)
        async with patience(10):
            while not own.connections:
                await asyncio.sleep(0.01)

        await save(admin_client, systems.port)
        is_lent.set()
        found = await story(tenant_client, delivery, is_sent)  # the clock stands still: no probe is due

    assert servers_of(found) == [f"127.0.0.1:{port}" for port in ports]


async def test_what_fails_at_a_server_that_was_replaced_meanwhile_goes_through_the_new_one_not_the_systems(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, systems: Mailbox
) -> None:
    is_replaced = asyncio.Event()

    async def hangs_up_late(_client: Client) -> None:
        await is_replaced.wait()

    await save(admin_client, systems.port, enable_tenant_access=False)
    async with ScriptedServer(hangs_up_late) as old, mailbox() as new:
        ports = old.port, new.port
        await save(tenant_client, old.port)
        delivery = await report(tenant_client)
        async with patience(10):
            while not old.connections:
                await asyncio.sleep(0.01)

        await save(tenant_client, new.port)
        await save(admin_client, systems.port)
        is_replaced.set()
        found = await story(tenant_client, delivery, is_sent)

    assert servers_of(found) == [f"127.0.0.1:{port}" for port in ports]


async def test_when_the_system_takes_its_server_back_it_returns_to_its_own(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient
) -> None:
    own, systems = closed_port(), closed_port()
    await save(admin_client, systems)
    await save(tenant_client, own)
    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(2))

    await save(admin_client, systems, enable_tenant_access=False)
    found = await story(tenant_client, delivery, tried(3))

    assert servers_of(found)[2] == f"127.0.0.1:{own}"


@pytest.mark.parametrize("whose", ["system", "tenant"])
async def test_without_any_server_it_is_kept_and_sent_as_soon_as_there_is_one(
    tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient, systems: Mailbox, clock: Clock, whose: str
) -> None:
    await tenant_client.post("/tenant/notification", json=settings_for(25, username="nobody"))
    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(1))
    clock.advance(23 * 3600)
    waiting = await story(tenant_client, delivery, tried(2))

    await save(admin_client if whose == "system" else tenant_client, systems.port)
    found = await story(tenant_client, delivery, is_sent)

    assert waiting["state"] == "queued"
    assert "no mail server" in waiting["last_attempt"]["hint"]
    assert found["state"] == "sent"
    [mail] = systems.received
    assert isinstance(mail, EmailMessage)


async def test_without_any_server_it_expires_after_a_day(tenant_client: httpx.AsyncClient, clock: Clock) -> None:
    await tenant_client.post("/tenant/notification", json=settings_for(25, username="nobody"))
    delivery = await report(tenant_client)
    await story(tenant_client, delivery, tried(1))

    clock.advance(24 * 3600 + 1)

    assert (await story(tenant_client, delivery, lambda found: found["ended_at"]))["state"] == "expired"


async def test_mail_that_hangs_at_its_own_server_does_not_keep_an_emergency_from_being_tried(
    tenant_client: httpx.AsyncClient, lent: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.usecases.deliver.FALL_OVER_S", 2.0)  # else this test would take 10 s
    async with ScriptedServer(polite({"EHLO": Trick.SILENCE})) as own:
        await save(tenant_client, own.port)
        await tenant_client.post("/events", json={"events": [{"type": "DISK_LOW"}] * 30})
        await own.hears(b"EHLO")

        await story(tenant_client, await report(tenant_client), is_sent)

    assert len(lent.received) == 1
