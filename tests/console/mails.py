"""Mails for the tests of the pages of deliveries: reported, refused, ended; and what the list shows of them."""

import asyncio
import re
from typing import Any

import httpx
from sqlalchemy import Connection
from tests.storage.mails import claim, said

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, State, Urgency
from ringpost.domain.events import parse_event
from ringpost.domain.tenants import TenantId
from ringpost.storage import deliveries, outcomes
from ringpost.storage.deliveries import Filter
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.room import Room

TRIED = {RETRY: State.QUEUED, REJECTED: State.REJECTED, SENT: State.SENT}


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


async def tried(room: Room, tenant: TenantId, outcome: Outcome, server: str = "mail.example.com:25") -> tuple[Any, Any]:
    """A delivery to jane@example.com after one attempt, and the attempt."""
    delivery = await report(room, tenant, "jane@example.com")
    now = room.clock()

    def try_it(connection: Connection) -> tuple[Any, Any]:
        waiting = claim(connection, name=delivery, urgency=Urgency.EMERGENCY, now=now, lease_until=now + 60_000)
        (item,) = (one for one in waiting if one.id == delivery)
        outcomes.record(connection, now, [said(item, outcome, TRIED[outcome.verdict], server=server, due_at=now)])
        (row,) = deliveries.rows_of(connection, tenant, [delivery])
        (attempt,) = deliveries.attempts_of(connection, tenant, delivery)
        return row, attempt

    return await room.database.write(try_it)
