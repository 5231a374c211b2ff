"""Tenants: the rows of the table, and the end of all that belongs to one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, or_, select, true, tuple_, update

from ringpost.domain.tenants import SYSTEM, Tenant, TenantDraft, TenantId, parse_domain
from ringpost.errors import AlreadyExists, NotFound
from ringpost.storage import tables
from ringpost.storage.events import bite_of
from ringpost.storage.tables import AnyRow

_tenants = tables.tenants
_COLUMNS = tuple(_tenants.c[name] for name in ("id", "name", "domain", "enabled", "timezone", "locale", "created_at"))

_NAME = func.lower(_tenants.c.name)
_BY_NAME = (_NAME, _tenants.c.id)
_ASCII_CAPITALS = {ord(letter): letter.lower() for letter in ascii_uppercase}

ROWS_PER_BITE = 1000
"""Rows removed in one write: other writers wait some milliseconds and not for the whole tenant."""
_EMPTIED_AT_ONCE = (
    tables.tokens,
    tables.console_sessions,
    tables.invitations,
    tables.users,
    tables.custom_templates,
    tables.template_revisions,
    tables.settings,
    tables.loans,
    tables.oauth,
)


def add(connection: Connection, tenant: TenantId, draft: TenantDraft, now: int) -> None:
    """Add a tenant. Raises AlreadyExists when the domain is taken."""
    _refuse_taken_domain(connection, tenant, draft.domain)
    connection.execute(
        insert(_tenants).values(
            id=tenant,
            name=draft.name,
            domain=draft.domain,
            enabled=draft.enabled,
            timezone=draft.timezone,
            locale=draft.locale,
            created_at=now,
        )
    )


def change(connection: Connection, tenant: TenantId, draft: TenantDraft) -> tuple[str, ...]:
    """Replace what is said about a tenant; the names of the fields that changed. Raises NotFound, AlreadyExists."""
    changed = draft.differences(show(connection, tenant))
    if changed:
        _refuse_taken_domain(connection, tenant, draft.domain)
        values = {name: getattr(draft, name) for name in changed}
        connection.execute(update(_tenants).where(_tenants.c.id == tenant).values(**values))
    return changed


def lock(connection: Connection, tenant: TenantId) -> None:
    """Let nobody else change what is said about it until this transaction ends; on SQLite there is nobody else."""
    connection.execute(select(_tenants.c.id).where(_tenants.c.id == tenant).with_for_update(key_share=True))


def show(connection: Connection, tenant: TenantId) -> Tenant:
    """One tenant. Raises NotFound."""
    row = connection.execute(select(*_COLUMNS).where(_tenants.c.id == tenant)).first()
    if row is None:
        raise NotFound("There is no such tenant.")
    return _tenant(row)


def must_exist(connection: Connection, tenant: TenantId) -> None:
    """For whoever writes what is a tenant's own: until this transaction ends, the tenant is not removed.

    Raises NotFound when there is no such tenant; the system level always is.
    """
    kept = select(_tenants.c.id).where(_tenants.c.id == tenant).with_for_update(read=True, key_share=True)
    if tenant != SYSTEM and connection.execute(kept).first() is None:
        raise NotFound("There is no such tenant.")


def find_by_domain(connection: Connection, domain: str) -> Tenant | None:
    """The tenant with this domain, as `parse_domain` gives it."""
    row = connection.execute(select(*_COLUMNS).where(_tenants.c.domain == domain)).first()
    return None if row is None else _tenant(row)


def by_id(connection: Connection, wanted: Iterable[TenantId]) -> dict[TenantId, Tenant]:
    """Many tenants at once; one that is not there is left out."""
    rows = connection.execute(select(*_COLUMNS).where(_tenants.c.id.in_(list(wanted))))
    return {TenantId(row.id): _tenant(row) for row in rows}


def by_name(connection: Connection, names: Sequence[str]) -> dict[str, TenantId]:
    """Which tenants these ids or domains stand for; a name that stands for none is left out."""
    columns = _tenants.c
    domains = {name: _domain(name) for name in names}
    rows = connection.execute(
        select(columns.id, columns.domain).where(or_(columns.id.in_(names), columns.domain.in_(set(domains.values()))))
    ).all()
    found = {row.domain: TenantId(row.id) for row in rows} | {row.id: TenantId(row.id) for row in rows}
    return {name: found.get(name) or found[domain] for name, domain in domains.items() if {name, domain} & found.keys()}


def list_all(connection: Connection, top: int = 1000, skip: int = 0) -> list[Tenant]:
    """Tenants in the order in which they were made."""
    rows = connection.execute(select(*_COLUMNS).order_by(_tenants.c.id).limit(top).offset(skip))
    return [_tenant(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a page of tenants ends: its last tenant, or its first when one goes back."""

    name: str
    id: TenantId


def page(connection: Connection, top: int, after: Stop | None = None) -> list[Tenant]:
    """The next tenants by name, capitals or not."""
    later = tuple_(_NAME, _tenants.c.id) > tuple_(_folded(after.name), after.id) if after else true()
    return [_tenant(row) for row in connection.execute(select(*_COLUMNS).where(later).order_by(*_BY_NAME).limit(top))]


def page_before(connection: Connection, top: int, before: Stop) -> list[Tenant]:
    """The tenants that come right before, also in the order of their names."""
    earlier = tuple_(_NAME, _tenants.c.id) < tuple_(_folded(before.name), before.id)
    backwards = (_NAME.desc(), _tenants.c.id.desc())
    rows = connection.execute(select(*_COLUMNS).where(earlier).order_by(*backwards).limit(top)).all()
    return [_tenant(row) for row in reversed(rows)]


def search(connection: Connection, words: str, top: int) -> list[Tenant]:
    """Tenants whose name or domain begins so, up to `top` of each, by name; the one with just this domain leads."""
    start = words.strip()
    name, domain = _folded(start), _domain(start)
    queries = (
        select(*_COLUMNS).where(_tenants.c.domain == domain),
        _beginning(_NAME, name).order_by(*_BY_NAME).limit(top),
        _beginning(_tenants.c.domain, start.lower()).order_by(_tenants.c.domain).limit(top),
    )
    found = {row.id: _tenant(row) for query in queries for row in connection.execute(query)}
    return sorted(found.values(), key=lambda one: (one.domain != domain, _folded(one.name), one.id))


def count(connection: Connection) -> int:
    """How many tenants there are."""
    return connection.execute(select(func.count()).select_from(_tenants)).scalar_one()


def shut(connection: Connection, tenant: TenantId) -> None:
    """Disable a tenant and take its tokens, sessions and users away, so that nothing new comes in. Raises NotFound."""
    show(connection, tenant)
    connection.execute(update(_tenants).where(_tenants.c.id == tenant).values(enabled=False))
    for table in (tables.tokens, tables.console_sessions, tables.invitations, tables.users):
        connection.execute(delete(table).where(table.c.tenant == tenant))


def empty_bite(connection: Connection, tenant: TenantId, rows: int = ROWS_PER_BITE) -> bool:
    """Remove the next `rows` rows of a tenant's mail at most; False when there was none left."""
    deliveries, events = tables.deliveries, tables.events
    mine = select(deliveries.c.id).where(deliveries.c.tenant == tenant).limit(rows)
    ids = connection.scalars(mine.with_for_update()).all()  # a worker may be writing an attempt to one of them
    if ids:
        connection.execute(delete(tables.attempts).where(tables.attempts.c.delivery.in_(ids)))
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
        return True
    keys = connection.scalars(select(events.c.key).where(events.c.tenant == tenant).limit(rows)).all()
    if keys := bite_of(connection, keys):
        connection.execute(delete(tables.messages).where(tables.messages.c.event.in_(keys)))
        connection.execute(delete(events).where(events.c.key.in_(keys)))
        return True
    return False


def remove(connection: Connection, tenant: TenantId) -> None:
    """Remove what is left of a tenant, and the tenant. Its entries in the audit log stay.

    Who is just writing something of its own (`must_exist`) is waited for; who comes later finds that it is gone.
    """
    connection.execute(select(_tenants.c.id).where(_tenants.c.id == tenant).with_for_update())
    while empty_bite(connection, tenant):
        pass
    connection.execute(delete(tables.holds).where(tables.holds.c.lane.in_([tenant, f"{SYSTEM}:{tenant}"])))
    for table in _EMPTIED_AT_ONCE:
        connection.execute(delete(table).where(table.c.tenant == tenant))
    connection.execute(delete(_tenants).where(_tenants.c.id == tenant))


def _beginning(column: ColumnElement[str], start: str) -> Select[Any]:
    """A range and not LIKE, so that an index serves it whatever the database; U+10FFFF sorts after all text."""
    return select(*_COLUMNS).where(column >= start, column < f"{start}\U0010ffff")


def _folded(name: str) -> str:
    """As `lower` does in both databases, where text is bytes: A to Z only."""
    return name.translate(_ASCII_CAPITALS)


def _refuse_taken_domain(connection: Connection, tenant: TenantId, domain: str) -> None:
    other = find_by_domain(connection, domain)
    if other is not None and other.id != tenant:
        raise AlreadyExists(f"There is a tenant with the domain {domain} already.")


def _domain(name: str) -> str:
    """As domains are stored; empty for what cannot be one."""
    try:
        return parse_domain(name)
    except ValueError:
        return ""


def _tenant(row: AnyRow) -> Tenant:
    return Tenant(TenantId(row.id), row.name, row.domain, row.enabled, row.timezone, row.locale, row.created_at)
