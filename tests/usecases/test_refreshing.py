"""Staying logged in: for how long, and what ends it, at whatever moment it comes."""

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection
from tests.patience import patience
from tests.storage.test_cancelling import SOMEBODY_WAITS
from tests.usecases.people import login
from tests.usecases.tokens import who

from ringpost.domain.access import User, hash_token
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import TenantId
from ringpost.errors import Unauthorized
from ringpost.storage import access, audit
from ringpost.storage.audit import Filter
from ringpost.storage.database import open_database
from ringpost.usecases.change_user import UserChange, change_user
from ringpost.usecases.log_in import log_in
from ringpost.usecases.log_out import log_out
from ringpost.usecases.refresh_login import refresh_login
from ringpost.usecases.room import Room

if TYPE_CHECKING:
    from tests.conftest import Clock


@pytest.mark.usefixtures("anna")
async def test_a_refresh_token_gives_the_next_pair_of_the_same_session(room: Room, clock: "Clock") -> None:
    first = await log_in(room, login())
    clock.advance(3000)
    second = await refresh_login(room, first.refresh)
    assert (await who(room, second.access)).session == (await who(room, first.access)).session
    clock.advance(29 * 24 * 3600)
    assert await refresh_login(room, second.refresh)


@pytest.mark.usefixtures("anna")
async def test_a_refresh_token_that_comes_twice_ends_the_session(room: Room, acme: TenantId) -> None:
    first = await log_in(room, login())
    second = await refresh_login(room, first.refresh)
    other = await log_in(room, login())
    with pytest.raises(Unauthorized):
        await refresh_login(room, first.refresh)
    for refused in (who(room, first.access), who(room, second.access), refresh_login(room, second.refresh)):
        with pytest.raises(Unauthorized):
            await refused
    assert await who(room, other.access), "the other session goes on"
    actions = [entry.action for entry in await room.database.read(audit.page, acme, Filter(), 99)]
    assert actions.count("end_session_after_reuse") == 1


@pytest.mark.usefixtures("anna")
async def test_a_refresh_token_that_comes_to_two_processes_at_once_ends_the_session(
    room: Room, database_url: str
) -> None:
    other = replace(room, database=await open_database(database_url))
    pair = await log_in(room, login())
    found = await asyncio.gather(
        *(refresh_login(process, pair.refresh) for process in (room, other)), return_exceptions=True
    )
    await other.database.close()
    [refused] = [one for one in found if isinstance(one, BaseException)]
    [second] = [one for one in found if not isinstance(one, BaseException)]
    assert isinstance(refused, Unauthorized)
    for token in (pair.access, second.access):
        with pytest.raises(Unauthorized):
            await who(room, token)


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_another_password_ends_what_another_process_is_just_beginning(
    room: Room, acme: TenantId, anna: User, database_url: str
) -> None:
    other = replace(room, database=await open_database(database_url))
    first = await log_in(room, login())
    go, begun, go_on = threading.Event(), threading.Event(), threading.Event()

    def stay_in_the_transaction(_connection: Connection) -> None:
        begun.set()
        go_on.wait(20)

    waiting = asyncio.create_task(other.database.write(lambda _: go.wait(20)))
    refreshing = asyncio.create_task(refresh_login(other, first.refresh))
    staying = asyncio.create_task(other.database.write(stay_in_the_transaction))
    await asyncio.sleep(0.05)
    go.set()
    assert await asyncio.to_thread(begun.wait, 20)
    changing = asyncio.create_task(change_user(room, acme, anna.id, UserChange(password="another long password")))
    async with patience(20):
        while not await room.database.read(lambda connection: connection.execute(SOMEBODY_WAITS).scalar_one()):
            await asyncio.sleep(0.02)
    go_on.set()
    second, *_ = await asyncio.gather(refreshing, changing, waiting, staying)
    await other.database.close()

    for token in (first.access, second.access):
        with pytest.raises(Unauthorized):
            await who(room, token)


@pytest.mark.usefixtures("anna")
async def test_a_refresh_token_expires_and_is_no_access_token(room: Room, clock: "Clock") -> None:
    pair = await log_in(room, login())
    for refused in (who(room, pair.refresh), refresh_login(room, pair.access), refresh_login(room, Secret(""))):
        with pytest.raises(Unauthorized):
            await refused
    clock.advance(30 * 24 * 3600)
    with pytest.raises(Unauthorized):
        await refresh_login(room, pair.refresh)


@pytest.mark.usefixtures("anna")
async def test_logging_out_ends_this_session_only(room: Room) -> None:
    one, other = await log_in(room, login()), await log_in(room, login())
    await log_out(room, await who(room, one.access))
    for refused in (who(room, one.access), refresh_login(room, one.refresh)):
        with pytest.raises(Unauthorized):
            await refused
    assert await who(room, other.access)


@pytest.mark.usefixtures("anna")
async def test_used_refresh_tokens_are_remembered_until_they_would_have_expired(room: Room, clock: "Clock") -> None:
    first = await log_in(room, login())
    clock.advance(7200)
    second = await refresh_login(room, first.refresh)
    clock.advance(1)
    await room.database.write(access.forget_ended_tokens, clock.ms)
    assert await room.database.read(access.find_token, hash_token(first.access.reveal())) is None
    with pytest.raises(Unauthorized):
        await refresh_login(room, first.refresh)
    with pytest.raises(Unauthorized):
        await who(room, second.access)
    clock.advance(31 * 24 * 3600)
    while await room.database.write(access.forget_ended_tokens, clock.ms):
        pass
    assert await room.database.read(access.find_token, hash_token(second.refresh.reveal())) is None
