"""Change the notification settings of a tenant, or of the system level: all of them, or some of what is in force."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.mail_servers import merge_password
from ringpost.domain.settings import (
    Settings,
    SystemSettings,
    parse_settings_of,
    settings_to_json,
    system_settings_to_json,
)
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import StorageUnavailable
from ringpost.storage import audit, outcomes, queues
from ringpost.storage import settings as rows
from ringpost.storage.sealing import SealBroken
from ringpost.usecases.room import Room


async def change_settings(room: Room, principal: Principal, raw: Mapping[str, object]) -> None:
    """Replace the settings of the principal's tenant, or the system level's, by what was posted.

    Raises Invalid, PasswordRequired.
    """
    wanted = parse_settings_of(principal.tenant, raw, room.options.rules_for(principal.tenant))
    changed = await room.database.write(replace_settings, room, principal, wanted)
    if changed:
        await bring_on(room, principal.tenant)
    room.bell.ring()


async def edit_settings(room: Room, principal: Principal, edited: Callable[[Connection], Mapping[str, object]]) -> None:
    """Replace the settings of the principal's tenant, or the system level's, by what `edited` makes of them.

    That is one write, so nothing is lost of what others save. A person has asked for it, so what waits is tried again
    also when nothing is different: what was wrong may have been mended elsewhere. Programs that post the same every
    minute come by `change_settings`. Raises Invalid, PasswordRequired, and as `edited` does.
    """
    tenant = principal.tenant

    def store(connection: Connection) -> None:
        rows.lock(connection, tenant)
        wanted = parse_settings_of(tenant, edited(connection), room.options.rules_for(tenant))
        if not replace_settings(connection, room, principal, wanted):
            outcomes.release(connection, tenant, room.clock())

    await room.database.write(store)
    await bring_on(room, tenant)
    room.bell.ring()


async def bring_on(room: Room, tenant: TenantId) -> None:
    """After `let_go`: what the write itself had no room for goes on as well.

    In bites, so that others can write in between. When this is cut short, a mail changes over when it is claimed: what
    was saved is saved, so it is no failure of who saved it.
    """
    if tenant != SYSTEM:
        with suppress(StorageUnavailable):
            await _bring_all_on(room, tenant, wait=False)
            await _bring_all_on(room, tenant, wait=True)  # the few that somebody was just writing


def replace_settings(connection: Connection, room: Room, principal: Principal, wanted: Settings) -> bool:
    """The write behind all of these: whether anything is different. Raises PasswordRequired."""
    tenant, now = principal.tenant, room.clock()
    rows.lock(connection, tenant)
    old, opened = stored_settings(connection, room, tenant)
    if wanted.mail_server is not None:
        merged = merge_password(old.mail_server if opened else None, wanted.mail_server)
        wanted = replace(wanted, mail_server=replace(merged, oauth=rows.stored_oauth(connection, tenant)))
    changed = _changed_fields(old, wanted)
    if not changed:
        return False
    rows.save(connection, room.sealer, tenant, wanted)
    audit.record(connection, tenant, audit.Entry(now, principal.name, "change_settings", "settings", changed))
    let_go(connection, tenant, now, could_send=old.can_send)
    return True


def let_go(connection: Connection, tenant: TenantId, now: int, *, could_send: bool) -> None:
    """What waits is tried again at once, through the mail server that is now in force; of much, the rest by `bring_on`.

    `could_send`: whether the tenant's own could before the change.
    """
    can_send = rows.can_send(connection, tenant)
    if tenant != SYSTEM and could_send != can_send:
        queues.move_queue(connection, tenant, now, own_server=can_send)
    outcomes.release(connection, tenant, now)
    if tenant == SYSTEM and rows.system_server_offered(connection):
        queues.lend_to_emergencies(connection, now)


async def _bring_all_on(room: Room, tenant: TenantId, *, wait: bool) -> None:
    after = ""
    while ids := await room.database.read(_left_behind, tenant, after):
        for start in range(0, len(ids), queues.MOVED_AT_ONCE):
            bite = ids[start : start + queues.MOVED_AT_ONCE]
            await room.database.write(_bring_on, tenant, bite, room.clock(), wait=wait)
        after = ids[-1]
        room.bell.ring()


def _left_behind(connection: Connection, tenant: TenantId, after: str) -> Sequence[str]:
    return queues.left_behind(connection, tenant, after, own_server=rows.can_send(connection, tenant))


def _bring_on(connection: Connection, tenant: TenantId, ids: Sequence[str], now: int, *, wait: bool) -> None:
    rows.keep_as_they_are(connection, [tenant])  # somebody may have saved again
    queues.bring_on(connection, tenant, ids, now, own_server=rows.can_send(connection, tenant), wait=wait)


def stored_settings(connection: Connection, room: Room, tenant: TenantId) -> tuple[Settings, bool]:
    """What is in force, and whether its password could be opened; when its key is gone, a new one has to be given."""
    try:
        return rows.load(connection, room.sealer, tenant), True
    except SealBroken:
        return rows.show(connection, tenant), False


def _changed_fields(old: Settings, new: Settings) -> tuple[str, ...]:
    """Names of the fields that are not the same, for the audit log."""
    before, after = editable_fields(old), editable_fields(new)
    changed = [name for name, value in after.items() if before[name] != value]
    if old.password != new.password:
        changed.append("password")
    return tuple(changed)


def editable_fields(settings: Settings) -> dict[str, Any]:
    """What is shown of settings and can be changed, without the password."""
    if isinstance(settings, SystemSettings):
        return system_settings_to_json(settings)
    shown = settings_to_json(settings, system_server_offered=False)
    del shown["enable_system_email_server"]
    return shown
