"""Another tenant that has something of everything, what of it no page of others may show, and ids that name it."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select
from tests.console.mails import admin, refused, report

from ringpost.domain.access import Principal, Role, Scope
from ringpost.domain.secrets import Secret
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import tables
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.create_user import NewUser, create_user
from ringpost.usecases.edit_template import create_template
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.log_in import Login
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import sign_in

MARK = "Kestrel"
"""In every text of the other tenant that people read, but not in what names it."""
TEMPLATE = "DISK_LOW"
_PASSWORD = "correct horse battery staple"
_SERVER = {"type": "SMTP", "server": f"{MARK.lower()}.example.com", "username": "theirs@example.com"}
_IDS = ("id", "key", "username", "domain", "session")
"""Columns that hold what something is named by."""


@dataclass(frozen=True)
class Theirs:
    """What is the other tenant's."""

    ids: list[str]
    """What names something of it: of each kind of thing one."""
    rows: dict[str, list[Any]]
    """All of its rows, by table."""


NAMED_BY_TYPE = frozenset({"name", "number", "code"})
"""Parameters of paths that stand for the same in every tenant."""


async def furnish(room: Room, tenant: TenantId, domain: str) -> None:
    """Give a tenant people, keys, templates, mail and a log of it all."""
    person = replace(admin(tenant), name=f"{MARK} the Admin")
    for role in (Role.TENANT_ADMIN, Role.READ_ONLY):
        await create_user(room, tenant, NewUser(f"their-{role}", _PASSWORD, role), person)
        await sign_in(room, Login(f"their-{role}", Secret(_PASSWORD), domain), f"{MARK} Browser")
    await invite_user(room, tenant, Guest("their-guest", Role.READ_ONLY), person)
    await create_token(room, tenant, NewKey(f"{MARK} key", frozenset({Scope.EVENTS_WRITE}), Role.TENANT_ADMIN), person)
    await _settings(room, person)
    for key, state in (("their-event", ""), ("their-refused-event", "refused")):
        variables = {"CALLEE_NUMBER": f"{MARK} 112"}
        delivery = await report(room, tenant, f"{MARK}-{key}@example.com", id=key, variables=variables)
        if state:
            await refused(room, tenant, delivery, f"{MARK} says no")
    await report(room, tenant, id="their-skipped-event", type="QUEUE_SLA", variables={"QUEUE_NAME": MARK})


async def _settings(room: Room, person: Principal) -> None:
    await change_settings(room, person, {**_SERVER, "auth": "DISABLE", "recipients": f"{MARK}@example.com"})
    credentials = {"provider": "MS365", "tenant": f"{MARK}.example.com", "client_id": MARK, "client_secret": "x"}
    await change_oauth(room, person, credentials)
    await create_template(room, person, TEMPLATE, Parts(MARK, MARK, f"<p>{MARK}</p>", MARK))


async def of(room: Room, tenant: TenantId) -> Theirs:
    """What there is of a tenant."""
    rows = await room.database.read(_rows, tenant)
    named = ((of_table, name) for of_table in rows.values() for name in _IDS)
    found = (next((str(row[name]) for row in of_table if row.get(name)), "") for of_table, name in named)
    return Theirs(sorted({*found} - {""}), rows)


def _rows(connection: Connection, tenant: TenantId) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for table in tables.metadata.sorted_tables:
        owner = table.c.id if table is tables.tenants else table.c.get("tenant")
        if owner is None:
            continue
        asked = select(table).where(owner == tenant).order_by(*table.primary_key.columns)
        found[table.name] = [dict(row) for row in connection.execute(asked).mappings()]
    assert tenant == SYSTEM or all(found[name] for name in ("users", "tokens", "deliveries", "audit", "oauth"))
    return found
