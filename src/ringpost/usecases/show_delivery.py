"""Show a delivery: how it stands, why it waits, and every attempt, in the words of the API and the command line."""

from typing import Any, Final

from sqlalchemy import Connection

from ringpost.domain.deliveries import State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.domain.times import rfc3339
from ringpost.storage import deliveries
from ringpost.storage.tables import AnyRow
from ringpost.usecases.room import Room

_OF_AN_ATTEMPT: Final = (
    "number", "started_at", "duration_ms", "server", "verdict", "stage", "party", "code", "enhanced_code", "reply",
    "hint", "ambiguous",
)  # fmt: skip
_OF_A_HOLD: Final = ("since", "failures", "stage", "code", "enhanced_code", "reply", "hint")


async def show_delivery(room: Room, tenant: TenantId, delivery: str) -> dict[str, Any]:
    """All that is known of it. Raises NotFound."""
    return await room.database.read(_story, tenant, delivery)


def delivery_to_json(row: AnyRow) -> dict[str, Any]:
    """A row of a list of deliveries, with its last attempt."""
    return {
        "id": row.id,
        "event": row.event_id,
        "type": row.type,
        "recipient": row.recipient,
        "urgency": Urgency(row.urgency).word,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": rfc3339(row.created_at),
        "due_at": rfc3339(deliveries.next_try(row)) if row.ended_at is None else None,
        "expires_at": rfc3339(row.expires_at),
        "sent_at": rfc3339(row.sent_at),
        "ended_at": rfc3339(row.ended_at),
        "last_attempt": None if row.attempt_number is None else _attempt(row, "attempt_"),
    }


def _story(connection: Connection, tenant: TenantId, delivery: str) -> dict[str, Any]:
    row = deliveries.show(connection, tenant, delivery)
    hold = deliveries.hold_of(connection, row.queue) if row.state == State.QUEUED else None
    attempts = deliveries.attempts_of(connection, tenant, delivery)
    return delivery_to_json(row) | {
        "waiting_for_server": None if hold is None else _waiting(hold),
        "all_attempts": [_attempt(attempt) | {"dialogue": attempt.dialogue or None} for attempt in attempts],
    }


def _attempt(row: AnyRow, prefix: str = "") -> dict[str, Any]:
    fields = {name: _or_null(getattr(row, prefix + name)) for name in _OF_AN_ATTEMPT}
    return fields | {"started_at": rfc3339(fields["started_at"])}


def _waiting(row: AnyRow) -> dict[str, Any]:
    fields = {name: _or_null(getattr(row, name)) for name in _OF_A_HOLD}
    return fields | {"since": rfc3339(row.since), "next_probe_at": rfc3339(row.until)}


def _or_null(value: Any) -> Any:
    return None if value == "" else value
