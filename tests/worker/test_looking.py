"""What a look for mail says of itself: whether the next one may be quick, and how long the looking took."""

import asyncio
import threading
import time
from base64 import b64encode

import httpx
import pytest
from tests.conftest import Clock
from tests.worker.posts import report, save
from tests.worker.test_memory import wanted

from ringpost.usecases.claim_deliveries import LATELY_MS, QUICK_BYTES, Look, Ring
from ringpost.usecases.room import Room

ROOM = 100_000_000


@pytest.fixture(autouse=True)
async def mail_server(tenant_client: httpx.AsyncClient) -> None:
    """One that is never asked."""
    await save(tenant_client, 2525)


async def look(room: Room, name: str, *, quick: bool = False) -> Look:
    return await Ring().claim_deliveries(room, wanted(name, ROOM, empty_handed=False, quick=quick))


async def report_large(client: httpx.AsyncClient, octets: int) -> None:
    recording = {"filename": "a.wav", "content_type": "audio/wav", "content": b64encode(b"\1" * octets).decode()}
    voicemail = {"type": "VOICEMAIL_RECEIVED", "recipients": ["a@example.com"], "attachments": [recording]}
    answer = await client.post("/events", json=voicemail)
    assert answer.status_code == 202, answer.text


async def test_small_mail_of_late_is_usual_and_so_is_nothing(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await report(tenant_client, "DISK_LOW", 3)
    found, nothing = await look(room, "w1-1"), await look(room, "w1-2")
    assert (len(found.works), found.more, found.usual) == (3, True, True)
    assert (len(nothing.works), nothing.more, nothing.usual) == (0, False, True)


async def test_old_mail_is_not_usual_because_its_message_may_have_to_come_from_the_disk(
    tenant_client: httpx.AsyncClient, room: Room, clock: Clock
) -> None:
    await report(tenant_client, "DISK_LOW")
    clock.advance(LATELY_MS / 1000 + 1)
    await report(tenant_client, "DISK_LOW")
    found = await look(room, "w1-1")
    assert (len(found.works), found.usual) == (2, False)


async def test_a_recording_is_not_usual(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await report_large(tenant_client, 100_000)
    found = await look(room, "w1-1")
    assert (len(found.works), found.usual) == (1, False)


async def test_a_quick_look_leaves_large_messages_to_the_next_one(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await report(tenant_client, "DISK_LOW", 2)
    await report_large(tenant_client, QUICK_BYTES)
    quick, next_one = await look(room, "w1-1", quick=True), await look(room, "w1-2")
    assert (len(quick.works), quick.more, quick.usual) == (2, True, False)
    assert [work.claimed.attempts for work in next_one.works] == [0]
    assert next_one.works[0].size > QUICK_BYTES


async def test_a_quick_look_that_finds_nothing_but_a_large_message_asks_for_another_look(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await report_large(tenant_client, QUICK_BYTES)
    quick = await look(room, "w1-1", quick=True)
    assert (quick.works, quick.more, quick.usual) == ([], True, False)


async def test_waiting_for_others_to_write_is_no_part_of_looking(room: Room) -> None:
    free = threading.Event()
    other = asyncio.create_task(room.database.write(lambda _connection: free.wait(60)))
    begun = time.monotonic()
    looking = asyncio.create_task(look(room, "w1-1"))
    await asyncio.sleep(0.5)
    free.set()
    found = await looking
    assert time.monotonic() - begun - found.took_s >= 0.5
    await other
