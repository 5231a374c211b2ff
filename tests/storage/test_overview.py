"""The outbox at a glance: true numbers, and a cost that does not grow with what waits."""

from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from ringpost.domain.deliveries import Party, Stage, State, Urgency, Verdict
from ringpost.storage import overview, workers
from ringpost.storage.tables import deliveries, events, holds
from ringpost.storage.workers import SignOfLife
from ringpost.usecases.report_work import report_work, sign_off
from ringpost.usecases.room import Room

NOW = 1_800_000_000_000


def put(connection: Connection, number: int, **fields: Any) -> None:
    """One event with one delivery that waits."""
    key = f"{number:024x}"
    connection.execute(
        insert(events).values(
            key=key, tenant="t1", id=key, type="QUEUE_SLA", occurred_at=NOW, accepted_at=NOW, fingerprint=b""
        )
    )
    values: dict[str, Any] = {
        "id": f"{key}-1", "tenant": "t1", "event": key, "type": "QUEUE_SLA", "recipient": "a@example.com",
        "urgency": Urgency.NORMAL.value, "queue": "t1", "state": State.QUEUED.value, "created_at": NOW, "due_at": NOW,
    } | fields  # fmt: skip
    connection.execute(insert(deliveries).values(**values, expires_at=values["created_at"] + 86_400_000))


def hold(connection: Connection, lane: str, party: Party, since: int = NOW) -> None:
    connection.execute(
        insert(holds).values(
            lane=lane, since=since, until=since + 5_000, failures=1, party=party.value, stage=Stage.CONNECT.value,
            reply="", hint="It cannot be reached.",
        )
    )  # fmt: skip


async def test_a_glance_counts_by_class_and_knows_the_oldest_of_each(room: Room) -> None:
    def fill(connection: Connection) -> None:
        put(connection, 1, created_at=NOW - 5_000)
        put(connection, 2, created_at=NOW - 9_000, due_at=NOW + 60_000)
        put(connection, 3, urgency=Urgency.EMERGENCY.value, created_at=NOW - 1_000)
        put(connection, 4, urgency=Urgency.EMERGENCY.value, state="sending", claim="w-1", lease_until=NOW + 1,
            created_at=NOW - 2_000)  # fmt: skip
        put(connection, 5, created_at=NOW - 99_000, state="sent", sent_at=NOW, ended_at=NOW)

    await room.database.write(fill)
    seen = (await room.database.read(overview.glance)).classes

    assert seen[Urgency.NORMAL] == overview.OpenMail(queued=2, sending=0, oldest_at=NOW - 9_000)
    assert seen[Urgency.EMERGENCY] == overview.OpenMail(queued=1, sending=1, oldest_at=NOW - 2_000)
    assert seen[Urgency.ALERT] == overview.OpenMail(queued=0, sending=0, oldest_at=None)


async def test_lanes_on_hold_are_counted_by_whose_failure_it_is_and_apart_from_queues_over_their_loan(
    room: Room,
) -> None:
    def fill(connection: Connection) -> None:
        hold(connection, "t1", Party.CONFIGURATION, NOW - 1)
        hold(connection, "t2", Party.NETWORK)
        hold(connection, "system", Party.NETWORK)
        hold(connection, "system:t3", Party.CONFIGURATION)
        for number, queue in enumerate(("t1", "t2", "system:t3", "system:t4")):
            put(connection, number, queue=queue)

    await room.database.write(fill)
    seen = await room.database.read(overview.glance)

    assert seen.lanes_on_hold == {Party.CONFIGURATION: 1, Party.NETWORK: 2, Party.MAIL_SERVER: 0}
    assert seen.queues_over_loan == 1
    assert [row.lane for row in await room.database.read(overview.held, 2)] == ["t1", "system"]


async def test_a_lane_that_nothing_waits_in_is_not_on_hold(room: Room) -> None:
    sending = {"state": "sending", "claim": "w-1", "lease_until": NOW + 1}

    def fill(connection: Connection) -> None:
        for lane in ("waits", "later", "probed", "ended", "empty", "system", "system-own"):
            hold(connection, lane, Party.NETWORK)
        put(connection, 1, queue="waits", urgency=Urgency.EMERGENCY.value)
        put(connection, 2, queue="later", deferred=True)
        put(connection, 3, queue="probed", **sending)
        put(connection, 4, queue="ended", state="sent", sent_at=NOW, ended_at=NOW)

    await room.database.write(fill)

    def seen(connection: Connection) -> tuple[set[str], set[str], int]:
        every = ("waits", "later", "probed", "ended", "empty")
        waiting = {queue for queue in every if overview.something_waits(connection, queue)}
        counted = sum(overview.glance(connection).lanes_on_hold.values())
        return {row.lane for row in overview.held(connection, 10)}, waiting, counted

    assert await room.database.read(seen) == ({"waits", "later", "probed"}, {"waits", "later", "probed"}, 3)


async def test_due_longest_is_only_what_nothing_keeps_from_being_tried(room: Room) -> None:
    emergency = Urgency.EMERGENCY.value
    later = {"due_at": NOW + 60_000, "deferred": True}

    def fill(connection: Connection) -> None:
        hold(connection, "held", Party.NETWORK)
        hold(connection, "system:over", Party.CONFIGURATION)
        put(connection, 1, queue="held", due_at=NOW - 90_000)
        put(connection, 2, queue="system:over", due_at=NOW - 80_000)
        put(connection, 3, created_at=NOW - 70_000, **later)

    def also(connection: Connection, number: int, **fields: Any) -> int | None:
        put(connection, number, **fields)
        return overview.glance(connection).longest_due_at

    await room.database.write(fill)
    assert (await room.database.read(overview.glance)).longest_due_at == NOW + 60_000

    for number, fields, longest in (
        (4, {"queue": "t9", "due_at": NOW - 1_000}, NOW - 1_000),
        (5, {"queue": "t1", "due_at": NOW - 2_000, "urgency": Urgency.ALERT.value}, NOW - 2_000),
        (6, {"queue": "t2", "due_at": NOW - 3_000, "deferred": True}, NOW - 3_000),  # nobody brings it back
        (7, {"queue": "held", "due_at": NOW - 4_000, "urgency": emergency}, NOW - 4_000),  # whatever the lane says
        (8, {"queue": "t3", "due_at": 0}, NOW - 4_000),  # retried by hand, not due since 1970
    ):
        assert await room.database.write(also, number, **fields) == longest


async def test_nothing_is_due_when_nothing_waits(room: Room) -> None:
    assert (await room.database.read(overview.glance)).longest_due_at is None


async def test_counts_end_at_a_bound(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_COUNTED", 2)

    def fill(connection: Connection) -> None:
        for number in range(5):
            put(connection, number)

    await room.database.write(fill)

    assert (await room.database.read(overview.glance)).classes[Urgency.NORMAL].queued == 2


async def test_the_queues_that_have_waited_longest_come_first(room: Room) -> None:
    def fill(connection: Connection) -> None:
        for number, queue in enumerate(["t1", "t2", "t2", "system:t3"]):
            put(connection, number, queue=queue, created_at=NOW - number)

    await room.database.write(fill)

    assert await room.database.read(overview.longest_waiting, 2) == [("t2", 2, NOW - 2), ("system:t3", 1, NOW - 3)]


async def test_rates_are_of_whole_spans_and_per_minute(room: Room) -> None:
    start = NOW - NOW % overview.TALLY_MS
    sent, lost = (Verdict.SENT, None), (Verdict.RETRY, Party.NETWORK)
    sign = SignOfLife("w1", "host-1", NOW, NOW + 60_000, 10, 1, 60_000)

    def fill(connection: Connection) -> None:
        put(connection, 1)
        workers.report(connection, start, sign, {sent: 3, lost: 1})
        workers.report(connection, start + 9_999, sign, {sent: 2})
        workers.report(connection, start + 10_000, sign, {sent: 7})

    await room.database.write(fill)
    seen = await room.database.read(overview.rates, start + 12_000, 10_000)

    assert seen.attempts == {sent: 5 * 6.0, lost: 1 * 6.0}
    assert (await room.database.read(overview.rates, NOW + 1, 30_000)).accepted == 2.0


async def test_a_flood_of_events_is_not_counted_to_its_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "NEWEST_LOOKED_AT", 3)

    def fill(connection: Connection) -> None:
        for number in range(5):
            put(connection, number)

    await room.database.write(fill)

    assert (await room.database.read(overview.rates, NOW + 1_000, 60_000)).accepted == 3 * 60.0


async def test_a_worker_is_alive_while_it_reports_and_until_it_signs_off(room: Room) -> None:
    now = room.clock()
    await report_work(room, SignOfLife("w1", "host-1", now, now + 60_000, 2048, 7, 60_000), {})
    await report_work(room, SignOfLife("w2", "host-1", now, now + 60_000, 2048, 0, 60_000), {})
    await report_work(room, SignOfLife("w1", "host-1", now, now + 90_000, 2048, 8, 60_000), {})
    await sign_off(room, "w2")

    alive = await room.database.read(overview.workers_alive, now + 80_000)
    assert [(row.name, row.in_hand) for row in alive] == [("w1", 8)]
    assert await room.database.read(overview.workers_alive, now + 90_000) == []


async def test_what_is_old_is_forgotten(room: Room) -> None:
    then = room.clock() - workers.KEPT_MS - overview.TALLY_MS

    def fill(connection: Connection) -> None:
        workers.report(connection, then, SignOfLife("w1", "h", then, then, 1, 0, 60_000), {(Verdict.SENT, None): 1})

    await room.database.write(fill)
    await report_work(room, SignOfLife("w2", "h", room.clock(), room.clock() + 1, 1, 0, 60_000), {})

    def left(connection: Connection) -> tuple[int, list[str]]:
        tallied = connection.execute(text("SELECT count(*) FROM tallies")).scalar()
        return tallied or 0, list(connection.execute(text("SELECT name FROM workers")).scalars())

    assert await room.database.read(left) == (0, ["w2"])


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (overview.QUEUED, "deliveries_expiry"),
        (overview.OLDEST, "deliveries_expiry"),
        (overview.SENDING, "deliveries_sending"),
        (overview.QUEUES, "deliveries_expiry"),
        (overview.ACCEPTED, "events_age"),
        (overview.WAITS, "deliveries_due"),
        (overview.WAITS, "deliveries_deferred_queue"),
        (overview.WAITS, "deliveries_sending"),
    ],
    ids=["queued", "oldest", "sending", "queues", "accepted", "waits now", "waits for later", "is sent"],
)
async def test_no_question_of_the_overview_reads_all_that_waits(room: Room, query: Any, index: str) -> None:
    """Each goes through an index in its order, so a bound on rows is a bound on work."""

    def plan(connection: Connection) -> str:
        explain = "EXPLAIN QUERY PLAN"
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are empty, so it would be cheaper
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
            explain = "EXPLAIN"
        values = {"urgency": 2, "most": 10, "since": 0, "queue": "a"}
        rows = connection.execute(text(f"{explain} {query.text}"), values)
        return " | ".join(str(row[-1]) for row in rows)

    found = await room.database.read(plan)

    assert index in found or "USING COVERING INDEX deliveries" in found or "Index Only Scan using deliveries" in found
    assert not [word for word in ("SCAN deliveries", "SCAN events", "Seq Scan", "FOR ORDER BY") if word in found]
