"""Mail that a worker takes on in the commit that accepts it, when that commit fails, or one event of it does."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import Connection, event, exc
from tests.journeys.running import mailbox
from tests.patience import patience
from tests.postgresql import PostgresServer
from tests.worker.next_commit import next_commit
from tests.worker.posts import report, save, sent

from ringpost.domain.deliveries import Urgency
from ringpost.domain.endpoints import Endpoint
from ringpost.errors import StorageUnavailable
from ringpost.usecases.deliver import Work
from ringpost.usecases.room import Room
from ringpost.worker import Worker

AT_ONCE = 20
COMMITS = 5
"""Together more mails than the worker has slots."""


def spoil(_connection: Connection) -> None:
    """What a full disk does: nobody's writes of this commit can be stored."""
    raise exc.OperationalError("INSERT", {}, OSError("no room"))


async def refused(client: httpx.AsyncClient, room: Room) -> None:
    """Post events that share a commit with something that fails it."""
    begun, go_on = threading.Event(), threading.Event()

    def keep_waiting(_connection: Connection) -> bool:
        begun.set()
        return go_on.wait(20)

    before = asyncio.create_task(room.database.write(keep_waiting))
    assert await asyncio.to_thread(begun.wait, 20)
    posting = asyncio.create_task(client.post("/events", json={"events": [{"type": "DISK_LOW"}] * AT_ONCE}))
    spoiling = asyncio.create_task(room.database.write(spoil))
    async with patience(20):
        while not any(job.weight == AT_ONCE for job in next_commit(room)):
            await asyncio.sleep(0.01)
    go_on.set()
    assert await before
    assert (await posting).status_code == 503
    with pytest.raises(StorageUnavailable):
        await spoiling


async def test_what_was_taken_on_in_commits_that_failed_is_put_down_and_never_sent(
    tenant_client: httpx.AsyncClient, room: Room, worker: Worker
) -> None:
    async with mailbox() as box:
        await save(tenant_client, box.port)
        await report(tenant_client, "DISK_LOW")
        await sent(tenant_client, 1)
        for _ in range(COMMITS):
            await refused(tenant_client, room)
        assert worker.slots < COMMITS * AT_ONCE
        assert worker.in_hand == 0
        await report(tenant_client, "DISK_LOW", AT_ONCE)
        await sent(tenant_client, 1 + AT_ONCE)
        assert sorted(box.message_ids.values()) == [1] * (1 + AT_ONCE)


class Clumsy:
    """A worker that fails at taking on the second mail."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun: list[str] = []
        self.dropped: list[str] = []

    def claim(self) -> tuple[str, int]:
        return "clumsy-1", 60_000

    def take(self, queue: str, urgency: Urgency, size: int, endpoint: Endpoint) -> bool:  # noqa: ARG002
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("a fault of ours")
        return True

    def begin(self, works: Sequence[Work]) -> None:
        self.begun += [work.claimed.recipient for work in works]

    def put_down(self, works: Sequence[Work]) -> None:
        self.dropped += [work.claimed.recipient for work in works]


async def test_a_fault_of_ours_at_one_event_leaves_nothing_of_it_and_stops_no_other(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, 2525)
    clumsy = Clumsy()
    room.takers.join(clumsy)

    events = [
        {"type": "VOICEMAIL_RECEIVED", "id": "bad", "recipients": ["a@example.com", "b@example.com"]},
        {"type": "VOICEMAIL_RECEIVED", "id": "good", "recipients": ["c@example.com"]},
    ]
    answer = await tenant_client.post("/events", json={"events": events})

    assert [result["status"] for result in answer.json()["results"]] == [500, 202]
    assert (await tenant_client.get("/events/bad")).status_code == 404
    stored = (await tenant_client.get("/deliveries")).json()["items"]
    assert [(one["recipient"], one["state"]) for one in stored] == [("c@example.com", "sending")]
    assert (clumsy.begun, clumsy.dropped) == (["c@example.com"], ["a@example.com"])


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_what_was_taken_on_is_put_down_when_the_bell_cannot_be_rung(
    tenant_client: httpx.AsyncClient, room: Room, worker: Worker, postgres: PostgresServer
) -> None:
    killed: list[int] = []

    def kill(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("NOTIFY") and not killed:
            killed.append(cast("Any", connection.connection.driver_connection).info.backend_pid)
            with postgres.connect() as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s, 5000)", killed)

    async with mailbox() as box:
        await save(tenant_client, box.port)
        writer = room.database._writer  # pyright: ignore[reportPrivateUsage]
        event.listen(writer, "before_cursor_execute", kill)

        await report(tenant_client, "DISK_LOW", AT_ONCE)  # some are taken on, and the others wait

        assert killed
        await box.holds(AT_ONCE)
        await sent(tenant_client, AT_ONCE)
    assert worker.in_hand == 0
