"""Act for a tenant: a system administrator's session works in that tenant until it is told to stop."""

from sqlalchemy import Connection

from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Forbidden
from ringpost.storage import audit, sessions, tenants
from ringpost.storage.sessions import ConsoleSession
from ringpost.usecases.room import Room


async def act_for(room: Room, session: ConsoleSession, tenant: TenantId | None) -> None:
    """Work in `tenant` from now on; None: at the system level again. Both logs tell. Raises Forbidden, NotFound."""
    if session.user.tenant != SYSTEM:
        raise Forbidden("Only system administrators act for tenants.")
    now, actor = room.clock(), session.user.username

    def store(connection: Connection) -> None:
        if tenant is not None:
            tenants.show(connection, tenant)
        sessions.act_for(connection, session.id, tenant)
        action, subject = ("begin_to_act_for", tenant) if tenant else ("end_to_act_for", session.acting_for)
        for log in filter(None, (SYSTEM, subject)):
            audit.record(connection, log, audit.Entry(now, actor, action, subject or SYSTEM))

    await room.database.write(store)
