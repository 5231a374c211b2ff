"""What was borrowed and given back untried counts once: when it is claimed again."""

import httpx
import pytest
from sqlalchemy import Connection, insert
from tests.conftest import Clock
from tests.worker.posts import borrow, report, save
from tests.worker.test_memory import wanted

from ringpost.domain.tenants import TenantId
from ringpost.storage import loans
from ringpost.storage.outbox import Claimed
from ringpost.storage.tables import holds
from ringpost.usecases.claim_deliveries import Ring
from ringpost.usecases.give_back import give_back
from ringpost.usecases.room import Room


@pytest.fixture(autouse=True)
async def eight(tenant_client: httpx.AsyncClient, admin_client: httpx.AsyncClient) -> None:
    """Eight mails of a tenant that may borrow for five an hour."""
    await save(admin_client, 2525)
    await borrow(tenant_client)
    await report(tenant_client, "DISK_LOW", 8)


async def claims(
    room: Room, name: str, bytes_left: int = 1_000_000, *, one_however_large: bool = True
) -> list[Claimed]:
    """What a worker takes."""
    works, *_ = await Ring().claim_deliveries(room, wanted(name, bytes_left, one_however_large=one_however_large))
    return [work.claimed for work in works]


async def used(room: Room, tenant: TenantId) -> int:
    """How many mails of the tenant's hour are counted."""
    return (await room.database.write(loans.keep, [tenant]))[tenant].used


async def test_what_there_was_no_memory_for_goes_in_the_same_hour(room: Room, acme: TenantId) -> None:
    assert len(await claims(room, "w1-1", bytes_left=1)) == 1
    assert await used(room, acme) == 1
    assert len(await claims(room, "w2-1")) == 4, "its queue does not wait for the end of the hour"
    assert await claims(room, "w3-1") == []
    assert await used(room, acme) == 5


async def test_what_was_claimed_without_hearing_of_it_counts_once(room: Room, acme: TenantId) -> None:
    unheard = await claims(room, "w1-1")
    assert len(unheard) == 5
    await give_back(room, {item.claim for item in unheard})
    assert await used(room, acme) == 0
    assert len(await claims(room, "w1-2")) == 5


async def test_what_was_never_counted_is_not_taken_off(
    tenant_client: httpx.AsyncClient, room: Room, acme: TenantId, clock: Clock
) -> None:
    assert len(await claims(room, "w1-1")) == 5
    await room.database.write(_hold, "system", clock.ms)
    await report(tenant_client, "EMERGENCY_CALL")
    taken = await claims(room, "w2-1")
    assert [item.probe for item in taken] == [False, True], "an emergency, and one that tries out the server"
    await give_back(room, {item.claim for item in taken})
    assert await used(room, acme) == 5


def _hold(connection: Connection, lane: str, now: int) -> None:
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane=lane, since=now, until=now, **why))
