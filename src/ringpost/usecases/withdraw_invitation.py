"""Withdraw an invitation: its one-time link is of no use from now on."""

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.tenants import TenantId
from ringpost.errors import NotFound
from ringpost.storage import audit, invitations
from ringpost.usecases.room import Room


async def withdraw_invitation(room: Room, tenant: TenantId, username: str, actor: Principal | None = None) -> None:
    """Take back the link that this person has not used yet. Raises NotFound."""
    now = room.clock()

    def store(connection: Connection) -> None:
        if not invitations.withdraw(connection, tenant, username):
            raise NotFound("There is no such invitation. It may have been used, or be over.")
        audit.record(connection, tenant, audit.Entry(now, audit.name_of(actor), "withdraw_invitation", username))

    await room.database.write(store)
