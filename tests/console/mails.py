"""Mails for the tests of the pages of deliveries: reported, refused, ended; and what the list shows of them."""

import asyncio
import re
from typing import Any

import httpx

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.deliveries import State
from ringpost.domain.events import parse_event
from ringpost.domain.tenants import TenantId
from ringpost.storage import deliveries
from ringpost.storage.deliveries import Filter
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.room import Room


def admin(tenant: TenantId) -> Principal:
    return Principal(tenant, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "anna", "t")


async def report(room: Room, tenant: TenantId, *recipients: str, **changes: Any) -> str:
    """Report an emergency, which is always on; returns the id of its first delivery, "" when there is none."""
    fields = {
        "type": "EMERGENCY_CALL",
        "variables": {"CALLEE_NUMBER": "112"},
        "recipients": list(recipients),
        **changes,
    }
    (receipt,) = await accept_events(room, [parse_event(tenant, fields)])
    assert isinstance(receipt, Receipt), receipt
    return receipt.deliveries[0][0] if receipt.deliveries else ""


async def ended(room: Room, tenant: TenantId, delivery: str) -> Any:
    """The delivery, when it is not open any more."""
    while (row := await room.database.read(deliveries.show, tenant, delivery)).ended_at is None:
        await asyncio.sleep(0.05)
    return row


async def refused(room: Room, tenant: TenantId, delivery: str, reply: str = "No such user here") -> None:
    """Make it one that a server has refused, without asking a server."""
    sql = "UPDATE deliveries SET state = 'rejected', attempts = 1, ended_at = ? WHERE id = ?"

    def change(connection: Any) -> None:
        connection.exec_driver_sql(sql, (room.clock(), delivery))
        connection.exec_driver_sql(
            "INSERT INTO attempts (delivery, number, tenant, started_at, duration_ms, server, verdict, stage, party, "
            "code, enhanced_code, reply, hint, ambiguous) VALUES (?, 1, ?, ?, 5, 'mail.example.com:25', 'rejected', "
            "'rcpt_to', 'recipient', 550, '5.1.1', ?, ?, 0)",
            (delivery, tenant, room.clock(), reply, reply),
        )

    await room.database.write(change)


def names_in(page: httpx.Response) -> list[str]:
    """Recipients in the list, in its order."""
    return re.findall(r'<th scope="row"><a href="/console/deliveries/[^"]+">([^<]+)</a>', page.text)


async def states(room: Room, tenant: TenantId) -> dict[str, State]:
    rows = await room.database.read(deliveries.page, tenant, Filter(top=200))
    return {row.recipient: State(row.state) for row in rows}
