"""A worker takes on no more than it has memory for; the rest stays in the outbox as if never claimed."""

import httpx
from tests.worker.posts import report, save

from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.room import Room


def wanted(name: str, bytes_left: int, *, empty_handed: bool) -> Wanted:
    """Slots for everything, memory for so much."""
    return Wanted(
        name,
        60_000,
        100,
        100,
        lambda queues, _urgency, _free, _taken: dict.fromkeys(queues, 100),
        bytes_left,
        empty_handed,
    )


async def test_what_there_is_no_memory_for_is_left_to_others(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await save(tenant_client, 2525)
    await report(tenant_client, "DISK_LOW", 3)

    one, *_ = await Ring().claim_deliveries(room, wanted("w1-1", 1, empty_handed=True))
    none, more, *_ = await Ring().claim_deliveries(room, wanted("w1-2", 1, empty_handed=False))
    rest, *_ = await Ring().claim_deliveries(room, wanted("w2-1", 1_000_000, empty_handed=True))

    assert len(one) == 1, "one mail goes however large"
    assert (none, more) == ([], False), "and nobody asks again and again"
    assert len(rest) == 2
    assert {work.claimed.attempts for work in rest} == {0}
