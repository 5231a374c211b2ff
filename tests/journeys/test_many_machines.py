"""Many processes on one PostgreSQL: what one machine cannot break, many do not either."""

import asyncio
import base64
import re
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.faults import quick_sweeps
from tests.journeys.machine import Machine
from tests.journeys.running import START_S, Mailbox, Service, mailbox, new_tenant
from tests.journeys.test_crash import no_delivery_is_open, what_came_twice_was_ambiguous
from tests.patience import patience
from tests.postgresql import PostgresServer, postgres_server

KEYS = "k1:" + base64.b64encode(b"made up, of 32 bytes, for tests.").decode()


class WorkerMachine(Service):
    """One `ringpost worker` process."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        super().__init__(data_dir, **environment)
        self.program = (str(quick_sweeps.__file__),)

    async def start(self) -> None:
        """Start it and wait until it works."""
        self.log.write_bytes(b"")
        await self.launch("worker")
        async with patience(START_S):
            while b"worker_started" not in self.log.read_bytes():
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Machines:
    """Several machines: some with the API, some with a worker, none with both."""

    apis: list[Service]
    workers: list[WorkerMachine]

    @asynccontextmanager
    async def tenants(self, box: Mailbox) -> AsyncGenerator[list[httpx.AsyncClient]]:
        """A tenant's client at each API."""
        async with new_tenant(self.apis[0], box.port) as first, AsyncExitStack() as stack:
            token = first.headers["authorization"].removeprefix("Bearer ")
            others = [await stack.enter_async_context(api.client_of(token)) for api in self.apis[1:]]
            yield [first, *others]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL that the test may stop."""
    with postgres_server() as running:
        yield running


@asynccontextmanager
async def machines(folder: Path, server: PostgresServer, apis: int, workers: int) -> AsyncGenerator[Machines]:
    """Start them on a database that is empty: the first ones make the schema, all at once."""
    environment = {
        "RINGPOST_DATABASE_URL": server.url(server.new_database()),
        "RINGPOST_KEYS": KEYS,
        "RINGPOST_WORKERS": "0",
        "RINGPOST_LEASE_SECONDS": "2",
    }
    made = Machines(
        [Service(folder / f"api{number}", **environment) for number in range(apis)],
        [WorkerMachine(folder / f"worker{number}", **environment) for number in range(workers)],
    )
    everybody = [*made.apis, *made.workers]
    try:
        await asyncio.gather(*(one.start() for one in everybody))
        yield made
    finally:
        await asyncio.gather(*(one.stop(signal.SIGKILL) for one in everybody))


async def post(client: httpx.AsyncClient, event: str) -> dict[str, Any] | None:
    """Post one event; the answer once it was acknowledged, else None."""
    body = {"type": "QUEUE_SLA", "id": event, "variables": {"QUEUE_NAME": f"Queue {event}"}}
    try:
        answer = await client.post("/events", json=body)
    except httpx.TransportError:
        return None
    assert answer.status_code in (202, 503), answer.text
    return answer.json() if answer.status_code == 202 else None


async def post_until_acknowledged(clients: list[httpx.AsyncClient], numbers: range) -> None:
    """Post every event to one API after the other until one acknowledges it; each sender at its own pace."""
    for number in numbers:
        tries = number
        while await post(clients[tries % len(clients)], f"e-{number}") is None:
            tries += 1
            await asyncio.sleep(0.1)


@pytest.mark.timeout(400)
async def test_what_was_acknowledged_arrives_although_machines_and_the_database_stop(
    tmp_path: Path, server: PostgresServer
) -> None:
    events, senders = 1200, 8
    async with mailbox() as box, machines(tmp_path, server, apis=2, workers=3) as all_of_them:
        async with all_of_them.tenants(box) as clients:
            a_sender = events // senders
            parts = [range(start, start + a_sender) for start in range(0, events, a_sender)]
            posting = asyncio.gather(*(post_until_acknowledged(clients, part) for part in parts))

            await box.holds(events // 6, within_s=120)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)  # a crash
            await asyncio.sleep(1)
            await asyncio.to_thread(server.start)
            await box.holds(events // 3, within_s=120)
            await all_of_them.workers[0].stop(signal.SIGKILL)
            await all_of_them.apis[1].stop(signal.SIGKILL)
            await all_of_them.apis[1].start()
            await box.holds(events // 2, within_s=120)
            await asyncio.to_thread(server.stop, signal.SIGINT)  # a restart for maintenance
            await asyncio.to_thread(server.start)

            await posting
            await box.holds(events, within_s=120)
            await no_delivery_is_open(clients[0])
            assert len({str(mail["Subject"]) for mail in box.received}) == events, "each has its queue in its subject"
            twice = [key for key, count in box.message_ids.items() if count > 1]
            await what_came_twice_was_ambiguous(clients[1], twice)
        alive = [*all_of_them.apis, *all_of_them.workers[1:]]
        assert [await one.stop() for one in alive] == [0] * len(alive)


@pytest.mark.timeout(400)
async def test_the_same_event_a_thousand_times_at_two_machines_is_one_mail(
    tmp_path: Path, server: PostgresServer
) -> None:
    async with mailbox() as box, machines(tmp_path, server, apis=2, workers=2) as all_of_them:
        async with all_of_them.tenants(box) as clients:
            gate = asyncio.Semaphore(50)

            async def again(number: int) -> dict[str, Any] | None:
                async with gate:
                    return await post(clients[number % 2], "once")

            answers = await asyncio.gather(*(again(number) for number in range(1000)))
            assert None not in answers
            assert {str(answer) for answer in answers} == {str(answers[0])}, "the same answer to everybody"
            await box.holds(1, within_s=120)
            await no_delivery_is_open(clients[0])
            found = (await clients[1].get("/deliveries")).json()["items"]
            assert [delivery["state"] for delivery in found] == ["sent"]
        assert [await one.stop() for one in (*all_of_them.apis, *all_of_them.workers)] == [0] * 4
    assert len(box.raw) == 1


@pytest.mark.timeout(400)
async def test_a_worker_that_slept_through_its_lease_changes_nothing_when_it_wakes(
    tmp_path: Path, server: PostgresServer
) -> None:
    events = 5
    async with mailbox() as box, machines(tmp_path, server, apis=1, workers=1) as all_of_them:
        sleeper = all_of_them.workers[0]
        async with all_of_them.tenants(box) as (client,):
            box.hold_back.clear()
            for number in range(events):
                assert await post(client, f"e-{number}") is not None
            async with patience(120):
                await box.asked.wait()  # the server has one whole mail and has not answered
            sleeper.send(signal.SIGSTOP)
            other = WorkerMachine(tmp_path / "other", **sleeper.environment)
            try:
                await other.start()
                box.hold_back.set()  # the server answers now, and nobody reads it
                await box.holds(events, within_s=120)
                await no_delivery_is_open(client)
                before = await stories(client)
                sleeper.send(signal.SIGCONT)
                assert await sleeper.stop() == 0, "it wakes, records what it still has, and ends"
                assert await stories(client) == before
            finally:
                await other.stop(signal.SIGKILL)
            for story in before:
                assert story["state"] == "sent"
                verdicts = [attempt["verdict"] for attempt in story["all_attempts"]]
                assert verdicts.count("sent") == 1
                assert [attempt["number"] for attempt in story["all_attempts"]] == list(range(1, len(verdicts) + 1))
            assert len(box.message_ids) == events, "the same Message-ID at each attempt"
            await what_came_twice_was_ambiguous(client, [key for key, count in box.message_ids.items() if count > 1])


async def stories(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Every delivery with its attempts."""
    found = (await client.get("/deliveries")).json()["items"]
    return [(await client.get(f"/deliveries/{delivery['id']}")).json() for delivery in found]


def test_a_second_machine_gets_its_keys_as_the_docs_say(tmp_path: Path, postgres: PostgresServer) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    command = re.findall(r"`(paste [^`]+)`", page.partition("### PostgreSQL")[2].partition("\n### ")[0])[0]
    first, second = Machine(tmp_path / "first"), Machine(tmp_path / "second")
    url = postgres.url(postgres.new_database())
    for machine in (first, second):
        machine.folder.mkdir()
        machine.env["RINGPOST_DATABASE_URL"] = url
    first.output("tenant", "create", "acme.example.com")
    name, _, key = (first.folder / "data" / "keys").read_text().strip().partition(":")
    assert second.run("tenant", "list", RINGPOST_KEYS=f"not{name}:{key}").returncode == 78, "a name is part of a key"
    first.output("keys", "rotate")

    lines = subprocess.check_output(
        ["sh", "-c", command.replace("/var/lib/ringpost", str(first.folder / "data"))], text=True
    ).strip()

    assert lines.count(":") == 2
    for machine in (first, second):
        assert "acme.example.com" in machine.output("tenant", "list", RINGPOST_KEYS=lines)
