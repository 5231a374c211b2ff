"""The audit log: who changed which fields when, never values. Rows are added and read, never changed or removed."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from ringpost.domain.access import Principal
from ringpost.domain.tenants import TenantId
from ringpost.storage.identifiers import new_id
from ringpost.storage.tables import audit


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


def entries(connection: Connection, tenant: TenantId, top: int = 100, skip: int = 0) -> list[Entry]:
    """The newest entries first."""
    rows = connection.execute(
        select(audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.fields)
        .where(audit.c.tenant == tenant)
        .order_by(audit.c.id.desc())
        .limit(top)
        .offset(skip)
    )
    return [
        Entry(row.at, row.actor, row.action, row.subject, tuple(filter(None, row.fields.split(",")))) for row in rows
    ]


def name_of(actor: Principal | None) -> str:
    """What the log calls someone: the principal's name, or `cli` for the operator at the machine."""
    return "cli" if actor is None else actor.name
