"""Purging: what goes when, in small bites, and what stays."""

import asyncio
import threading
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Table, func, insert, select, update
from tests.conftest import Clock
from tests.patience import patience

from ringpost.domain.access import CONSOLE_IDLE_S, Principal, Role
from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.errors import WrongState
from ringpost.storage.database import open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.sealing import Place
from ringpost.storage.tables import (
    attempts,
    console_sessions,
    deliveries,
    events,
    invitations,
    messages,
    tokens,
    users,
)
from ringpost.usecases.cancel_delivery import cancel_delivery
from ringpost.usecases.expire_overdue import expire_overdue
from ringpost.usecases.purge import BITE, purge
from ringpost.usecases.retry_delivery import retry_delivery
from ringpost.usecases.room import Room

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


def put(connection: Connection, at: int, count: int, *ends: dict[str, Any], name: str = "e") -> None:
    """So many events of this moment, each with a delivery for each of `ends`, that was tried once."""
    keys = [f"{name}{number:05}" for number in range(count)]
    event = {"tenant": "acme", "type": "DISK_LOW", "occurred_at": at, "accepted_at": at, "fingerprint": b""}
    connection.execute(insert(events), [{**event, "key": key, "id": key, "variables": b"sealed"} for key in keys])
    connection.execute(insert(messages), [{"event": key, "tenant": "acme", "content": b"sealed"} for key in keys])
    delivery = {
        "tenant": "acme", "type": "DISK_LOW", "recipient": "a@example.com", "urgency": Urgency.NORMAL, "queue": "acme",
        "created_at": at, "due_at": at, "expires_at": at + 3 * DAY_MS, "attempts": 1,
    }  # fmt: skip
    attempt = {
        "number": 1, "tenant": "acme", "started_at": at, "duration_ms": 1, "verdict": "retry", "stage": "rcpt_to",
        "reply": "", "hint": "", "ambiguous": False,
    }  # fmt: skip
    of_each = [{"event": key, "id": f"{key}-{place}", **end} for key in keys for place, end in enumerate(ends, 1)]
    if of_each:
        connection.execute(insert(deliveries), [{**delivery, **one} for one in of_each])
        connection.execute(insert(attempts), [{**attempt, "delivery": one["id"]} for one in of_each])


def ended(at: int, *, keep_ms: int = DAY_MS) -> dict[str, Any]:
    """A delivery that was rejected at this moment."""
    return {"state": State.REJECTED, "ended_at": at, "erase_at": at + keep_ms}


def queued() -> dict[str, Any]:
    """A delivery that waits."""
    return {"state": State.QUEUED, "ended_at": None, "erase_at": None}


def count(connection: Connection, table: Table) -> int:
    """How many rows there are."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def rows(room: Room) -> tuple[int, int, int, int]:
    """Events, messages, deliveries and attempts."""
    found = [await room.database.read(count, table) for table in (events, messages, deliveries, attempts)]
    return found[0], found[1], found[2], found[3]


async def test_a_message_is_erased_a_day_after_it_ended_and_its_history_stays(room: Room, clock: Clock) -> None:
    await room.database.write(put, clock.ms, 1, ended(clock.ms))
    clock.advance(24 * 3600 - 1)
    assert not await purge(room)
    assert await rows(room) == (1, 1, 1, 1)
    clock.advance(1)
    await purge(room)
    assert await rows(room) == (1, 0, 1, 1)
    assert await room.database.read(lambda connection: connection.execute(select(events.c.variables)).scalar()) is None


async def test_history_goes_ninety_days_after_it_ended_with_all_that_hangs_on_it(room: Room, clock: Clock) -> None:
    await room.database.write(put, clock.ms, 1, ended(clock.ms), ended(clock.ms + DAY_MS))
    clock.advance(90 * 24 * 3600 + 3600)
    await purge(room)
    assert await rows(room) == (1, 0, 2, 2), "one of its deliveries ended a day later"
    clock.advance(24 * 3600)
    await purge(room)
    assert await rows(room) == (0, 0, 0, 0)


async def test_what_has_not_ended_is_never_purged(room: Room, clock: Clock) -> None:
    await room.database.write(put, clock.ms, 1, ended(clock.ms), queued())
    clock.advance(365 * 24 * 3600)
    assert not await purge(room)
    assert await rows(room) == (1, 1, 2, 2)


@pytest.mark.parametrize("recipients", [1, 2, 15])
async def test_what_is_due_goes_bite_by_bite_to_the_last_however_many_recipients_there_are(
    room: Room, clock: Clock, recipients: int
) -> None:
    most = 2 * BITE // recipients + 7
    await room.database.write(put, clock.ms, most, *[ended(clock.ms)] * recipients)
    clock.advance(25 * 3600)
    bites, before, more = 0, most, True
    while more:
        more = await purge(room)
        _, left, _, _ = await rows(room)
        assert before - BITE <= left < before, "every bite is a small one, and none is in vain"
        bites, before = bites + 1, left
    assert await rows(room) == (most, 0, most * recipients, most * recipients)
    assert bites >= 3


async def test_a_bite_of_large_messages_is_of_fewer(room: Room, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.storage.events.HEAVIEST_BITE", 3 * len(b"sealed"))
    await room.database.write(put, clock.ms, 7, ended(clock.ms))
    await room.database.write(put, clock.ms + 1, 2, ended(clock.ms + 1), name="f")
    larger = update(messages).where(messages.c.event == "f00000").values(content=b"sealed" * 4)
    await room.database.write(lambda connection: connection.execute(larger).close())
    clock.advance(25 * 3600)
    left, more = [9], True
    while more:
        more = await purge(room)
        left.append((await rows(room))[1])
    assert left == [9, 6, 3, 2, 1, 0], "three at a time, and what is larger than a bite by itself"


async def test_history_with_large_messages_goes_in_smaller_bites(
    room: Room, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.storage.events.HEAVIEST_BITE", 2 * len(b"sealed"))
    await room.database.write(put, clock.ms, 5, ended(clock.ms, keep_ms=1000 * DAY_MS))
    clock.advance(91 * 24 * 3600)
    left, more = [5], True
    while more:
        more = await purge(room)
        left.append((await rows(room))[0])
    assert left == [5, 3, 1, 0]


async def test_events_that_sent_nothing_are_erased_and_forgotten_in_their_time(room: Room, clock: Clock) -> None:
    await room.database.write(put, clock.ms, BITE + 1)
    skipped = update(events).values(skip_reason="NOTIFICATION_OFF", erase_at=clock.ms + DAY_MS)
    await room.database.write(lambda connection: connection.execute(skipped).close())
    clock.advance(24 * 3600)
    assert await purge(room), "there is more"
    assert not await purge(room)
    sealed = select(func.count(events.c.variables))
    assert await room.database.read(lambda connection: connection.execute(sealed).scalar()) == 0
    clock.advance(90 * 24 * 3600)
    assert await purge(room)
    assert not await purge(room)
    assert (await rows(room))[0] == 0


async def save(client: httpx.AsyncClient, **fields: bool) -> None:
    """Save a mail server, which nothing is sent through here."""
    server = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "password": "p"}
    assert (await client.post("/tenant/notification", json={**server, **fields})).status_code == 200


async def test_what_holds_secrets_goes_at_once_when_it_is_cancelled(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client, notify_user_registration=True)
    invitation = ("CONFERENCE_INVITATION", "PASSWORD")
    for kind, name in (("USER_CREATION", "USER_NAME"), invitation, ("VOICEMAIL_RECEIVED", "USER_NAME")):
        event = {"type": kind, "recipients": ["a@example.com"], "variables": {name: "jane"}}
        (made,) = (await tenant_client.post("/events", json=event)).json()["deliveries"]
        assert (await tenant_client.post(f"/deliveries/{made['id']}/cancel")).status_code == 204
    await purge(room)
    assert await types_with_variables(room) == ["VOICEMAIL_RECEIVED"], "which is kept for a day"
    assert (await rows(room))[1] == 1


async def test_secrets_go_at_once_when_the_last_is_cancelled_however_the_others_ended(room: Room, clock: Clock) -> None:
    administrator = Principal(TenantId("acme"), Role.TENANT_ADMIN, frozenset(), "anna", "u1")
    await room.database.write(put, clock.ms - 4 * DAY_MS, 1, queued(), {**queued(), "expires_at": clock.ms + DAY_MS})
    await room.database.write(lambda connection: connection.execute(update(deliveries).values(secret=True)).close())
    assert await expire_overdue(room) == 1
    assert not await purge(room)
    assert (await rows(room))[1] == 1, "the other recipient still waits for it"
    await cancel_delivery(room, administrator, "e00000-2")
    await purge(room)
    assert (await rows(room))[1] == 0


async def test_secrets_of_an_event_that_sent_nothing_are_not_even_kept(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await save(tenant_client)
    for kind in ("USER_CREATION", "QUEUE_CALLBACK"):
        event = {"type": kind, "recipients": ["a@example.com"], "variables": {"USER_NAME": "jane"}}
        assert (await tenant_client.post("/events", json=event)).json()["skipped"] == "NOTIFICATION_OFF"
    assert await types_with_variables(room) == ["QUEUE_CALLBACK"]


async def test_a_secret_is_kept_in_the_mail_and_nowhere_else(tenant_client: httpx.AsyncClient, room: Room) -> None:
    await save(tenant_client, notify_user_registration=True)
    for kind in ("USER_CREATION", "QUEUE_CALLBACK", "CONFERENCE_INVITATION"):
        variables = {"USER_NAME": "jane", "PASSWORD": "canary", "USER_PASSWORD": "canary", "QR_CODE_URL": "canary"}
        event = {"type": kind, "id": kind, "recipients": ["a@example.com"], "variables": variables}
        assert (await tenant_client.post("/events", json=event)).status_code == 202
        shown = (await tenant_client.get(f"/events/{kind}")).json()["variables"]
        assert shown == {"USER_NAME": "jane", "PASSWORD": "***", "USER_PASSWORD": "***", "QR_CODE_URL": "***"}
    query = select(events.c.tenant, events.c.key, events.c.variables)
    for row in await room.database.read(lambda connection: connection.execute(query).all()):
        kept = room.sealer.unseal(Place(row.tenant, "events", row.key, "variables"), row.variables)
        assert b"canary" not in kept


async def types_with_variables(room: Room) -> list[str]:
    """Of which types there are events that have their variables yet."""
    query = select(events.c.type).where(events.c.variables.is_not(None))
    return await room.database.read(lambda connection: list(connection.execute(query).scalars()))


async def test_a_message_stays_for_a_day_after_the_last_of_its_deliveries_ended(room: Room, clock: Clock) -> None:
    later = clock.ms + 3 * DAY_MS  # one was rejected at once, the other tried until it expired
    await room.database.write(put, clock.ms, 1, ended(clock.ms), ended(later))
    clock.advance(3 * 24 * 3600 + 60)
    await purge(room)
    assert (await rows(room))[1] == 1, "who asks for it to be retried needs its message"
    clock.advance(24 * 3600)
    await purge(room)
    assert (await rows(room))[1] == 0


async def test_sessions_and_invitations_go_when_they_are_over_and_not_before(room: Room, clock: Clock) -> None:
    await room.database.write(_come_to_the_console, clock.ms, clock.ms + HOUR_MS)
    await purge(room)
    assert [await room.database.read(count, table) for table in (console_sessions, invitations)] == [1, 1]
    clock.advance(3600)
    await purge(room)
    assert [await room.database.read(count, table) for table in (console_sessions, invitations)] == [0, 0]


async def test_keys_that_are_long_over_go_to_the_last_and_those_that_have_just_ended_are_still_listed(
    room: Room, clock: Clock
) -> None:
    await room.database.write(_give_tokens, BITE + 1, clock.ms)
    clock.advance(1)
    assert not await purge(room)
    assert await room.database.read(count, tokens) == BITE + 2, "people see which keys there were"
    clock.advance(room.options.keep_history_s + 1)
    while await purge(room):
        pass
    assert await room.database.read(count, tokens) == 0


async def test_sessions_that_nobody_uses_any_more_go_before_their_time(room: Room, clock: Clock) -> None:
    await room.database.write(_come_to_the_console, clock.ms, clock.ms + 12 * HOUR_MS)
    clock.advance(CONSOLE_IDLE_S - 1)
    await purge(room)
    assert await room.database.read(count, console_sessions) == 1
    clock.advance(1)
    await purge(room)
    assert await room.database.read(count, console_sessions) == 0


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_workers_that_purge_at_the_same_time_do_not_wait_for_each_other(
    room: Room, clock: Clock, database_url: str
) -> None:
    long_ago = clock.ms - 100 * DAY_MS
    await room.database.write(put, long_ago, 3, ended(long_ago), name="history")
    await room.database.write(put, clock.ms, 3, ended(clock.ms - DAY_MS), name="message")
    await room.database.write(put, clock.ms, 3, name="skipped")
    await room.database.write(_skip_and_expire, clock.ms)
    reader, other = open_engines(database_url)
    with other.begin() as connection:  # another worker, in the middle of the same bites
        for column in (events.c.key, tokens.c.id, console_sessions.c.id, invitations.c.username):
            connection.execute(select(column).with_for_update()).all()
        async with patience(10):
            assert not await purge(room)
    await purge(room)
    reader.dispose()
    other.dispose()
    assert await rows(room) == (6, 3, 3, 3)
    for table in (tokens, console_sessions, invitations):
        assert await room.database.read(count, table) == 0


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
async def test_a_worker_ends_what_is_overdue_without_waiting_for_another_that_does(
    room: Room, clock: Clock, database_url: str
) -> None:
    await room.database.write(put, clock.ms - 4 * DAY_MS, 3, queued())
    reader, other = open_engines(database_url)
    with other.begin() as connection:
        connection.execute(select(deliveries.c.id).order_by(deliveries.c.id).limit(1).with_for_update()).all()
        async with patience(10):
            assert await expire_overdue(room) == 2
    assert await expire_overdue(room) == 1
    reader.dispose()
    other.dispose()


@pytest.mark.parametrize("kind_of_database", ["postgresql"])
@pytest.mark.parametrize(
    ("first", "goes"), [("the retry", "its message"), ("the purge", "its message"), ("the retry", "its history")]
)
async def test_what_is_retried_while_another_process_purges_stays_or_is_refused(
    room: Room, clock: Clock, database_url: str, first: str, goes: str
) -> None:
    if goes == "its history":  # before its message, as the operator may have it
        room = replace(room, options=replace(room.options, keep_history_s=24 * 3600, keep_messages_s=90 * 24 * 3600))
    ended_at = clock.ms - 2 * DAY_MS
    await room.database.write(put, ended_at, 1, ended(ended_at, keep_ms=room.options.keep_messages_s * 1000))
    other = replace(room, database=await open_database(database_url))
    begun, go_on = threading.Event(), threading.Event()

    def stay_in_the_transaction(_connection: Connection) -> None:
        begun.set()
        go_on.wait(20)

    def does(process: Room, what: str) -> Awaitable[Any]:
        by_hand = Principal(TenantId("acme"), Role.TENANT_ADMIN, frozenset(), "anna", "u1")
        return retry_delivery(process, by_hand, "e00000-1") if what == "the retry" else purge(process)

    async with asyncio.TaskGroup() as group:
        gate = threading.Event()
        group.create_task(other.database.write(lambda _: gate.wait(20)))
        doing = asyncio.ensure_future(does(other, first))
        group.create_task(other.database.write(stay_in_the_transaction))
        await asyncio.sleep(0.05)
        gate.set()
        assert await asyncio.to_thread(begun.wait, 20)
        meanwhile = asyncio.ensure_future(does(room, "the purge" if first == "the retry" else "the retry"))
        await asyncio.wait([meanwhile], timeout=1)  # as long as it waits for the other one's rows
        go_on.set()
        results = await asyncio.gather(doing, meanwhile, return_exceptions=True)
    await other.database.close()

    state = await room.database.read(lambda connection: connection.execute(select(deliveries.c.state)).scalar_one())
    kept = await room.database.read(count, messages)
    if first == "the retry":
        assert (state, kept) == ("queued", 1)
    else:
        assert (state, kept) == ("rejected", 0)
        assert isinstance(results[1], WrongState)


def _skip_and_expire(connection: Connection, now: int) -> None:
    """Events that sent nothing and are to be erased; a token, a session and an invitation that ended long ago."""
    skipped = events.c.key.like("skipped%")
    connection.execute(update(events).where(skipped).values(skip_reason="NOTIFICATION_OFF", erase_at=now))
    connection.execute(
        insert(tokens).values(
            id="k1", token_hash=b"k1", tenant="acme", kind="key", name="PBX", role="tenant_admin", scopes="",
            created_at=0, expires_at=now - 100 * DAY_MS,
        )
    )  # fmt: skip
    _come_to_the_console(connection, 0, now - DAY_MS)


def _give_tokens(connection: Connection, expired: int, at: int) -> None:
    """So many keys that have just expired, and one that was just revoked."""
    token = {"tenant": "acme", "name": "PBX", "role": "tenant_admin", "scopes": "", "created_at": 0}
    ends = [{"kind": "key", "expires_at": at, "revoked_at": None}] * expired
    ends.append({"kind": "key", "expires_at": None, "revoked_at": at})
    rows = [{**token, **end, "id": f"k{place}", "token_hash": b"%d" % place} for place, end in enumerate(ends)]
    connection.execute(insert(tokens), rows)


def _come_to_the_console(connection: Connection, at: int, until: int) -> None:
    """Somebody with a session, and an invitation to set a new password."""
    person = {"tenant": "acme", "username": "ann", "role": "tenant_admin", "created_at": at}
    connection.execute(insert(users).values(id="u1", password_hash="", enabled=True, **person))
    session = {"id": "s1", "token_hash": b"s1", "tenant": "acme", "user_id": "u1", "agent": ""}
    connection.execute(insert(console_sessions).values(created_at=at, seen_at=at, expires_at=until, **session))
    connection.execute(insert(invitations).values(token_hash=b"i1", expires_at=until, **person))
