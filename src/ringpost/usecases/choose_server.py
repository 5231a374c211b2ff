"""Choose the mail server for a mail: the one in force for its tenant, or the system's for an emergency sent there."""

import structlog
from sqlalchemy import Connection

from ringpost.domain.deliveries import Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import queues
from ringpost.storage import settings as settings_rows
from ringpost.storage.outbox import Claimed
from ringpost.storage.sealing import SealBroken
from ringpost.storage.settings import ServerInForce
from ringpost.storage.standing import Standing
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.claim")

Way = tuple[TenantId, bool]
"""Whose mail it is, and whether it is an emergency on its way through the system's server."""


def way_of(item: Claimed) -> Way:
    """The way that a mail goes."""
    return item.tenant, item.urgency is Urgency.EMERGENCY and queues.is_borrowed(item.queue)


def choose_server(connection: Connection, room: Room, standing: Standing, way: Way) -> ServerInForce | None:
    """None when there is no mail server, or when its password does not open, which stops nobody else."""
    tenant, fell_over = way
    hosts = room.options.provider_hosts
    try:
        system = settings_rows.borrowed_server(connection, room.sealer, tenant, hosts) if fell_over else None
        return system or standing.server(connection, room.sealer, tenant, hosts)
    except SealBroken:
        _log.error("settings_do_not_open", tenant=tenant)
        return None
