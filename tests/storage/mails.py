"""Mails in the outbox, for tests: put in, claimed, and what a worker says of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage, State, Urgency
from ringpost.storage import outbox
from ringpost.storage.outbox import Claim, Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.storage.tables import deliveries, events, holds, messages

NOW = 1_000_000
GOOD = Outcome(SENT, Stage.ACCEPTED, code=250)
DOWN = Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER, hint="refused")


def put(connection: Connection, key: str, tenant: str = "t1", **fields: Any) -> str:
    """One event with one delivery that waits; returns the delivery's id."""
    connection.execute(
        insert(events).values(
            key=key, tenant=tenant, id=key, type="QUEUE_SLA", occurred_at=NOW, accepted_at=NOW, fingerprint=b"",
            variables=b"sealed",
        )
    )  # fmt: skip
    connection.execute(insert(messages).values(event=key, tenant=tenant, content=b"sealed"))
    values: dict[str, Any] = {
        "id": f"{key}-1", "tenant": tenant, "event": key, "type": "QUEUE_SLA", "recipient": "a@example.com",
        "urgency": Urgency.NORMAL, "queue": tenant, "state": State.QUEUED, "created_at": NOW, "due_at": NOW,
        "expires_at": NOW + 10_000_000,
    }  # fmt: skip
    values |= fields
    connection.execute(insert(deliveries).values(deferred=values["due_at"] > NOW, **values))
    return f"{key}-1"


def one_of_each(queues: Sequence[str]) -> dict[str, int]:
    return dict.fromkeys(queues, 1)


def claim(connection: Connection, *, share: int = 100, limit: int = 100, **fields: Any) -> list[Claimed]:
    """Claim normal mail, from the beginning of the ring."""
    values: dict[str, Any] = {
        "name": "w-1", "now": NOW, "lease_until": NOW + 60_000, "urgency": Urgency.NORMAL, "after": "",
    }  # fmt: skip
    wanted = Claim(**{**values, **fields}, limit=limit, share_out=lambda queues: dict.fromkeys(queues, share))
    return outbox.claim(connection, wanted)[0]


def said(claimed: Claimed, outcome: Outcome, state: State = State.SENT, **fields: Any) -> Recorded:
    """What a worker says of an attempt."""
    values: dict[str, Any] = {
        "server": "mail.example.com:25", "started_at": NOW, "duration_ms": 5, "due_at": NOW, "costs_retry": True,
        "erase_at": None if state is State.QUEUED else NOW + 1000,
    }  # fmt: skip
    return Recorded(claimed, outcome, state=state, **{**values, **fields})


def row(connection: Connection, delivery: str) -> Any:
    """A delivery as it is stored."""
    return connection.execute(select(deliveries).where(deliveries.c.id == delivery)).one()


def ids(claimed: Sequence[Claimed]) -> set[str]:
    """Ids only."""
    return {item.id for item in claimed}


def probe_claim(name: str, now: int) -> Claim:
    """A claim for probes."""
    return Claim(name, now, now + 60_000, Urgency.EMERGENCY, 10, lambda queues: dict.fromkeys(queues, 10), "")


def hold_lane(connection: Connection, key: str, **fields: Any) -> None:
    """One mail on a lane that is due for a probe."""
    put(connection, key, **fields)
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane="t1", since=NOW, until=NOW, **why))
