"""Act for a tenant: a system administrator's session works in that tenant until it is told to stop."""

from sqlalchemy import Connection

from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Forbidden
from ringpost.storage import audit, sessions, tenants
from ringpost.storage.sessions import ConsoleSession
from ringpost.usecases.room import Room


async def act_for(room: Room, session: ConsoleSession, tenant: TenantId | None) -> None:
    """Work in `tenant` from now on; None: at the system level again. Raises Forbidden, NotFound.

    Its begin and its end are in the logs of both, the tenant and the system.
    """
    if session.user.tenant != SYSTEM:
        raise Forbidden("Only system administrators act for tenants.")
    if tenant == session.acting_for:
        return
    now, actor = room.clock(), session.user.username
    told = [(action, of) for action, of in (("end_to_act_for", session.acting_for), ("begin_to_act_for", tenant)) if of]

    def store(connection: Connection) -> None:
        if tenant is not None:
            tenants.show(connection, tenant)
        sessions.act_for(connection, session.id, tenant)
        for later, (action, subject) in enumerate(told):  # logs are in the order of time, to the millisecond
            for log in (SYSTEM, subject):
                audit.record(connection, log, audit.Entry(now + later, actor, action, subject))

    await room.database.write(store)
