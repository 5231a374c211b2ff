"""What the operator is told of the database, whichever it is."""

from ringpost.storage.engine_facts import engine_facts
from ringpost.storage.overview import glance, held, longest_waiting, rates, workers_alive
from ringpost.usecases.room import Room


async def test_both_databases_tell_what_they_are_and_how_large(room: Room) -> None:
    facts = await room.database.read(engine_facts)

    assert facts.name == {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[room.database.dialect]
    assert int(facts.version.split(".")[0]) >= 3
    assert facts.size > 10_000
    if room.database.dialect == "sqlite":
        assert facts.disk_free is not None
        assert facts.disk_size is not None
        assert 0 <= facts.disk_free <= facts.disk_size
    else:
        assert (facts.disk_free, facts.disk_size) == (None, None)


async def test_a_glance_at_nothing_finds_nothing(room: Room) -> None:
    assert await room.database.read(held, 9) == []
    assert await room.database.read(longest_waiting, 9) == []
    assert await room.database.read(workers_alive, 1) == []
    assert (await room.database.read(rates, room.clock(), 300_000)).accepted == 0
    assert {one.queued for one in (await room.database.read(glance)).classes.values()} == {0}
