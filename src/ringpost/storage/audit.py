"""The audit log: who changed which fields when, never values. Rows are added and read, never changed or removed."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, true

from ringpost.domain.access import Principal
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.identifiers import first_id, new_id
from ringpost.storage.tables import AnyRow, audit, tenants, tokens, users


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `action` is a verb and its object (`change_tenant`), `subject` the id or name of what was changed."""

    at: int
    """Milliseconds since 1970, UTC."""
    actor: str
    """The principal's name, or `cli` for the operator at the machine."""
    action: str
    subject: str
    fields: tuple[str, ...] = ()
    """Names of the fields that changed."""
    id: str = ""
    """Given when it is recorded; later entries have greater ones."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are meant: those for which all of this is so. Times in milliseconds."""

    actor: str | None = None
    action: str | None = None
    since: int | None = None
    until: int | None = None
    """Only entries before this time."""


def record(connection: Connection, tenant: TenantId, entry: Entry) -> None:
    """Add one entry; in the same write as the change itself, so that neither is without the other."""
    connection.execute(
        insert(audit).values(
            id=new_id(entry.at),
            tenant=tenant,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            fields=",".join(entry.fields),
        )
    )


def page(
    connection: Connection, tenant: TenantId, wanted: Filter, top: int, *, before: str = "", after: str = ""
) -> list[Entry]:
    """The newest `top` entries older than the entry `before`, or the oldest that are newer than `after`; newest first.

    An index has the entries of an actor or of an action in their order, so a page costs the same wherever it is.
    """
    rows = audit.c
    query = select(audit).where(rows.tenant == tenant)
    bounds = (
        (wanted.actor, rows.actor == wanted.actor),
        (wanted.action, rows.action == wanted.action),
        (wanted.since, rows.id >= first_id(wanted.since or 0)),
        (wanted.until, rows.id < first_id(wanted.until or 0)),
        (before or None, rows.id < before),
        (after or None, rows.id > after),
    )
    query = query.where(*(condition for chosen, condition in bounds if chosen is not None))
    if after and not before:
        return [_entry(row) for row in connection.execute(query.order_by(rows.id).limit(top)).all()[::-1]]
    return [_entry(row) for row in connection.execute(query.order_by(rows.id.desc()).limit(top))]


def names_of(connection: Connection, tenant: TenantId, subjects: Iterable[str]) -> dict[str, str]:
    """What people call these subjects, where they are ids of users, API keys or tenants that there still are."""
    wanted = list(set(subjects))
    rows = (
        select(users.c.id, users.c.username.label("name")).where(users.c.tenant == tenant, users.c.id.in_(wanted)),
        select(tokens.c.id, tokens.c.name).where(tokens.c.tenant == tenant, tokens.c.id.in_(wanted)),
        select(tenants.c.id, tenants.c.name).where(tenants.c.id.in_(wanted), _may_know(tenant)),
    )
    return {row.id: row.name for query in rows for row in connection.execute(query)}


def name_of(actor: Principal | None) -> str:
    """What the log calls someone: the principal's name, or `cli` for the operator at the machine."""
    return "cli" if actor is None else actor.name


def _may_know(tenant: TenantId) -> ColumnElement[bool]:
    """Tenants know of themselves only."""
    return true() if tenant == SYSTEM else tenants.c.id == tenant


def _entry(row: AnyRow) -> Entry:
    return Entry(row.at, row.actor, row.action, row.subject, tuple(filter(None, row.fields.split(","))), row.id)
