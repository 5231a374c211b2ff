"""Save a template that somebody has edited for a while: not over what somebody else has saved meanwhile."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.templates import Parts, checked_parts
from ringpost.errors import WrongState
from ringpost.storage import templates as rows
from ringpost.storage.templates import Revision
from ringpost.usecases.edit_template import prepare_now, remove, write_change, write_new
from ringpost.usecases.room import Room


class ChangedMeanwhile(WrongState):
    """Somebody else has saved the template or gone back to the default. `now` is in force; None: the default."""

    def __init__(self, now: Revision | None) -> None:
        super().__init__("Somebody else has changed this template meanwhile.")
        self.now = now


@dataclass(frozen=True, slots=True)
class Edited:
    """A template of this name after it was edited."""

    name: str
    parts: Parts
    seen: str
    """Id of the revision that editing started from; "" for the default."""


async def save_template(room: Room, principal: Principal, edited: Edited) -> Revision | None:
    """Put it in force; without any part of its own the default is in force again, and None is returned.

    Raises Invalid, and ChangedMeanwhile when what is in force is no longer what editing started from.
    """
    edited = Edited(edited.name, checked_parts(edited.parts), edited.seen)
    revision = await room.database.write(_save, room, principal, edited)
    return None if revision is None else await prepare_now(room, revision)


def _save(connection: Connection, room: Room, principal: Principal, edited: Edited) -> Revision | None:
    rows.lock(connection, principal.tenant)
    now = rows.show(connection, principal.tenant, edited.name)
    parts = Parts() if now is None else now.parts
    if parts == edited.parts:
        return now
    if (now.id if now else "") != edited.seen:
        raise ChangedMeanwhile(now)
    if edited.parts == Parts():
        remove(connection, room, principal, edited.name)
        return None
    write = write_change if now else write_new
    return write(connection, room, principal, edited.name, edited.parts)
