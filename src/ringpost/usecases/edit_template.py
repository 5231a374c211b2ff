"""Edit a tenant's templates: customise one, change what was customised, go back to the default."""

from contextlib import suppress
from dataclasses import fields

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Parts, checked_parts
from ringpost.errors import NotFound
from ringpost.storage import audit
from ringpost.storage import templates as rows
from ringpost.storage.default_templates import language_of
from ringpost.storage.templates import Edit, Revision
from ringpost.usecases.aside import aside
from ringpost.usecases.prepare_template import prepared
from ringpost.usecases.room import Room
from ringpost.usecases.show_default_templates import tenant_or_system


async def create_template(room: Room, principal: Principal, name: str, parts: Parts) -> Revision:
    """Customise a template for the first time. Raises Invalid, AlreadyExists."""
    parts = checked_parts(parts)
    return await prepare_now(room, await room.database.write(write_new, room, principal, name, parts))


async def update_template(room: Room, principal: Principal, name: str, parts: Parts) -> Revision:
    """Replace what was customised. Raises Invalid, NotFound."""
    parts = checked_parts(parts)
    return await prepare_now(room, await room.database.write(write_change, room, principal, name, parts))


async def destroy_template(room: Room, principal: Principal, name: str) -> None:
    """Go back to the default. Raises NotFound."""
    await room.database.write(remove, room, principal, name)


async def prepare_now(room: Room, revision: Revision) -> Revision:
    """Prepare it here and now, on a thread, so that the first event does not make the database wait for that."""
    with suppress(NotFound):  # the tenant may be gone already
        owner = await room.database.read(tenant_or_system, room, revision.tenant)
        kind = catalogue_of(revision.tenant)[revision.name]
        await aside(revision.tenant, prepared, kind, revision, language_of(owner.locale))
    return revision


def write_new(connection: Connection, room: Room, principal: Principal, name: str, parts: Parts) -> Revision:
    """The write behind `create_template`."""
    edit = Edit(principal.name, room.clock())
    rows.lock(connection, principal.tenant)
    revision = rows.create(connection, principal.tenant, name, parts, edit)
    _record(connection, principal, edit, "create_template", (name, _changed(Parts(), parts)))
    return revision


def write_change(connection: Connection, room: Room, principal: Principal, name: str, parts: Parts) -> Revision:
    """The write behind `update_template`."""
    edit = Edit(principal.name, room.clock())
    rows.lock(connection, principal.tenant)
    before = rows.get(connection, principal.tenant, name)
    after = rows.update(connection, principal.tenant, name, parts, edit)
    if after != before:
        _record(connection, principal, edit, "update_template", (name, _changed(before.parts, parts)))
    return after


def remove(connection: Connection, room: Room, principal: Principal, name: str) -> None:
    """The write behind `destroy_template`."""
    rows.destroy(connection, principal.tenant, name)
    _record(connection, principal, Edit(principal.name, room.clock()), "destroy_template", (name, ()))


def _record(
    connection: Connection, principal: Principal, edit: Edit, action: str, what: tuple[str, tuple[str, ...]]
) -> None:
    audit.record(connection, principal.tenant, audit.Entry(edit.at, edit.author, action, *what))


def _changed(before: Parts, after: Parts) -> tuple[str, ...]:
    names = [field.name for field in fields(Parts)]
    return tuple(name.rstrip("_") for name in names if getattr(before, name) != getattr(after, name))
