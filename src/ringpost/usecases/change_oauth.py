"""Change or remove the OAuth credentials of a tenant, or of the system level."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Final

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.oauth import OAuthSettings, merge_oauth, parse_oauth
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound
from ringpost.storage import audit, outcomes
from ringpost.storage import oauth as rows
from ringpost.storage import settings as settings_rows
from ringpost.storage.sealing import SealBroken
from ringpost.transports.oauth.keys import Keys
from ringpost.usecases.change_settings import bring_on, let_go
from ringpost.usecases.room import Room

_NAMES: Final = {"directory": "tenant", "account": "service_account_email"}
"""Attributes whose fields in the API have other names."""


async def change_oauth(room: Room, principal: Principal, raw: Mapping[str, object]) -> None:
    """Replace the credentials by what was posted. Raises Invalid, PasswordRequired."""
    wanted = parse_oauth(raw, Keys())
    if await room.database.write(replace_oauth, room, principal, wanted):
        await bring_on(room, principal.tenant)
    room.bell.ring()


async def edit_oauth(
    room: Room, principal: Principal, edited: Callable[[Connection], Mapping[str, object] | None]
) -> None:
    """Replace the credentials by what `edited` makes of them, or forget them when that is None, in one write.

    What waits is tried again also when nothing is different (`edit_settings`). Raises Invalid, PasswordRequired, and
    as `edited` does.
    """
    tenant = principal.tenant

    def store(connection: Connection) -> None:
        rows.lock(connection, tenant)
        wanted = edited(connection)
        if wanted is None:
            if rows.show(connection, tenant) is not None:
                remove_oauth(connection, room, principal)
        elif not replace_oauth(connection, room, principal, parse_oauth(wanted, Keys())):
            outcomes.release(connection, tenant, room.clock())

    await room.database.write(store)
    await bring_on(room, tenant)
    room.bell.ring()


async def destroy_oauth(room: Room, principal: Principal) -> None:
    """Forget the credentials, secrets and all. Raises NotFound when there are none."""
    await room.database.write(remove_oauth, room, principal)
    await bring_on(room, principal.tenant)
    room.bell.ring()


def replace_oauth(connection: Connection, room: Room, principal: Principal, wanted: OAuthSettings) -> bool:
    """The write behind `change_oauth`: whether anything is different. Raises PasswordRequired."""
    tenant, now = principal.tenant, room.clock()
    settings_rows.lock(connection, tenant)
    old = stored_oauth(connection, room, tenant)
    merged = merge_oauth(old, wanted)
    changed = _changed_fields(old, merged)
    if not changed:
        return False
    could_send = settings_rows.can_send(connection, tenant)
    rows.save(connection, room.sealer, tenant, merged, now)
    audit.record(connection, tenant, audit.Entry(now, principal.name, "change_oauth", "oauth", changed))
    let_go(connection, tenant, now, could_send=could_send)
    return True


def remove_oauth(connection: Connection, room: Room, principal: Principal) -> None:
    """The write behind `destroy_oauth`. Raises NotFound."""
    tenant, now = principal.tenant, room.clock()
    settings_rows.lock(connection, tenant)
    could_send = settings_rows.can_send(connection, tenant)
    if not rows.remove(connection, tenant):
        raise NotFound("There are no OAuth credentials.")
    audit.record(connection, tenant, audit.Entry(now, principal.name, "destroy_oauth", "oauth"))
    let_go(connection, tenant, now, could_send=could_send)


def stored_oauth(connection: Connection, room: Room, tenant: TenantId) -> OAuthSettings | None:
    """What is in force. Secrets whose key is gone count as none, so that new ones can be given."""
    try:
        return rows.load(connection, room.sealer, tenant)
    except SealBroken:
        return None


def _changed_fields(old: OAuthSettings | None, new: OAuthSettings) -> tuple[str, ...]:
    """Names of the fields that are not the same, for the audit log."""
    changed: list[str] = []
    for field in fields(OAuthSettings):
        if (getattr(old, field.name) if old else None) != getattr(new, field.name):
            of_method = field.name == "secret" and new.method is not None
            changed.append(new.method.value if of_method and new.method else _NAMES.get(field.name, field.name))
    return tuple(dict.fromkeys(changed))
