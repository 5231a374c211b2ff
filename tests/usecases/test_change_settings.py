"""Changing settings: what waits goes on at once, through the server now in force."""

import asyncio
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, func, insert, select
from tests.patience import patience

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Invalid, PasswordRequired
from ringpost.storage import audit, settings
from ringpost.storage.audit import Filter
from ringpost.storage.keyring import KeyRing
from ringpost.storage.queues import MOVED_AT_ONCE, SYSTEMS_OWN
from ringpost.storage.sealing import Sealer
from ringpost.storage.tables import deliveries, events, holds
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

pytestmark = pytest.mark.usefixtures("acme_itself")

ACME = TenantId("acme")
RAW: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@acme.example",
    "password": "p",
}
MANY = 4 * MOVED_AT_ONCE + 1
SECRET_APP = {"provider": "MS365", "tenant": "example.org", "client_id": "an-app", "client_secret": "a-secret"}


def administrator(tenant: TenantId) -> Principal:
    role = Role.SYSTEM_ADMIN if tenant == SYSTEM else Role.TENANT_ADMIN
    return Principal(tenant, role, SCOPES_OF_ROLE[role], "ann", "token")


def wait_in(
    connection: Connection, queue: str, tenant: TenantId, *, until: int = 1, urgency: Urgency = Urgency.NORMAL
) -> None:
    """A delivery that waits, with what it hangs on; with `until`, it has been tried and waits for that time."""
    event = {"key": queue, "tenant": tenant, "id": queue, "type": "RECHARGE", "occurred_at": 1, "accepted_at": 1}
    connection.execute(insert(events).values(**event, fingerprint=b""))
    times = {"created_at": 1, "due_at": until, "expires_at": 9, "deferred": until > 1}
    waiting = {"id": queue, "tenant": tenant, "event": queue, "type": "RECHARGE", "recipient": "a@example.com"}
    connection.execute(insert(deliveries).values(**waiting, **times, urgency=urgency, queue=queue, state="queued"))


def many_wait_in(connection: Connection, queue: str, until: int) -> None:
    """More deliveries of Acme than one write takes along."""
    wait_in(connection, queue, ACME, until=until)
    [row] = connection.execute(select(deliveries)).mappings().all()
    more = [{**row, "id": f"{row['id']}-{number:04}"} for number in range(1, MANY)]
    connection.execute(insert(deliveries), more)


def gone_on(connection: Connection) -> int:
    """How many deliveries wait for Acme's own server, and not for another try."""
    mine = select(func.count()).where(deliveries.c.queue == ACME, deliveries.c.deferred.is_(False))
    return connection.execute(mine).scalar_one()


def hold(connection: Connection, lane: str) -> None:
    why = {"failures": 3, "party": "configuration", "stage": "auth", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane=lane, since=1, until=9, **why))


def lanes_on_hold(connection: Connection) -> set[str]:
    return set(connection.execute(select(holds.c.lane)).scalars())


def queues(connection: Connection) -> set[str]:
    return set(connection.execute(select(deliveries.c.queue)).scalars())


async def test_a_change_releases_the_hold_of_the_lane_and_rings_the_bell(room: Room) -> None:
    await change_settings(room, administrator(ACME), RAW)
    for lane in (ACME, "other", SYSTEM):
        await room.database.write(hold, lane)
    rung = room.bell.rings

    await change_settings(room, administrator(ACME), RAW | {"password": "corrected"})

    assert await room.database.read(lanes_on_hold) == {"other", SYSTEM}
    assert room.bell.rings > rung


async def test_a_change_of_the_system_releases_the_lanes_of_its_borrowers_and_its_own(room: Room) -> None:
    for lane in (ACME, SYSTEM, SYSTEMS_OWN):
        await room.database.write(hold, lane)

    await change_settings(room, administrator(SYSTEM), RAW)

    assert await room.database.read(lanes_on_hold) == {ACME}


async def test_a_first_server_of_its_own_takes_over_what_waits_for_the_systems(room: Room) -> None:
    await room.database.write(wait_in, f"system:{ACME}", ACME)
    await room.database.write(wait_in, "system:other", TenantId("other"))

    await change_settings(room, administrator(ACME), RAW)

    assert await room.database.read(queues) == {ACME, "system:other"}


async def test_a_server_that_cannot_send_any_more_hands_back_what_waits(room: Room) -> None:
    await change_settings(room, administrator(ACME), RAW)
    await room.database.write(wait_in, ACME, ACME)

    await change_settings(room, administrator(ACME), RAW | {"username": "pbx"})  # no address to send from

    assert await room.database.read(queues) == {f"system:{ACME}"}


async def test_emergencies_that_wait_for_a_server_that_fails_go_through_the_systems_once_it_has_its_credentials(
    room: Room,
) -> None:
    await change_settings(room, administrator(SYSTEM), {"type": "MS365", "username": "pbx@sender.example"})
    await change_settings(room, administrator(ACME), RAW)
    await room.database.write(partial(wait_in, urgency=Urgency.EMERGENCY), ACME, ACME)
    await room.database.write(hold, ACME)

    await change_oauth(room, administrator(SYSTEM), SECRET_APP)

    assert await room.database.read(queues) == {f"system:{ACME}"}


@pytest.mark.parametrize("changed", [{"username": "pbx"}, {"password": "corrected"}], ids=["lost", "kept"])
async def test_what_waited_for_another_try_goes_at_once_through_whatever_server_is_in_force(
    room: Room, changed: dict[str, str]
) -> None:
    await change_settings(room, administrator(ACME), RAW)
    await room.database.write(partial(wait_in, until=room.clock() + 3_600_000), ACME, ACME)

    await change_settings(room, administrator(ACME), RAW | changed)

    def when(connection: Connection) -> list[tuple[int, bool]]:
        return [(row.due_at, row.deferred) for row in connection.execute(select(deliveries))]

    assert await room.database.read(when) == [(room.clock(), False)]


@pytest.mark.parametrize(("queue", "waits_s"), [(f"system:{ACME}", 0), (ACME, 3600)], ids=["moved", "tried again"])
async def test_others_write_in_between_when_much_mail_goes_on_through_another_server(
    room: Room, queue: str, waits_s: int
) -> None:
    if queue == ACME:
        await change_settings(room, administrator(ACME), RAW)
    await room.database.write(many_wait_in, queue, room.clock() + waits_s * 1000 if waits_s else 1)
    counted = {0}

    saving = asyncio.create_task(change_settings(room, administrator(ACME), RAW | {"password": "corrected"}))
    while not saving.done():
        counted.add(await room.database.write(gone_on))
    await saving

    assert await room.database.read(gone_on) == MANY
    assert len(counted - {0, MANY}) > 1, "somebody else's turn has come more than once"


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_a_mail_that_somebody_is_writing_keeps_none_of_the_others_from_going_on(
    room: Room, slow: psycopg.AsyncConnection
) -> None:
    await room.database.write(many_wait_in, f"system:{ACME}", 1)
    late = select(deliveries.c.id).order_by(deliveries.c.id).offset(MANY - MOVED_AT_ONCE // 2).limit(1)
    written = await room.database.read(lambda connection: connection.execute(late).scalar_one())
    await slow.execute("SELECT id FROM deliveries WHERE id = %s FOR UPDATE", [written])

    saving = asyncio.create_task(change_settings(room, administrator(ACME), RAW))
    async with patience(20):
        while await room.database.read(gone_on) < MANY - 1:
            await asyncio.sleep(0.01)
    await slow.rollback()
    await saving

    assert await room.database.read(gone_on) == MANY


async def test_what_is_refused_changes_nothing(room: Room) -> None:
    await change_settings(room, administrator(ACME), RAW)
    before = await room.database.read(settings.load, room.sealer, ACME)

    with pytest.raises(Invalid):
        await change_settings(room, administrator(ACME), RAW | {"port": -1})
    with pytest.raises(PasswordRequired):
        await change_settings(room, administrator(ACME), {**RAW, "password": None, "server": "evil.example.com"})

    assert await room.database.read(settings.load, room.sealer, ACME) == before
    assert len(await room.database.read(audit.page, ACME, Filter(), 99)) == 1


async def test_a_password_whose_key_is_gone_can_be_given_again(room: Room) -> None:
    lost = Sealer(KeyRing.fresh())
    await change_settings(room, administrator(ACME), RAW)
    before = await room.database.read(settings.load, room.sealer, ACME)
    await room.database.write(settings.save, lost, ACME, before)

    with pytest.raises(PasswordRequired):
        await change_settings(room, administrator(ACME), {**RAW, "password": None})
    await change_settings(room, administrator(ACME), RAW)

    assert await room.database.read(settings.load, room.sealer, ACME) == before
