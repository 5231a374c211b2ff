"""After re-encryption the old key can go."""

import dataclasses

import httpx
import pytest
from sqlalchemy import Connection, insert, select, update
from tests.patience import patience

from ringpost.storage import resealing
from ringpost.storage.keyring import KeyRingError
from ringpost.storage.sealing import KeyRing, Place, SealBroken, Sealer
from ringpost.storage.tables import events, messages, metadata, settings
from ringpost.usecases.reseal import Resealed, reseal
from ringpost.usecases.room import Room

EVENTS = 450
"""More than two bites."""


@pytest.fixture
async def rings(room: Room) -> tuple[KeyRing, KeyRing]:
    """An old ring, with which everything was sealed, and one with a new key in front."""
    old = KeyRing.fresh()
    await room.database.write(_fill, Sealer(old))
    return old, old.with_fresh_key()


async def test_after_resealing_only_the_new_key_opens(room: Room, rings: tuple[KeyRing, KeyRing]) -> None:
    old, both = rings
    assert await reseal(_with(room, Sealer(both))) == Resealed(2 * EVENTS + 1, broken=0)
    new = Sealer(both.without_older_than(both.current))
    for place, sealed in await room.database.read(_all):
        assert new.unseal(place, sealed) == place.row.encode()
        with pytest.raises(SealBroken):
            Sealer(old).unseal(place, sealed)


async def test_a_second_time_there_is_nothing_to_do(room: Room, rings: tuple[KeyRing, KeyRing]) -> None:
    _, both = rings
    await reseal(_with(room, Sealer(both)))
    before = await room.database.read(_all)
    assert await reseal(_with(room, Sealer(both))) == Resealed(0, broken=0)
    assert await room.database.read(_all) == before


async def test_what_does_not_open_is_counted_and_left_alone(room: Room, rings: tuple[KeyRing, KeyRing]) -> None:
    await room.database.write(_break_one)
    done = await reseal(_with(room, Sealer(rings[1])))
    assert done == Resealed(2 * EVENTS, broken=1)


async def test_what_does_not_open_does_not_keep_resealing_from_ending(
    room: Room, rings: tuple[KeyRing, KeyRing]
) -> None:
    await room.database.write(lambda connection: connection.execute(update(events).values(variables=b"junk")).close())
    async with patience(20):
        assert await reseal(_with(room, Sealer(rings[1]))) == Resealed(EVENTS + 1, broken=EVENTS)


async def test_what_changed_meanwhile_is_not_overwritten(room: Room, rings: tuple[KeyRing, KeyRing]) -> None:
    sealer, column = Sealer(rings[1]), resealing.SEALED[0]
    bite = await room.database.read(resealing.find_stale, sealer, column, "")
    newer = sealer.seal(Place("tenant", "settings", "tenant", "password"), b"newer")
    await room.database.write(lambda connection: connection.execute(update(settings).values(password=newer)))
    assert await room.database.write(resealing.reseal, sealer, column, bite) == (0, 0)
    assert (await room.database.read(_all))[0][1] == newer


async def test_keys_of_another_database_are_noticed_at_the_start(room: Room, rings: tuple[KeyRing, KeyRing]) -> None:
    await room.database.read(resealing.check_keys, Sealer(rings[1]))
    with pytest.raises(KeyRingError, match="do not belong to this database"):
        await room.database.read(resealing.check_keys, Sealer(KeyRing.fresh()))


async def test_what_was_sealed_last_tells_whose_keys_these_are(room: Room) -> None:
    """An older value may be one that did not open when the keys were renewed, and is left alone since."""
    old, new = KeyRing.fresh(), KeyRing.fresh()
    for key, ring in (("event-1", old), ("event-2", new)):
        await room.database.write(_put_event, Sealer(ring), key)
    await room.database.read(resealing.check_keys, Sealer(new))
    with pytest.raises(KeyRingError, match="do not belong to this database"):
        await room.database.read(resealing.check_keys, Sealer(old))


async def test_the_first_start_on_an_empty_database_settles_which_keys_go_with_it(room: Room) -> None:
    first, second = KeyRing.fresh(), KeyRing.fresh()
    for ring in (first, second):
        await room.database.read(resealing.check_keys, Sealer(ring))
    assert not await room.database.read(resealing.is_proven)

    await room.database.write(resealing.leave_proof, Sealer(first))
    with pytest.raises(KeyRingError, match="do not belong to this database"):  # both saw it empty; one was first
        await room.database.write(resealing.leave_proof, Sealer(second))

    assert await room.database.read(resealing.is_proven)
    await room.database.read(resealing.check_keys, Sealer(first.with_fresh_key()))
    with pytest.raises(KeyRingError, match="do not belong to this database"):
        await room.database.read(resealing.check_keys, Sealer(second))


async def test_the_proof_moves_on_to_the_new_key(room: Room) -> None:
    old = KeyRing.fresh()
    await room.database.write(resealing.leave_proof, Sealer(old))
    both = old.with_fresh_key()
    assert await reseal(_with(room, Sealer(both))) == Resealed(1, broken=0)
    await room.database.read(resealing.check_keys, Sealer(both.without_older_than(both.current)))


async def test_an_event_whose_key_is_gone_is_shown_without_its_variables(
    tenant_client: httpx.AsyncClient, room: Room
) -> None:
    await tenant_client.post("/events", json={"type": "DISK_LOW", "id": "kept", "variables": {"FREE_SIZE": "1 GB"}})
    await room.database.write(_break_one)
    shown = await tenant_client.get("/events/kept")
    assert (shown.status_code, shown.json()["type"], shown.json()["variables"]) == (200, "DISK_LOW", None)


def test_every_binary_column_is_resealed_or_known_to_be_a_hash() -> None:
    binary = {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.c
              if column.type.python_type is bytes}  # fmt: skip
    sealed = {f"{column.table.name}.{column.value.name}" for column in resealing.SEALED}
    hashes = {f"{table}.token_hash" for table in ("tokens", "console_sessions", "invitations")}
    assert binary - sealed == {"events.fingerprint", *hashes}


def _with(room: Room, sealer: Sealer) -> Room:
    return dataclasses.replace(room, sealer=sealer)


def _fill(connection: Connection, sealer: Sealer) -> None:
    """Every sealed value is the key of its row."""
    password = sealer.seal(Place("tenant", "settings", "tenant", "password"), b"tenant")
    connection.execute(
        insert(settings).values(
            tenant="tenant", type="SMTP", username="-", password=password, auth="AUTO", enable_tls_ssl=True,
            enable_starttls_auto=False, switches="{}",
        )
    )  # fmt: skip
    for number in range(EVENTS):
        _put_event(connection, sealer, f"event-{number}")


def _put_event(connection: Connection, sealer: Sealer, key: str) -> None:
    variables = sealer.seal(Place("tenant", "events", key, "variables"), key.encode())
    content = sealer.seal(Place("tenant", "messages", key, "content"), key.encode())
    connection.execute(
        insert(events).values(
            key=key, tenant="tenant", id=key, type="QUEUE_SLA", occurred_at=1, accepted_at=1, fingerprint=b"-",
            variables=variables,
        )
    )  # fmt: skip
    connection.execute(insert(messages).values(event=key, tenant="tenant", content=content))


def _break_one(connection: Connection) -> None:
    row = connection.execute(select(events.c.key, events.c.variables).limit(1)).one()
    connection.execute(update(events).where(events.c.key == row.key).values(variables=row.variables[:-1] + b"\0\0"))


def _all(connection: Connection) -> list[tuple[Place, bytes]]:
    found: list[tuple[Place, bytes]] = []
    for column in resealing.SEALED:
        rows = connection.execute(select(column.table.c.tenant, column.row, column.value).order_by(column.row))
        found += [(Place(row[0], column.table.name, row[1], column.value.name), row[2]) for row in rows]
    return found
