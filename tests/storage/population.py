"""Many events and deliveries, written straight into the tables: by chance, and the same each time."""

from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from ringpost.domain.deliveries import State
from ringpost.domain.tenants import TenantId
from ringpost.storage.tables import deliveries, events

ACME = TenantId("acme")
BEGIN = 1_800_000_000_000
FEW_TYPES = ("EMERGENCY_CALL", "QUEUE_SLA", "DISK_LOW")
SOME_STATES = tuple(state for state in State if state is not State.CANCELLED)
"""Of which there are some; what a search costs shows when it looks for something that there is not."""

Row = dict[str, Any]


def repeatable(seed: int) -> Random:
    """Chance that is the same each time."""
    return Random(seed)  # noqa: S311  no secret


def fill(connection: Connection, count: int, chance: Random, tenant: str = ACME, first: int = 0) -> list[Row]:
    """So many events, a second apart, every fifth without a delivery; returns the deliveries."""
    accepted, made = list[Row](), list[Row]()
    for number in range(first, first + count):
        at = BEGIN + number * 1000
        key, kind = f"{at:011x}{chance.getrandbits(52):013x}", chance.choice(FEW_TYPES)
        skipped = "NOTIFICATION_OFF" if number % 5 == 0 else None
        event = {"key": key, "tenant": tenant, "id": key, "type": kind, "occurred_at": at, "accepted_at": at}
        accepted.append({**event, "fingerprint": b"", "skip_reason": skipped})
        for place in range(1, 1 if skipped else 3):
            state = chance.choice(SOME_STATES)
            made.append(
                {
                    "id": f"{key}-{place}",
                    "tenant": tenant,
                    "event": key,
                    "type": kind,
                    "recipient": f"p{chance.randrange(5)}@example.com",
                    "urgency": 0,
                    "queue": tenant,
                    "state": state.value,
                    "created_at": at,
                    "due_at": at,
                    "expires_at": at,
                    "claim": "c" if state is State.SENDING else None,
                    "lease_until": at if state is State.SENDING else None,
                    "sent_at": at if state is State.SENT else None,
                    "ended_at": None if state in (State.QUEUED, State.SENDING) else at,
                }
            )
    connection.execute(insert(events), accepted)
    connection.execute(insert(deliveries), made)
    return made
