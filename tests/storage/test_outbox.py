"""The outbox: who is claimed when, what an outcome changes, and what happens when a worker is lost."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage, State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import leases, outbox, outcomes, queues
from ringpost.storage.engines import open_engines
from ringpost.storage.outbox import Claim, Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.storage.tables import attempts, deliveries, events, holds, messages

NOW = 1_000_000
GOOD = Outcome(SENT, Stage.ACCEPTED, code=250)
DOWN = Outcome(RETRY, Stage.CONNECT, Party.MAIL_SERVER, hint="refused")


@pytest.fixture
def engine(database_url: str) -> Any:
    """A migrated database."""
    reader, writer = open_engines(database_url)
    yield writer
    reader.dispose()
    writer.dispose()


@pytest.fixture
def connection(engine: Engine) -> Any:
    """An open transaction."""
    with engine.begin() as opened:
        yield opened


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


def test_what_is_claimed_is_not_claimed_again(connection: Connection) -> None:
    put(connection, "a")
    assert ids(claim(connection)) == {"a-1"}
    assert claim(connection, name="w-2") == []


def test_what_is_not_due_yet_waits(connection: Connection) -> None:
    put(connection, "a", due_at=NOW + 1)
    outbox.bring_due(connection, NOW)
    assert claim(connection) == []
    outbox.bring_due(connection, NOW + 1)
    assert ids(claim(connection, now=NOW + 1)) == {"a-1"}


def test_a_flood_of_one_tenant_leaves_room_for_the_others(connection: Connection) -> None:
    for number in range(50):
        put(connection, f"flood{number}", "t1")
    put(connection, "b", "t2")
    put(connection, "c", "t3")
    claimed = claim(connection, share=5)
    assert len([item for item in claimed if item.tenant == "t1"]) == 5
    assert {"b-1", "c-1"} <= ids(claimed)


def test_the_ring_goes_on_where_the_last_claim_ended(connection: Connection) -> None:
    for number in range(100):
        put(connection, f"e{number:03}", f"t{number:03}")
    until = NOW + 60_000
    first, after = outbox.claim(connection, Claim("w-1", NOW, until, Urgency.NORMAL, 1000, one_of_each, ""))
    second, end = outbox.claim(connection, Claim("w-2", NOW, until, Urgency.NORMAL, 1000, one_of_each, after))
    assert len(ids(first) | ids(second)) == 100
    assert end == "", "the ring was walked to its end"


def test_what_is_due_first_is_claimed_first(connection: Connection) -> None:
    put(connection, "late", due_at=NOW - 1)
    put(connection, "early", due_at=NOW - 9)
    assert ids(claim(connection, limit=1)) == {"early-1"}


def test_an_outcome_of_a_lost_claim_changes_nothing(connection: Connection) -> None:
    put(connection, "a")
    (stale,) = claim(connection)
    leases.return_lost(connection, stale, DOWN, due_at=NOW, at=NOW, claims=1)
    (fresh,) = claim(connection, name="w-2")
    assert outcomes.record(connection, NOW, [said(stale, GOOD)]) == [False]
    assert row(connection, "a-1").state == "sending"
    assert outcomes.record(connection, NOW, [said(fresh, GOOD)]) == [True]
    assert row(connection, "a-1").state == "sent"


def test_a_lost_claim_does_not_keep_others_of_the_batch_from_counting(connection: Connection) -> None:
    put(connection, "a")
    put(connection, "b")
    stale, good = sorted(claim(connection), key=lambda item: item.id)
    leases.return_lost(connection, stale, DOWN, due_at=NOW, at=NOW, claims=1)
    assert outcomes.record(connection, NOW, [said(stale, GOOD), said(good, GOOD)]) == [False, True]
    assert (row(connection, "a-1").state, row(connection, "b-1").state) == ("queued", "sent")


def test_what_was_recorded_without_hearing_of_it_is_not_recorded_twice(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    assert outcomes.record(connection, NOW, [said(claimed, GOOD)]) == [True]
    assert outcomes.record(connection, NOW, [said(claimed, GOOD)]) == [False], "the commit was done, its answer lost"
    assert (row(connection, "a-1").state, row(connection, "a-1").attempts) == ("sent", 1)
    assert len(connection.execute(select(attempts)).all()) == 1


def test_every_attempt_is_written_once_and_numbered(connection: Connection) -> None:
    put(connection, "a")
    for number in range(3):
        (claimed,) = claim(connection, name=f"w-{number}")
        outcomes.record(connection, NOW, [said(claimed, Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT), State.QUEUED)])
    numbers = connection.execute(select(attempts.c.number).order_by(attempts.c.number)).scalars().all()
    assert list(numbers) == [1, 2, 3]
    assert row(connection, "a-1").retries == 3


def test_a_lane_that_fails_waits_as_a_whole_and_is_probed_by_one(connection: Connection) -> None:
    for number in range(5):
        put(connection, f"a{number}", "t1")
    put(connection, "other", "t2")
    first, *_ = [item for item in claim(connection, share=1) if item.tenant == "t1"]
    outcomes.record(connection, NOW, [said(first, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    assert claim(connection, name="w-2") == [], "the lane is on hold"
    probes = outbox.claim_probes(connection, probe_claim("w-3", NOW + 5000))
    assert len(probes) == 1
    assert outbox.claim_probes(connection, probe_claim("w-4", NOW + 5000)) == [], "one probe at a time"
    assert claim(connection, name="w-5", now=NOW + 5000) == []


def probe_claim(name: str, now: int) -> Claim:
    """A claim for probes."""
    return Claim(name, now, now + 60_000, Urgency.EMERGENCY, 10, lambda queues: dict.fromkeys(queues, 10), "")


def test_a_probe_that_gets_through_opens_the_lane_and_one_that_fails_counts(connection: Connection) -> None:
    put(connection, "a", "t1")
    put(connection, "b", "t1")
    claimed = claim(connection)
    hold: dict[str, Any] = {"state": State.QUEUED, "costs_retry": False, "hold_for_ms": 5000}
    outcomes.record(connection, NOW, [said(item, DOWN, **hold) for item in claimed])
    assert outcomes.failures_of(connection, ["t1"]) == {"t1": 1}, "what failed together is one failure"
    (probe,) = outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000))
    outcomes.record(connection, NOW + 5000, [said(probe, DOWN, **hold)])
    assert outcomes.failures_of(connection, ["t1"]) == {"t1": 2}
    (probe,) = outbox.claim_probes(connection, probe_claim("w-3", NOW + 10_000))
    outcomes.record(connection, NOW + 10_000, [said(probe, GOOD)])
    assert connection.execute(select(holds)).all() == []


def test_mail_on_hold_uses_up_no_retries(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    assert (row(connection, "a-1").attempts, row(connection, "a-1").retries) == (1, 0)


def test_an_emergency_does_not_wait_for_a_held_lane(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    put(connection, "help", urgency=Urgency.EMERGENCY)
    assert ids(claim(connection, urgency=Urgency.EMERGENCY)) == {"help-1"}


def test_the_systems_server_is_one_lane_for_all_who_borrow_it(connection: Connection) -> None:
    for tenant in ("t1", "t2"):
        put(connection, f"of-{tenant}", tenant, queue=queues.queue_of(TenantId(tenant), own_server=False))
    put(connection, "own", "t3")
    borrowed = next(item for item in claim(connection, limit=1) if item.lane == "system")
    outcomes.record(connection, NOW, [said(borrowed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    assert ids(claim(connection, name="w-2")) == {"own-1"}
    assert len(outbox.claim_probes(connection, probe_claim("w-3", NOW + 5000))) == 1


def test_a_released_hold_lets_mail_go_at_once(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=900_000)])
    connection.execute(deliveries.update().values(due_at=NOW + 60_000, deferred=True))
    outcomes.release_hold(connection, "t1", NOW)
    assert ids(claim(connection, name="w-2")) == {"a-1"}, "also what was to wait for another try"


def test_mail_moves_to_the_tenants_own_server_when_it_gets_one(connection: Connection) -> None:
    put(connection, "a", "t1", queue="system:t1")
    queues.move_queue(connection, TenantId("t1"), own_server=True)
    assert row(connection, "a-1").queue == "t1"
    queues.move_queue(connection, TenantId("t1"), own_server=False)
    assert row(connection, "a-1").queue == "system:t1"


def test_leases_are_known_by_their_claims_and_can_be_renewed(connection: Connection) -> None:
    put(connection, "a")
    put(connection, "b")
    claim(connection, limit=1, name="dead")
    claim(connection, name="alive")
    leases.renew(connection, ["alive"], [], NOW + 120_000)
    assert set(leases.leases(connection)) == {("dead", NOW + 60_000), ("alive", NOW + 120_000)}
    ((_, claims),) = leases.held_under(connection, ["dead"], 10)
    assert claims == 1, "claimed once without an outcome"


def test_a_heartbeat_puts_off_the_next_probe_as_well(connection: Connection) -> None:
    put(connection, "a", "t1")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    (probe,) = outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000))
    leases.renew(connection, [probe.claim], [probe.lane], NOW + 500_000)
    put(connection, "b", "t1")
    assert outbox.claim_probes(connection, probe_claim("w-3", NOW + 400_000)) == []


def test_an_outcome_that_never_reached_the_server_does_not_open_a_held_lane(connection: Connection) -> None:
    put(connection, "a")
    put(connection, "b")
    first, second = claim(connection)
    outcomes.record(connection, NOW, [said(first, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=900_000)])
    erased = Outcome(REJECTED, Stage.RESOLVE, Party.MESSAGE, hint="erased")
    outcomes.record(connection, NOW, [said(second, erased, State.REJECTED)])
    assert len(connection.execute(select(holds)).all()) == 1


def test_after_the_clock_was_set_back_nothing_waits_for_the_time_that_it_showed(connection: Connection) -> None:
    put(connection, "a", due_at=NOW + 24 * 3_600_000)
    put(connection, "soon", due_at=NOW + 3_000_000)
    assert leases.pull_back(connection, NOW, 2 * 3_600_000) == 1
    assert ids(claim(connection)) == {"a-1"}


def test_after_the_clock_was_set_back_an_emergency_that_was_tried_in_the_future_is_tried_now(
    connection: Connection,
) -> None:
    hour_ms = 3_600_000
    for key in ("ahead", "asked", "normal"):
        put(connection, key, urgency=Urgency.NORMAL if key == "normal" else Urgency.EMERGENCY)
    later = Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT)
    for item in claim(connection, urgency=Urgency.EMERGENCY) + claim(connection, name="w-2"):
        tried = NOW - 60_000 if item.id == "asked-1" else NOW + hour_ms // 2
        put_off = said(item, later, State.QUEUED, started_at=tried, due_at=tried + hour_ms // 2)
        outcomes.record(connection, NOW - 60_000, [put_off])
    assert leases.pull_back(connection, NOW, 2 * hour_ms) == 1
    assert ids(claim(connection, urgency=Urgency.EMERGENCY)) == {"ahead-1"}, "the other one's server asked for it"
    assert row(connection, "normal-1").deferred, "by no more than anything may"


def test_after_the_clock_was_set_back_a_server_that_failed_in_the_future_is_probed_now(connection: Connection) -> None:
    put(connection, "a", "t1")
    put(connection, "b", "t2")
    for item, since in zip(claim(connection), (NOW + 1_800_000, NOW - 1000), strict=True):
        failed = said(item, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=900_000)
        outcomes.record(connection, since, [failed])
    held = set(connection.execute(select(holds.c.lane).where(holds.c.since > NOW)).scalars())
    leases.pull_back(connection, NOW, 2 * 3_600_000)
    assert {probe.lane for probe in outbox.claim_probes(connection, probe_claim("w-2", NOW))} == held


def test_when_slots_are_scarce_every_queue_gets_one_before_any_gets_two(connection: Connection) -> None:
    for tenant in ("t1", "t2", "t3", "t4"):
        for number in range(10):
            put(connection, f"{tenant}-{number}", tenant)
    assert sorted(item.tenant for item in claim(connection, limit=4)) == ["t1", "t2", "t3", "t4"]


def test_what_was_given_back_is_as_if_never_claimed(connection: Connection) -> None:
    put(connection, "a")
    outbox.give_back(connection, NOW, claim(connection))
    assert (row(connection, "a-1").state, row(connection, "a-1").claims) == ("queued", 0)


def hold_lane(connection: Connection, key: str, **fields: Any) -> None:
    """One mail on a lane that is due for a probe."""
    put(connection, key, **fields)
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane="t1", since=NOW, until=NOW, **why))


def test_a_lane_whose_probe_was_given_back_untried_is_due_for_a_probe_at_once_and_for_one_only(
    connection: Connection,
) -> None:
    hold_lane(connection, "a")
    put(connection, "b")
    outbox.give_back(connection, NOW, outbox.claim_probes(connection, probe_claim("w-1", NOW)))
    assert (row(connection, "a-1").state, row(connection, "a-1").claims) == ("queued", 0)
    assert claim(connection, name="w-2") == [], "it is still on hold"
    assert len(outbox.claim_probes(connection, probe_claim("w-3", NOW))) == 1
    assert outbox.claim_probes(connection, probe_claim("w-4", NOW)) == []


def test_a_probe_is_known_as_one_by_what_is_stored(connection: Connection) -> None:
    hold_lane(connection, "a")
    (probe,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    assert leases.held_under(connection, [probe.claim], 10) == [(probe, 1)]
    outbox.give_back(connection, NOW, [item for item, _ in leases.held_under(connection, [probe.claim], 10)])
    assert len(outbox.claim_probes(connection, probe_claim("w-2", NOW))) == 1


def test_a_probe_that_is_given_back_late_leaves_the_next_ones_lane_alone(connection: Connection) -> None:
    hold_lane(connection, "a")
    put(connection, "b")
    (late,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    (next_one,) = outbox.claim_probes(connection, probe_claim("w-2", NOW + 60_000))
    outbox.give_back(connection, NOW + 60_001, [late])
    assert outbox.claim_probes(connection, probe_claim("w-3", NOW + 60_001)) == [], "one probe at a time"
    outbox.give_back(connection, NOW + 60_002, [next_one])
    outbox.give_back(connection, NOW + 60_002, [late])  # whose claim has gone
    assert len(outbox.claim_probes(connection, probe_claim("w-4", NOW + 60_002))) == 1


def test_an_emergency_that_is_given_back_does_not_end_the_probe_of_its_lane(connection: Connection) -> None:
    hold_lane(connection, "a", urgency=Urgency.EMERGENCY)
    put(connection, "b")
    emergencies = claim(connection, name="w-1.0", urgency=Urgency.EMERGENCY)
    assert len(outbox.claim_probes(connection, probe_claim("w-1", NOW))) == 1
    outbox.give_back(connection, NOW, emergencies)
    assert outbox.claim_probes(connection, probe_claim("w-2", NOW)) == []


def test_a_probe_of_what_waits_for_its_time_goes_on_waiting_when_it_is_given_back(connection: Connection) -> None:
    hold_lane(connection, "a", due_at=NOW + 5000)
    outbox.give_back(connection, NOW, outbox.claim_probes(connection, probe_claim("w-1", NOW)))
    assert row(connection, "a-1").deferred, "it is not on the ring"
    outcomes.release_hold(connection, "t1", NOW)
    assert ids(claim(connection)) == {"a-1"}


def test_what_waited_past_its_time_expires(connection: Connection) -> None:
    put(connection, "a", expires_at=NOW, attempts=1)
    put(connection, "b")
    assert outcomes.expire(connection, NOW, 1000, 10) == 1
    assert (row(connection, "a-1").state, row(connection, "b-1").state) == ("expired", "queued")


def test_what_was_never_tried_does_not_expire_unless_its_server_fails(connection: Connection) -> None:
    put(connection, "a", expires_at=NOW)
    put(connection, "lent", queue="system:t1", expires_at=NOW)
    assert outcomes.expire(connection, NOW, 1000, 10) == 0, "a clock that is ahead must not end everything"
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds), [{"lane": lane, "since": 0, "until": 0, **why} for lane in ("t1", "system")])
    assert outcomes.expire(connection, NOW, 1000, 10) == 2


def test_secrets_are_erased_the_moment_their_last_delivery_ends(connection: Connection) -> None:
    put(connection, "a", secret=True)
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, GOOD)])
    assert connection.execute(select(messages)).all() == []
    assert connection.execute(select(events.c.variables)).scalar_one() is None


def test_a_message_stays_while_one_of_its_deliveries_is_open(connection: Connection) -> None:
    put(connection, "a", secret=True)
    values = {**row(connection, "a-1")._mapping, "id": "a-2"}
    connection.execute(insert(deliveries).values(**values))
    (first,) = claim(connection, limit=1)
    outcomes.record(connection, NOW, [said(first, Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT), State.REJECTED)])
    assert len(connection.execute(select(messages)).all()) == 1


def test_what_may_not_be_erased_yet_does_not_hide_what_may(connection: Connection) -> None:
    for number in range(3):
        put(connection, f"a{number}", due_at=NOW - 9)
        values = {**row(connection, f"a{number}-1")._mapping, "id": f"a{number}-2", "due_at": NOW + 9_000}
        connection.execute(insert(deliveries).values(**values))
    done = claim(connection)
    outcomes.record(connection, NOW, [said(item, GOOD, erase_at=NOW) for item in done])
    put(connection, "over")
    (last,) = claim(connection, name="w-2")
    outcomes.record(connection, NOW, [said(last, GOOD, erase_at=NOW + 1)])
    assert outcomes.due_for_erasure(connection, NOW + 1, 3) == ["over"]


def test_messages_that_are_due_for_erasure_are_found(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, GOOD, erase_at=NOW + 1000)])
    assert outcomes.due_for_erasure(connection, NOW + 999, 10) == []
    assert outcomes.due_for_erasure(connection, NOW + 1000, 10) == ["a"]
