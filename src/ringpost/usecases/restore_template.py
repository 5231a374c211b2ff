"""Restore a template: what an older revision says becomes the newest one."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.storage import templates as rows
from ringpost.storage.templates import Revision
from ringpost.usecases.edit_template import prepare_now, write_change, write_new
from ringpost.usecases.room import Room


async def restore_template(room: Room, principal: Principal, name: str, number: int) -> Revision:
    """Put the parts of revision `number` in force, as a new revision. Raises NotFound."""
    return await prepare_now(room, await room.database.write(_restore, room, principal, name, number))


def _restore(connection: Connection, room: Room, principal: Principal, name: str, number: int) -> Revision:
    rows.lock(connection, principal.tenant)
    old = rows.numbered(connection, principal.tenant, name, number)
    write = write_change if rows.show(connection, principal.tenant, name) else write_new
    return write(connection, room, principal, name, old.parts)
