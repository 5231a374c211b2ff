"""Finding tenants and entries of the audit log among very many: the right ones, through an index."""

from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from ringpost.domain.tenants import SYSTEM, TenantDraft, TenantId
from ringpost.storage import audit, tenants
from ringpost.storage.audit import Entry, Filter
from ringpost.storage.tenants import Stop
from ringpost.usecases.room import Room


async def add(room: Room, *names: str) -> None:
    for number, name in enumerate(names):
        draft = TenantDraft(name, f"d{number}.example")
        await room.database.write(tenants.add, TenantId(f"t{number}"), draft, 1000)


def names(found: list[tenants.Tenant]) -> list[str]:
    return [tenant.name for tenant in found]


async def test_pages_follow_the_alphabet_there_and_back(room: Room) -> None:
    await add(room, "beta", "Alpha", "delta", "Gamma", "alpha", "Élan")
    first = await room.database.read(tenants.page, 3)
    second = await room.database.read(tenants.page, 3, Stop(first[-1].name, first[-1].id))
    back = await room.database.read(tenants.page_before, 3, Stop(second[0].name, second[0].id))

    assert names(first) == ["Alpha", "alpha", "beta"]
    assert names(second) == ["delta", "Gamma", "Élan"]
    assert back == first
    assert await room.database.read(tenants.count) == 6


async def test_a_tenant_is_found_by_the_start_of_its_name_or_domain(room: Room) -> None:
    await add(room, "Acme", "ACME two", "D1 company", "Other", "100% _sure")

    assert names(await room.database.read(tenants.search, " acme", 9)) == ["Acme", "ACME two"]
    assert names(await room.database.read(tenants.search, "D1", 9)) == ["ACME two", "D1 company"]
    assert names(await room.database.read(tenants.search, "d3.example", 9)) == ["Other"]
    assert names(await room.database.read(tenants.search, "100%", 9)) == ["100% _sure"]
    assert names(await room.database.read(tenants.search, "%", 9)) == []


async def test_the_tenant_with_just_this_domain_leads(room: Room) -> None:
    await room.database.write(tenants.add, TenantId("z"), TenantDraft("Zeta", "münchen.example"), 1)
    await room.database.write(tenants.add, TenantId("a"), TenantDraft("Alpha", "münchen.example.com"), 1)

    assert names(await room.database.read(tenants.search, "MÜNCHEN.example", 9)) == ["Zeta", "Alpha"]


async def log(room: Room, *entries: tuple[int, str, str]) -> None:
    for at, actor, action in entries:
        await room.database.write(audit.record, SYSTEM, Entry(at, actor, action, "x", ("name",)))


async def test_the_audit_log_is_read_by_who_what_and_when(room: Room) -> None:
    await log(room, (1000, "anna", "create_tenant"), (2000, "root", "create_tenant"), (3000, "anna", "change_tenant"))

    async def times(wanted: Filter) -> list[int]:
        return [one.at for one in await room.database.read(audit.page, SYSTEM, wanted, 9)]

    assert await times(Filter()) == [3000, 2000, 1000]
    assert await times(Filter(actor="anna")) == [3000, 1000]
    assert await times(Filter(action="create_tenant")) == [2000, 1000]
    assert await times(Filter(actor="anna", action="create_tenant")) == [1000]
    assert await times(Filter(since=2000)) == [3000, 2000]
    assert await times(Filter(since=2000, until=3000)) == [2000]
    assert await room.database.read(audit.page, TenantId("other"), Filter(), 9) == []


async def test_the_audit_log_is_turned_over_there_and_back(room: Room) -> None:
    await log(room, *((at, "anna", "change_tenant") for at in range(1, 6)))

    first = await room.database.read(audit.page, SYSTEM, Filter(), 2)
    second = await room.database.read(audit.page, SYSTEM, Filter(), 2, before=first[-1].id)
    back = await room.database.read(audit.page, SYSTEM, Filter(), 2, after=second[0].id)

    assert [one.at for one in first + second] == [5, 4, 3, 2]
    assert back == first


@pytest.mark.parametrize(
    ("work", "arguments", "index"),
    [
        (tenants.page, (5,), "tenants_name"),
        (tenants.page, (5, Stop("x", TenantId("x"))), "tenants_name"),
        (tenants.page_before, (5, Stop("x", TenantId("x"))), "tenants_name"),
        (tenants.search, ("x", 5), "tenants_"),
        (audit.page, (SYSTEM, Filter(), 5), "audit_tenant"),
        (audit.page, (SYSTEM, Filter(actor="anna"), 5), "audit_actor"),
        (audit.page, (SYSTEM, Filter(action="create_user"), 5), "audit_action"),
        (audit.page, (SYSTEM, Filter(since=1000, until=2000), 5), "audit_tenant"),
    ],
)
async def test_nothing_is_found_by_reading_everything(
    room: Room, work: Any, arguments: tuple[Any, ...], index: str
) -> None:
    found = await room.database.read(_plans, work, *arguments)

    assert found
    assert [plan for plan in found if index not in plan] == []
    assert [plan for plan in found if "Seq Scan" in plan or "TEMP B-TREE" in plan or "Sort" in plan] == []


def _plans(connection: Connection, work: Any, *arguments: Any) -> list[str]:
    """How the database would answer each question that `work` asks."""
    asked: list[tuple[str, Any]] = []
    note = _noting(asked)
    event.listen(connection, "before_cursor_execute", note)
    work(connection, *arguments)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN"
    if connection.dialect.name == "postgresql":
        explain = "EXPLAIN"
        for way in ("seqscan", "bitmapscan"):  # the tables are empty, so they would be cheaper
            connection.execute(text(f"SET LOCAL enable_{way} = off"))
    return [
        " | ".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {query}", values))
        for query, values in asked
    ]


def _noting(asked: list[tuple[str, Any]]) -> Any:
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    return note
