"""The page of health: what works, what waits and why, for the operator."""

from sqlalchemy import Connection, Table, insert
from tests.conftest import Clock
from tests.console.conftest import ClientOf, Visitor, assert_accessible

from ringpost.domain.access import Role
from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import deliveries, events, holds, watch, workers
from ringpost.usecases.room import Room

AT = "/console/system/health"


async def put(room: Room, *rows: tuple[Table, dict[str, object]]) -> None:
    def store(connection: Connection) -> None:
        for table, values in rows:
            connection.execute(insert(table).values(**values))

    await room.database.write(store)


async def waiting(room: Room, tenant: TenantId, since: int) -> None:
    """An emergency that waits at a mail server that fails, and a worker."""
    now = room.clock()
    await put(
        room,
        (events, {"key": "e", "tenant": tenant, "id": "e", "type": "EMERGENCY_CALL", "occurred_at": since,
                  "accepted_at": since, "fingerprint": b""}),
        (deliveries, {"id": "d", "tenant": tenant, "event": "e", "type": "EMERGENCY_CALL", "recipient": "a@example.com",
                      "urgency": 0, "queue": tenant, "state": "queued", "created_at": since, "due_at": since,
                      "expires_at": now + 10**9}),
        (holds, {"lane": tenant, "since": since, "until": now + 120_000, "failures": 3, "party": "mail_server",
                 "stage": "connect", "reply": "421 <script>alert(1)</script> go away", "hint": ""}),
        (workers, {"name": "w1", "host": "mail1", "since": now - 7_200_000, "until": now + 60_000, "slots": 256,
                   "in_hand": 12}),
        (watch, {"host": "mail1", "gauge": "memory", "exceeded": True, "episode": 1, "since": since}),
    )  # fmt: skip


async def test_it_says_what_waits_and_why_and_until_when(
    client_of: ClientOf, room: Room, acme: TenantId, clock: Clock
) -> None:
    await waiting(room, acme, clock.ms - 300_000)
    client = await client_of(Role.SYSTEM_ADMIN)

    page = (await client.get(AT)).text

    for said in (
        "1 worker is at work",
        "12 of 256 slots",
        "1 mail server fails",
        "Its mail waits and is not lost; it is tried again",
        "The mail server fails.",
        "in 2 minutes",
    ):
        assert said in page, said
    assert "Mail waits for longer than it should" in page
    assert "5 minutes" in page
    assert "Memory of mail1 is over its threshold" in page
    assert "<script>alert" not in page
    assert "421 &lt;script&gt;" in page
    assert "SQLite 3." in page


async def test_no_worker_is_the_first_thing_to_know(client_of: ClientOf) -> None:
    page = (await (await client_of(Role.SYSTEM_ADMIN)).get(AT)).text

    assert "No worker is at work" in page
    assert "No mail server fails" in page


async def test_htmx_gets_only_what_changes(client_of: ClientOf) -> None:
    answer = await (await client_of(Role.SYSTEM_ADMIN)).get(AT, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "What waits" in answer.text


async def test_it_is_accessible_when_all_is_well_and_when_not(
    visitor: Visitor, room: Room, acme: TenantId, clock: Clock
) -> None:
    await visitor.sign_in_as(Role.SYSTEM_ADMIN)
    await assert_accessible(await visitor.open("/system/health"))

    await waiting(room, acme, clock.ms - 300_000)

    await assert_accessible(await visitor.open("/system/health"))
