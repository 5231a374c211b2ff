"""Create a user: a person who may log in."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.access import Principal, Role, User, parse_password, parse_username, role_fits
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import FieldError, Invalid
from ringpost.storage import access, audit, passwords, tenants
from ringpost.storage.identifiers import new_id
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who shall be able to log in."""

    username: str
    password: str
    role: Role


async def create_user(room: Room, tenant: TenantId, new: NewUser, actor: Principal | None = None) -> User:
    """Create a person of a tenant, or of the system level (`SYSTEM`). Raises Invalid, NotFound, AlreadyExists."""
    now = room.clock()
    try:
        username = parse_username(new.username)
    except ValueError as error:
        raise Invalid(FieldError("username", str(error))) from None
    try:
        password = parse_password(new.password)
    except ValueError as error:
        raise Invalid(FieldError("password", str(error))) from None
    if not role_fits(tenant, new.role):
        raise Invalid(FieldError("role", "system_admin is for the system level, the other roles are for tenants."))
    user = User(new_id(now), tenant, username, new.role, enabled=True, created_at=now)
    password_hash = await passwords.hash_password(password)

    def store(connection: Connection) -> None:
        if tenant != SYSTEM:
            tenants.show(connection, tenant)
        access.add_user(connection, user, password_hash)
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "create_user", user.id))

    await room.database.write(store)
    return user
