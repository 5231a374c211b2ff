"""Custom templates: immutable, numbered revisions, and which of them is in force.

A part that is None falls back to the default template's part, at sending too.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, tuple_

from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.errors import AlreadyExists, NotFound
from ringpost.storage.identifiers import new_id
from ringpost.storage.tables import AnyRow, custom_templates, template_revisions
from ringpost.storage.tenants import must_exist

TemplateKey = tuple[TenantId, str]
"""Tenant and name of a template."""

KEYS_PER_QUERY = 5000
"""Two parameters each; SQLite takes at most 32,766 in one statement (sqlite.org/limits.html)."""

_IN_FORCE = custom_templates.join(
    template_revisions,
    and_(
        custom_templates.c.revision == template_revisions.c.id,
        custom_templates.c.tenant == template_revisions.c.tenant,
    ),
)
"""What is in force, with its revision."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of a custom template, never changed."""

    id: str
    tenant: TenantId
    name: str
    number: int
    parts: Parts
    created_at: int
    """Milliseconds since 1970."""
    author: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A revision as a list shows it: all but its parts, which may be large."""

    id: str
    name: str
    number: int
    created_at: int
    """Milliseconds since 1970."""
    author: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Who edits, and when (milliseconds since 1970)."""

    author: str
    at: int


def lock(connection: Connection, tenant: TenantId) -> None:
    """Let nobody else change what a tenant has customised until this transaction ends; on SQLite there is nobody else.

    For whoever looks at what is in force to say what comes next. Raises NotFound when there is no such tenant any more.
    """
    must_exist(connection, tenant)
    mine = select(custom_templates.c.name).where(custom_templates.c.tenant == tenant)
    connection.execute(mine.order_by(custom_templates.c.name).with_for_update())


def create(connection: Connection, tenant: TenantId, name: str, parts: Parts, edit: Edit) -> Revision:
    """Customise a template that the tenant has not customised. Raises AlreadyExists."""
    if show(connection, tenant, name) is not None:
        raise AlreadyExists(
            f"{name} is customised already. To change it, post to the same path with /{name} at its end."
        )
    revision = _write_revision(connection, tenant, name, parts, edit)
    connection.execute(custom_templates.insert().values(tenant=tenant, name=name, revision=revision.id))
    return revision


def update(connection: Connection, tenant: TenantId, name: str, parts: Parts, edit: Edit) -> Revision:
    """Put a new revision in force; parts that say the same keep the one that is. Raises NotFound."""
    current = get(connection, tenant, name)
    if current.parts == parts:
        return current
    revision = _write_revision(connection, tenant, name, parts, edit)
    connection.execute(
        custom_templates.update()
        .where(custom_templates.c.tenant == tenant, custom_templates.c.name == name)
        .values(revision=revision.id)
    )
    return revision


def destroy(connection: Connection, tenant: TenantId, name: str) -> None:
    """Go back to the default. Revisions stay, because what was sent refers to them. Raises NotFound."""
    gone = connection.execute(
        custom_templates.delete().where(custom_templates.c.tenant == tenant, custom_templates.c.name == name)
    )
    if not gone.rowcount:
        raise _not_customised(name)


def show(connection: Connection, tenant: TenantId, name: str) -> Revision | None:
    """The revision in force, or None when the default is."""
    is_it = custom_templates.c.tenant == tenant, custom_templates.c.name == name
    row = connection.execute(_in_force().where(*is_it)).first()
    return None if row is None else _revision(row)


def get(connection: Connection, tenant: TenantId, name: str) -> Revision:
    """The revision in force. Raises NotFound when the default is."""
    revision = show(connection, tenant, name)
    if revision is None:
        raise _not_customised(name)
    return revision


def list_custom(connection: Connection, tenant: TenantId) -> list[Revision]:
    """All that the tenant has customised, by name."""
    query = _in_force().where(custom_templates.c.tenant == tenant).order_by(custom_templates.c.name)
    return [_revision(row) for row in connection.execute(query)]


def list_saved(connection: Connection, tenant: TenantId, name: str, top: int, skip: int = 0) -> list[Saved]:
    """The revisions of one template, the newest first, without their parts."""
    columns = template_revisions.c
    query = _saved().where(columns.tenant == tenant, columns.name == name).order_by(columns.number.desc())
    return [Saved(*row) for row in connection.execute(query.limit(top).offset(skip))]


def list_in_force(connection: Connection, tenant: TenantId) -> dict[str, Saved]:
    """The revisions in force, by the names of their templates, without their parts."""
    query = _saved().select_from(_IN_FORCE).where(custom_templates.c.tenant == tenant)
    return {row.name: Saved(*row) for row in connection.execute(query)}


def numbered(connection: Connection, tenant: TenantId, name: str, number: int) -> Revision:
    """The revision of this number, in force or not. Raises NotFound."""
    columns = template_revisions.c
    query = template_revisions.select().where(columns.tenant == tenant, columns.name == name, columns.number == number)
    row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"{name} has no revision {number}.")
    return _revision(row)


def templates_in_force(connection: Connection, keys: Iterable[TemplateKey]) -> dict[TemplateKey, Revision]:
    """The revisions in force for many templates; a key without one has the default."""
    columns = custom_templates.c
    wanted = list(keys)
    found: dict[TemplateKey, Revision] = {}
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        part = wanted[start : start + KEYS_PER_QUERY]
        rows = connection.execute(_in_force().where(tuple_(columns.tenant, columns.name).in_(part)))
        found.update({(TenantId(row.tenant), row.name): _revision(row) for row in rows})
    return found


def _write_revision(connection: Connection, tenant: TenantId, name: str, parts: Parts, edit: Edit) -> Revision:
    columns = template_revisions.c
    newest = select(func.max(columns.number)).where(columns.tenant == tenant, columns.name == name)
    number = (connection.execute(newest).scalar() or 0) + 1
    revision = Revision(new_id(edit.at), tenant, name, number, parts, edit.at, edit.author)
    connection.execute(
        template_revisions.insert().values(
            id=revision.id,
            tenant=tenant,
            name=name,
            number=number,
            created_at=edit.at,
            author=edit.author,
            **dict(zip(("from_", "subject", "body", "text_body"), astuple(parts), strict=True)),
        )
    )
    return revision


def _saved() -> Select[*tuple[Any, ...]]:
    columns = template_revisions.c
    return select(columns.id, columns.name, columns.number, columns.created_at, columns.author)


def _in_force() -> Select[*tuple[Any, ...]]:
    return select(template_revisions).select_from(_IN_FORCE)


def _revision(row: AnyRow) -> Revision:
    parts = Parts(row.from_, row.subject, row.body, row.text_body)
    return Revision(row.id, TenantId(row.tenant), row.name, row.number, parts, row.created_at, row.author)


def _not_customised(name: str) -> NotFound:
    return NotFound(f"{name} is not customised.")
