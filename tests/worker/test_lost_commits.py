"""A commit that stands although nobody heard of it: what it claimed is sent soon, and nothing is sent twice."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.conftest import Clock
from tests.journeys.running import Mailbox, mailbox
from tests.patience import patience
from tests.postgresql import PostgresServer
from tests.worker.middleman import Middleman, middleman
from tests.worker.next_commit import next_commit
from tests.worker.posts import is_sent, report, save, sent, story

from ringpost.storage.database import open_database
from ringpost.storage.tables import deliveries
from ringpost.usecases.bell import Bell
from ringpost.usecases.room import Room
from ringpost.worker import Worker, WorkerOptions

Recover = Callable[[], Coroutine[None, None, bool]]
NEVER = 3600.0
"""Seconds between two sweeps: the test has them made when it wants them."""
ACCEPTED, CLAIMED = b"INSERT INTO deliveries", b"SET state = 'sending'"
"""What a commit that takes mail on says to PostgreSQL, as it is accepted or later."""


@pytest.fixture
def kind_of_database() -> str:
    """The other one is in the same process, and answers or fails."""
    return "postgresql"


@pytest.fixture
async def between(postgres: PostgresServer) -> AsyncIterator[Middleman]:
    """On the way to the database."""
    async with middleman(postgres.port) as opened:
        yield opened


@pytest.fixture
async def room(room: Room, between: Middleman, postgres: PostgresServer, database_url: str) -> AsyncIterator[Room]:
    """The room, with the middleman between it and its database."""
    database = await open_database(database_url.replace(f":{postgres.port}/", f":{between.port}/"))
    yield replace(room, database=database, bell=Bell())
    await database.close()


@asynccontextmanager
async def working(room: Room, sweep_s: float = 0.05) -> AsyncGenerator[Worker]:
    """A worker that looks often."""
    worker = Worker(room, WorkerOptions(slots=64, poll_s=0.02, sweep_s=sweep_s))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def posted(client: httpx.AsyncClient, event: dict[str, Any]) -> str:
    """Post an event until it is taken; its delivery."""
    async with patience(15):
        while (answer := await client.post("/events", json=event)).status_code != 202:
            await asyncio.sleep(0.05)
    return answer.json()["deliveries"][0]["id"]


EVENT = {"type": "DISK_LOW", "id": "e-1"}


async def test_what_was_handed_over_in_a_commit_whose_answer_was_lost_is_sent_soon_and_once(
    tenant_client: httpx.AsyncClient, room: Room, between: Middleman
) -> None:
    async with mailbox() as box, working(room):
        await save(tenant_client, box.port)
        between.lose_answer(ACCEPTED)
        answer = await tenant_client.post("/events", json=EVENT)
        assert answer.status_code == 503
        assert between.has_answer.is_set(), "and yet it stands"
        delivery = await posted(tenant_client, EVENT)
        found = await story(tenant_client, delivery, is_sent)  # long before a lease is over
        assert found["attempts"] == 1, "it was never tried before"
        assert list(box.message_ids.values()) == [1]


async def test_what_was_claimed_in_a_commit_whose_answer_was_lost_is_sent_soon_and_once(
    tenant_client: httpx.AsyncClient, room: Room, between: Middleman
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        (delivery,) = await report(tenant_client, "DISK_LOW")
        between.lose_answer(CLAIMED)
        async with working(room):
            async with patience(15):
                await between.has_answer.wait()
            found = await story(tenant_client, delivery, is_sent)
        assert found["attempts"] == 1
        assert list(box.message_ids.values()) == [1]


async def test_what_is_handed_over_in_a_commit_that_takes_long_is_not_given_back(
    tenant_client: httpx.AsyncClient, room: Room, between: Middleman
) -> None:
    async with mailbox() as box, working(room, sweep_s=NEVER) as worker:
        await save(tenant_client, box.port)
        box.hold_back.clear()
        recover = await swept_once(worker)
        between.delay_answer(ACCEPTED)
        posting = asyncio.create_task(tenant_client.post("/events", json=EVENT))
        await goes_on_after_a_look(room, between, box, recover)
        await sent(tenant_client, 1)
        assert (await posting).status_code == 202
        assert list(box.message_ids.values()) == [1]


async def test_what_is_claimed_in_a_commit_that_takes_long_is_not_given_back(
    tenant_client: httpx.AsyncClient, room: Room, between: Middleman, clock: Clock
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        box.hold_back.clear()
        await report(tenant_client, "DISK_LOW")
        later = update(deliveries).values(due_at=clock.ms + 1000, deferred=True)
        await room.database.write(lambda connection: connection.execute(later).close())
        async with working(room, sweep_s=NEVER) as worker:
            recover = await swept_once(worker)
            between.delay_answer(CLAIMED)
            clock.advance(1)
            await goes_on_after_a_look(room, between, box, recover)
            await sent(tenant_client, 1)
        assert list(box.message_ids.values()) == [1]


async def swept_once(worker: Worker) -> Recover:
    """Wait until the worker has swept at its start, which it does not do again; returns its look for what was lost."""
    sweeper = worker._sweeper  # pyright: ignore[reportPrivateUsage]
    async with patience(15):
        while not sweeper._warn_at:  # pyright: ignore[reportPrivateUsage]  its last step
            await asyncio.sleep(0.01)
    return sweeper._recover  # pyright: ignore[reportPrivateUsage]


async def goes_on_after_a_look(room: Room, between: Middleman, box: Mailbox, recover: Recover) -> None:
    """Let the commit end when the worker has seen twice what it does not know of yet, and the mail when it has again.

    Whatever was given back meanwhile is claimed again, and comes twice.
    """
    async with patience(15):
        await between.has_answer.wait()
        await recover()
        again = asyncio.create_task(recover())
        while not any(job.argument is None for job in next_commit(room)):  # a write that no claim of new mail is
            await asyncio.sleep(0.01)
        between.pass_on.set()
        await again
        await box.asked.wait()
        await recover()
        await recover()
    box.hold_back.set()
