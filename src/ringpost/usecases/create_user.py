"""Create a user: a person who may log in."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ringpost.domain.access import Principal, Role, User, checked_role, parse_password, parse_username
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import access, audit, invitations, passwords, tenants
from ringpost.storage.identifiers import new_id
from ringpost.usecases.invite_user import FIRST_ADMINISTRATOR
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who shall be able to log in."""

    username: str
    password: str
    role: Role


async def create_user(room: Room, tenant: TenantId, new: NewUser, actor: Principal | None = None) -> User:
    """Create a person of a tenant, or of the system level (`SYSTEM`). Raises Invalid, NotFound, AlreadyExists.

    One-time links that were made for the same person before are of no use any more; nor is that of the first start.
    """
    now = room.clock()
    username, password = parse_username(new.username), parse_password(new.password)
    user = User(new_id(now), tenant, username, checked_role(tenant, new.role), enabled=True, created_at=now)
    password_hash = await passwords.hash_password(password)

    def store(connection: Connection) -> None:
        tenants.must_exist(connection, tenant)
        if tenant == SYSTEM and not access.list_users(connection, SYSTEM):
            invitations.withdraw(connection, SYSTEM, FIRST_ADMINISTRATOR)
        access.add_user(connection, user, password_hash)
        invitations.withdraw(connection, tenant, username)
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "create_user", user.id))

    await room.database.write(store)
    return user
