"""A worker takes on no more than it has memory for; the rest stays in the outbox as if never claimed."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from tests.patience import patience
from tests.worker.posts import report, report_large, save, sent
from tests.worker.slow_server import slow_server

from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.room import Room
from ringpost.worker.windows import SLOT_BYTES


def wanted(name: str, bytes_left: int, *, one_however_large: bool) -> Wanted:
    """Slots for everything, memory for so much."""
    return Wanted(
        name,
        60_000,
        100,
        100,
        100,
        lambda queues, _urgency, _free, _taken: dict.fromkeys(queues, 100),
        bytes_left,
        one_however_large,
    )


async def test_what_there_is_no_memory_for_is_left_to_others(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW", 3)

    one, *_ = await Ring().claim_deliveries(room, wanted("w1-1", 1, one_however_large=True))
    none, more, *_ = await Ring().claim_deliveries(room, wanted("w1-2", 1, one_however_large=False))
    rest, *_ = await Ring().claim_deliveries(room, wanted("w2-1", 1_000_000, one_however_large=True))

    assert [work.counts_as for work in one] == [1], "one mail goes however large"
    assert one[0].size == 1
    assert one[0].more > 100
    assert (none, more) == ([], False), "and nobody asks again and again"
    assert len(rest) == 2
    assert {work.claimed.attempts for work in rest} == {0}


async def test_memory_that_is_kept_for_emergencies_is_left_alone(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW")
    asked = replace(wanted("w1-1", 100_000, one_however_large=True), bytes_kept=100_000)
    assert [work.size for work in (await Ring().claim_deliveries(room, asked)).works] == [0]


@pytest.mark.usefixtures("worker")
async def test_a_large_mail_does_not_wait_until_nothing_else_is_in_hand(
    tenant_client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    async with slow_server() as slow, slow_server() as quick:
        slow.answers.clear()
        await save(tenant_client, slow.port)
        await save(other_client, quick.port)
        await report(tenant_client, "DISK_LOW", 3)
        await report_large(other_client, SLOT_BYTES * 64)  # more than the worker has
        async with patience(20):
            while not quick.mails.total():
                await asyncio.sleep(0.01)
        assert not slow.mails
        slow.answers.set()
        await sent(tenant_client, 3)
