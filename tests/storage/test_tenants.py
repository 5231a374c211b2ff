"""Tenants as rows, and the end of all that belongs to one."""

import pytest
from sqlalchemy import Connection, func, insert, select

from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.errors import AlreadyExists, NotFound
from ringpost.storage import tables, tenants
from ringpost.usecases.room import Room

A, B = TenantId("a"), TenantId("b")
DRAFT = TenantDraft("Acme", "acme.example")


async def test_a_tenant_is_shown_as_it_was_added(room: Room) -> None:
    await room.database.write(tenants.add, A, DRAFT, 1000)
    shown = await room.database.read(tenants.show, A)
    assert (shown.id, shown.name, shown.domain, shown.enabled) == (A, "Acme", "acme.example", True)
    assert (shown.timezone, shown.locale, shown.created_at) == ("UTC", "en", 1000)


async def test_no_two_tenants_have_the_same_domain(room: Room) -> None:
    await room.database.write(tenants.add, A, DRAFT, 1000)
    with pytest.raises(AlreadyExists):
        await room.database.write(tenants.add, B, DRAFT, 1000)
    await room.database.write(tenants.add, B, TenantDraft("Other", "other.example"), 1000)
    with pytest.raises(AlreadyExists):
        await room.database.write(tenants.change, B, DRAFT)


async def test_a_change_names_the_fields_that_differ(room: Room) -> None:
    await room.database.write(tenants.add, A, DRAFT, 1000)
    changed = await room.database.write(
        tenants.change, A, TenantDraft("Acme", "acme.example", enabled=False, locale="de")
    )
    assert changed == ("enabled", "locale")
    assert await room.database.write(tenants.change, A, await _draft(room, A)) == ()


async def test_what_is_not_there_is_not_found(room: Room) -> None:
    with pytest.raises(NotFound):
        await room.database.read(tenants.show, A)
    with pytest.raises(NotFound):
        await room.database.write(tenants.change, A, DRAFT)
    with pytest.raises(NotFound):
        await room.database.write(tenants.shut, A)


async def test_tenants_are_listed_in_the_order_in_which_they_were_made(room: Room) -> None:
    for name in ("a", "b", "c"):
        await room.database.write(tenants.add, TenantId(name), TenantDraft(name, f"{name}.example"), 1000)
    assert [tenant.name for tenant in await room.database.read(tenants.list_all)] == ["a", "b", "c"]
    assert [tenant.name for tenant in await room.database.read(tenants.list_all, 1, 1)] == ["b"]


async def test_a_tenant_is_found_by_its_id_and_by_its_domain_however_it_is_written(room: Room) -> None:
    await room.database.write(tenants.add, A, TenantDraft("Acme", "münchen.example"), 1000)
    names = ["a", "münchen.example", "MÜNCHEN.example", "xn--mnchen-3ya.example", "b", "", "no domain"]
    found = await room.database.read(tenants.by_name, names)
    assert found == dict.fromkeys(names[:4], A)


async def test_removing_a_tenant_leaves_no_row_of_it_and_all_rows_of_others(room: Room) -> None:
    for tenant in (A, B):
        await room.database.write(tenants.add, tenant, TenantDraft(tenant, f"{tenant}.example"), 1000)
        await room.database.write(_fill, tenant)
    before = await room.database.read(_rows_of, B)
    assert all(before.values()), "every table with a tenant has a row of it, or this test shows nothing"

    await room.database.write(tenants.shut, A)
    bites = 0
    while await room.database.write(tenants.empty_bite, A, 2):
        bites += 1
    await room.database.write(tenants.remove, A)

    assert bites == 4, "three deliveries and three events, two at a time"
    left = await room.database.read(_rows_of, A)
    assert {table for table, rows in left.items() if rows} == {"audit"}
    assert await room.database.read(_rows_of, B) == before


async def test_removing_also_takes_what_came_in_meanwhile(room: Room) -> None:
    await room.database.write(tenants.add, A, DRAFT, 1000)
    await room.database.write(_fill, A)
    await room.database.write(tenants.remove, A)
    left = await room.database.read(_rows_of, A)
    assert {table for table, rows in left.items() if rows} == {"audit"}


async def _draft(room: Room, tenant: TenantId) -> TenantDraft:
    shown = await room.database.read(tenants.show, tenant)
    return TenantDraft(shown.name, shown.domain, shown.enabled, shown.timezone, shown.locale)


_NOBODYS = (tables.watch, tables.workers, tables.tallies, tables.changes, tables.key_proof)
_TABLES = [table for table in tables.metadata.sorted_tables if table not in _NOBODYS]
"""Those that have rows of tenants; hosts, workers, counts over all and the proof of the keys belong to none."""


def _rows_of(connection: Connection, tenant: TenantId) -> dict[str, int]:
    """Rows by table, of every table that has rows of tenants."""
    counts: dict[str, int] = {}
    for table in _TABLES:
        column = table.c.get("tenant", table.c.get("lane", table.c.id if table is tables.tenants else None))
        assert column is not None, f"{table.name}: whose rows are these?"
        counts[table.name] = connection.scalar(select(func.count()).where(column == tenant)) or 0
    return counts


def _fill(connection: Connection, tenant: TenantId) -> None:
    """A row of this tenant in every table, three events and deliveries."""
    for table in _TABLES:
        if table is tables.tenants:
            continue
        for number in range(3 if table in (tables.events, tables.messages, tables.deliveries, tables.attempts) else 1):
            connection.execute(insert(table).values(_row(table.name, tenant, number)))


def _row(table: str, tenant: TenantId, number: int) -> dict[str, object]:
    key = f"{tenant}{number}"
    rows: dict[str, dict[str, object]] = {
        "users": {"id": key, "tenant": tenant, "username": "anna", "password_hash": "-", "role": "read_only",
                  "enabled": True, "created_at": 1},
        "tokens": {"id": key, "token_hash": key.encode(), "tenant": tenant, "kind": "access", "name": "anna",
                   "user_id": f"{tenant}0", "session": key, "role": "read_only", "scopes": "", "created_at": 1},
        "console_sessions": {"id": key, "token_hash": key.encode(), "tenant": tenant, "user_id": f"{tenant}0",
                             "agent": "-", "created_at": 1, "seen_at": 1, "expires_at": 2},
        "invitations": {"tenant": tenant, "username": key, "token_hash": key.encode(), "role": "read_only",
                        "created_at": 1, "expires_at": 2},
        "audit": {"id": key, "tenant": tenant, "at": 1, "actor": "cli", "action": "-", "subject": "-", "fields": ""},
        "settings": {"tenant": tenant, "type": "SMTP", "username": "-", "auth": "AUTO", "enable_tls_ssl": True,
                     "enable_starttls_auto": False, "switches": "{}"},
        "oauth": {"tenant": tenant, "provider": "GMAIL", "method": "service_account", "cloud": "global",
                  "secrets": b"-", "updated_at": 1},
        "template_revisions": {"id": key, "tenant": tenant, "name": "QUEUE_SLA", "number": 1, "created_at": 1,
                               "author": "cli"},
        "custom_templates": {"tenant": tenant, "name": "QUEUE_SLA", "revision": f"{tenant}0"},
        "events": {"key": key, "tenant": tenant, "id": str(number), "type": "QUEUE_SLA", "occurred_at": 1,
                   "accepted_at": 1, "fingerprint": b"-"},
        "messages": {"event": key, "tenant": tenant, "content": b"-"},
        "deliveries": {"id": key, "tenant": tenant, "event": key, "type": "QUEUE_SLA", "recipient": "a@x.example",
                       "urgency": 2, "lane": tenant, "queue": tenant, "state": "queued", "created_at": 1, "due_at": 1,
                       "expires_at": 2},
        "attempts": {"delivery": key, "number": 1, "tenant": tenant, "started_at": 1, "duration_ms": 1,
                     "verdict": "retry", "stage": "connect", "reply": "", "hint": "", "ambiguous": False},
        "loans": {"tenant": tenant, "since": 1, "used": 1},
        "holds": {"lane": tenant, "since": 1, "until": 2, "failures": 1, "party": "network", "stage": "connect",
                  "reply": "", "hint": ""},
    }  # fmt: skip
    columns = tables.metadata.tables[table].c
    return {name: value for name, value in rows[table].items() if name in columns}
