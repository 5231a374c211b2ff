"""Lending the system's mail server, where several processes do it at the same time."""

import asyncio
from dataclasses import replace

from sqlalchemy import select

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage.database import open_database
from ringpost.storage.outbox import Claimed
from ringpost.storage.tables import loans
from ringpost.usecases.lend_server import lend_server
from ringpost.usecases.room import Room

ROUNDS = 300
PER_HOUR = 500


async def test_what_two_processes_lend_at_the_same_time_is_counted(room: Room, database_url: str) -> None:
    one = replace(room, options=replace(room.options, borrowed_mails_per_hour=PER_HOUR))
    other = replace(one, database=await open_database(database_url))

    granted = await asyncio.gather(borrow_again_and_again(one), borrow_again_and_again(other))
    await other.database.close()

    used = await room.database.read(lambda connection: connection.execute(select(loans.c.used)).scalar_one())
    assert sum(granted) == used == PER_HOUR


async def test_where_the_operator_sets_no_limit_nothing_waits_and_nothing_is_counted(room: Room) -> None:
    unlimited = replace(room, options=replace(room.options, borrowed_mails_per_hour=0))
    assert await borrow_again_and_again(unlimited) == ROUNDS
    assert await room.database.read(lambda connection: connection.execute(select(loans)).all()) == []


async def borrow_again_and_again(room: Room) -> int:
    """One mail in each write; returns how many were granted."""
    tenant, queue, to = TenantId("t1"), "system:t1", "a@acme.example"
    mail = Claimed("e-1", tenant, "e", to, Urgency.NORMAL, False, queue, 0, 0, 0, 0, "w-1.2")
    return sum([len(await room.database.write(lend_server, room, [mail])) for _ in range(ROUNDS)])
