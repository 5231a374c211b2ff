"""Change a user: another password or role, or may log in no more."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.access import Principal, Role, checked_role, parse_password
from ringpost.domain.tenants import TenantId
from ringpost.storage import access, audit, passwords
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class UserChange:
    """What shall be otherwise; None leaves it as it is."""

    password: str | None = None
    role: Role | None = None
    enabled: bool | None = None


async def change_user(
    room: Room, tenant: TenantId, user_id: str, change: UserChange, actor: Principal | None = None
) -> None:
    """Change a user of this tenant; a new password, or disabling, ends all sessions.

    Raises Invalid, NotFound.
    """
    now = room.clock()
    values = await _values(tenant, change)

    def store(connection: Connection) -> None:
        access.show_user(connection, tenant, user_id)
        if not values:
            return
        access.change_user(connection, tenant, user_id, values)
        if "password_hash" in values or change.enabled is False:
            access.revoke_sessions_of(connection, tenant, user_id, now)
        fields = tuple("password" if name == "password_hash" else name for name in values)
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "change_user", user_id, fields))

    await room.database.write(store)


async def _values(tenant: TenantId, change: UserChange) -> dict[str, object]:
    values: dict[str, object] = {}
    if change.role is not None:
        values["role"] = checked_role(tenant, change.role)
    if change.enabled is not None:
        values["enabled"] = change.enabled
    if change.password is not None:
        values["password_hash"] = await passwords.hash_password(parse_password(change.password))
    return values
