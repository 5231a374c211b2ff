"""What the way of a mail costs the database does not grow with tenants, with what waits, or with what has ended."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Integer, cast, func, insert, update

from ringpost.domain.deliveries import SENT, Outcome, Stage, State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import access, events, leases, outbox, outcomes, resealing
from ringpost.storage.engines import open_engines
from ringpost.storage.events import DeliveryRow, EventRow, MessageRow
from ringpost.storage.keyring import KeyRing, KeyRingError
from ringpost.storage.outbox import Claim, Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.storage.sealing import Sealer
from ringpost.storage.tables import deliveries, holds, messages, tokens
from ringpost.storage.tables import events as events_table

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
FEW, MANY = (100, 10), (1_000, 20)
"""Tenants, and how many mails of each wait, wait for their time, and have ended."""


def fill(connection: Connection, tenants: int, each: int) -> None:
    """So many tenants; the server of every hundredth is on hold. Each has keys, and the variables have been erased."""
    keys = [(f"t{tenant:05}", f"{tenant:05}-{number:05}") for tenant in range(tenants) for number in range(3 * each)]
    accepted = {"type": "DISK_LOW", "occurred_at": NOW, "accepted_at": NOW, "fingerprint": b""}
    connection.execute(insert(events_table), [{**accepted, "key": key, "tenant": of, "id": key} for of, key in keys])
    connection.execute(insert(messages), [{"event": key, "tenant": of, "content": b"sealed"} for of, key in keys])
    always = {"type": "DISK_LOW", "recipient": "a@example.com", "urgency": Urgency.NORMAL, "created_at": NOW,
              "expires_at": NOW + 72 * HOUR_MS}  # fmt: skip
    waits = {"state": State.QUEUED, "due_at": NOW, "deferred": False, "sent_at": None, "ended_at": None,
             "erase_at": None}  # fmt: skip
    states = (
        waits,
        {**waits, "due_at": NOW + HOUR_MS, "deferred": True},
        {**waits, "state": State.SENT, "sent_at": NOW, "ended_at": NOW, "erase_at": NOW + 24 * HOUR_MS},
    )
    rows = [
        {**always, **states[place % 3], "id": f"{key}-1", "event": key, "tenant": of, "queue": of}
        for place, (of, key) in enumerate(keys)
    ]
    connection.execute(insert(deliveries), rows)
    why = {"since": NOW, "until": NOW + HOUR_MS, "failures": 1, "party": "mail_server", "stage": "connect",
           "reply": "", "hint": ""}  # fmt: skip
    key = {"kind": "key", "name": "PBX", "role": "tenant_admin", "scopes": "", "created_at": NOW}
    connection.execute(
        insert(tokens), [{**key, "id": id_, "token_hash": id_.encode(), "tenant": of} for of, id_ in keys]
    )
    if held := [{**why, "lane": f"t{tenant:05}"} for tenant in range(50, tenants, 100)]:
        connection.execute(insert(holds), held)


def wanted(name: str, after: str = "") -> Claim:
    """Two of each queue, 100 in all at most."""
    share_out: Callable[[Any], dict[str, int]] = lambda queues: dict.fromkeys(queues, 2)  # noqa: E731
    return Claim(name, NOW, NOW + 60_000, Urgency.NORMAL, 100, share_out, after)


def accept(connection: Connection) -> None:
    """Ten events, as a commit writes them."""
    keys = [f"new-{number}" for number in range(10)]
    of = TenantId("t00003")
    events.known(connection, [(of, key) for key in keys])
    outcomes.on_hold(connection, {of})
    made = [EventRow(key, of, key, "DISK_LOW", NOW, NOW, b"", b"", None, None, None, None) for key in keys]
    waits = State.QUEUED.value, 0, NOW, NOW, NOW + HOUR_MS, None, None
    to_deliver = [
        DeliveryRow(f"{key}-1", of, key, "DISK_LOW", "a@example.com", Urgency.NORMAL, False, of, *waits) for key in keys
    ]
    events.add(connection, made, [MessageRow(key, of, b"sealed") for key in keys], to_deliver)


def record(connection: Connection, claimed: list[Claimed]) -> None:
    """All of them were sent."""
    sent = Outcome(SENT, Stage.ACCEPTED, code=250)
    done = [Recorded(one, sent, "mx", NOW, 5, State.SENT, NOW, costs_retry=True, erase_at=NOW) for one in claimed]
    assert all(outcomes.record(connection, NOW, done))


def check_keys(connection: Connection) -> None:
    """As at the start, with whatever keys."""
    with suppress(KeyRingError):
        resealing.check_keys(connection, Sealer(KeyRing.fresh()))


@contextmanager
def counted(connection: Connection) -> Generator[Callable[[], int]]:
    """The steps of SQLite's virtual machine so far, which are the same on every machine and every day."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 10
        return 0

    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(count, 10)
    yield lambda: steps
    raw.set_progress_handler(None, 0)


def costs(engine: Engine) -> dict[str, int]:
    """What each step of the way of a mail costs."""
    found: dict[str, int] = {}
    with engine.connect() as connection, counted(connection) as steps:  # and what it does is undone

        def cost(name: str, work: Any, *args: Any) -> Any:
            before = steps()
            made = work(connection, *args)
            found[name] = steps() - before
            return made

        cost("check the keys", check_keys)
        cost("accept", accept)
        claimed, _ = cost("claim", outbox.claim, wanted("w-1"))
        cost("claim from the middle of the ring", outbox.claim, wanted("w-2", after="t00020"))
        assert len(claimed) > 50
        cost("bring back what is due", outbox.bring_due, NOW)
        cost("probe", outbox.claim_probes, wanted("w-3"))
        cost("read the messages", outbox.small_contents, [one.event for one in claimed])
        cost("renew", leases.renew, ["w-1"], [], NOW + 90_000)
        cost("look for the lost", leases.leases)
        cost("record", record, claimed)
        cost("expire", outcomes.expire, NOW, HOUR_MS, 500)
        cost("look for messages to erase", outcomes.due_for_erasure, NOW, 500)
        cost("look for history to forget", events.forget, NOW, 500)
        cost("look for tokens to forget", access.forget_ended_tokens, NOW, 500)
        cost("after the clock was set back", leases.pull_back, NOW, 2 * HOUR_MS)
    return found


@pytest.mark.parametrize("kind_of_database", ["sqlite"])
def test_what_a_mail_costs_does_not_grow_with_tenants_nor_with_what_waits_or_has_ended(database_url: str) -> None:
    reader, writer = open_engines(database_url)
    with writer.begin() as connection:
        fill(connection, *FEW)
    few = costs(writer)
    with writer.begin() as connection:
        for table in (holds, tokens, deliveries, messages, events_table):
            connection.execute(table.delete())
        fill(connection, *MANY)
    many = costs(writer)
    reader.dispose()
    writer.dispose()

    assert {name: (few[name], many[name]) for name in few if many[name] > 1.5 * few[name] + 200} == {}


@pytest.mark.parametrize("kind_of_database", ["sqlite"])
@pytest.mark.parametrize(
    ("failures", "all_are"),
    [(1, {}), (2, {}), (2, {"attempts": 1}), (1, {"attempts": 1, "deferred": True, "due_at": NOW + HOUR_MS})],
    ids=["due", "untried", "tried", "deferred"],
)
def test_what_a_probe_costs_does_not_grow_with_what_waits_behind_the_hold(
    database_url: str, failures: int, all_are: dict[str, int]
) -> None:
    reader, writer = open_engines(database_url)
    found: list[int] = []
    for each in (2_000, 20_000):
        with writer.begin() as connection:
            for table in (holds, tokens, deliveries, messages, events_table):
                connection.execute(table.delete())
            fill(connection, 1, each)
            connection.execute(
                update(deliveries).where(deliveries.c.state == State.QUEUED).values(all_are or {"attempts": 0})
            )
            one_after_the_other = {"due_at": deliveries.c.due_at + cast(func.substr(deliveries.c.id, 7, 5), Integer)}
            connection.execute(update(deliveries).values(one_after_the_other))
            hold = {"since": NOW, "until": NOW, "failures": failures, "party": "mail_server", "stage": "connect",
                    "reply": "", "hint": "", "lane": "t00000"}  # fmt: skip
            connection.execute(insert(holds), [hold])
        with writer.connect() as connection, counted(connection) as steps:
            assert len(outbox.claim_probes(connection, wanted("w-1"))) == 1
            found.append(steps())
    reader.dispose()
    writer.dispose()

    assert found[1] <= 1.5 * found[0] + 200, found
