"""Lanes whose server fails: what waits, who probes, and what makes them go on."""

from typing import Any

from sqlalchemy import Connection, insert, select, update
from tests.storage.mails import DOWN, GOOD, NOW, claim, hold_lane, ids, probe_claim, put, row, said

from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage, State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import leases, outbox, outcomes, queues
from ringpost.storage.tables import deliveries, holds


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


def test_of_what_failed_together_the_probe_says_how_long_the_lane_waits(connection: Connection) -> None:
    for key in ("a", "b", "c"):
        put(connection, key)
    first, straggler, answered = claim(connection)
    hold: dict[str, Any] = {"state": State.QUEUED, "costs_retry": False, "hold_for_ms": 5000}
    outcomes.record(connection, NOW, [said(first, DOWN, **hold)])
    (probe,) = outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000))

    late, doubled = said(straggler, DOWN, **hold), said(probe, DOWN, **hold)._replace(hold_for_ms=10_000)
    outcomes.record(connection, NOW + 5000, [late, doubled, said(answered, GOOD)])

    held = connection.execute(select(holds)).one()
    assert (held.failures, held.since, held.until) == (2, NOW, NOW + 15_000), "also when another one was answered"


def test_a_straggler_of_the_same_failure_does_not_put_off_the_probe(connection: Connection) -> None:
    put(connection, "a")
    put(connection, "b")
    first, straggler = claim(connection)
    hold: dict[str, Any] = {"state": State.QUEUED, "costs_retry": False, "hold_for_ms": 5000}
    outcomes.record(connection, NOW, [said(first, DOWN, **hold)])
    outcomes.record(connection, NOW + 4000, [said(straggler, DOWN, **hold)])
    assert outcomes.failures_of(connection, ["t1"]) == {"t1": 1}
    assert len(outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000))) == 1


def test_a_lane_is_known_to_be_on_hold_however_many_others_are(connection: Connection) -> None:
    why = {"since": NOW, "until": NOW + 9_000_000, "failures": 1, "party": "mail_server", "stage": "connect"}
    others = [{**why, "lane": f"a{number:03}", "reply": "", "hint": ""} for number in range(150)]
    connection.execute(insert(holds), others)
    hold_lane(connection, "a")
    assert outcomes.on_hold(connection, {"t1", "t2"}) == {"t1"}
    (probe,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    outcomes.record(connection, NOW, [said(probe, GOOD)])
    assert outcomes.on_hold(connection, {"t1", "a149"}) == {"a149"}


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


def test_a_queue_that_is_on_hold_by_itself_keeps_nobody_else_waiting(connection: Connection) -> None:
    for tenant in ("t1", "t2"):
        put(connection, f"of-{tenant}", tenant, queue=queues.queue_of(TenantId(tenant), own_server=False))
    over = Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION, hint="The hour is over.")
    outcomes.hold_queue(connection, "system:t1", NOW, NOW + 5000, over)
    assert ids(claim(connection)) == {"of-t2-1"}
    assert outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000)) == [], "there is nothing to try out"
    assert ids(claim(connection, name="w-3")) == {"of-t1-1"}


def test_a_released_hold_lets_mail_go_at_once(connection: Connection) -> None:
    put(connection, "a")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=900_000)])
    connection.execute(deliveries.update().values(due_at=NOW + 60_000, deferred=True))
    outcomes.release(connection, TenantId("t1"), NOW)
    assert ids(claim(connection, name="w-2")) == {"a-1"}, "also what was to wait for another try"


def test_mail_moves_to_the_tenants_own_server_when_it_gets_one(connection: Connection) -> None:
    put(connection, "a", "t1", queue="system:t1")
    queues.move_queue(connection, TenantId("t1"), NOW, own_server=True)
    assert row(connection, "a-1").queue == "t1"
    queues.move_queue(connection, TenantId("t1"), NOW, own_server=False)
    assert row(connection, "a-1").queue == "system:t1"


def test_a_heartbeat_puts_off_the_next_probe_as_well(connection: Connection) -> None:
    put(connection, "a", "t1")
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    (probe,) = outbox.claim_probes(connection, probe_claim("w-2", NOW + 5000))
    leases.renew(connection, [probe.claim], [probe], NOW + 500_000)
    put(connection, "b", "t1")
    assert outbox.claim_probes(connection, probe_claim("w-3", NOW + 400_000)) == []


def test_a_heartbeat_leaves_what_its_lane_is_on_hold_for_since_alone(connection: Connection) -> None:
    hold_lane(connection, "a")
    put(connection, "b")
    (probe,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    outcomes.release(connection, TenantId("t1"), NOW)  # the settings change, and the password is wrong
    (other,) = claim(connection, name="w-2")
    wrong = Outcome(RETRY, Stage.AUTH, Party.CONFIGURATION, code=535)
    outcomes.record(connection, NOW, [said(other, wrong, State.QUEUED, costs_retry=False, hold_for_ms=900_000)])
    for seconds in (20, 40):
        leases.renew(connection, [probe.claim], [probe], NOW + seconds * 1000 + 60_000)
    assert outbox.claim_probes(connection, probe_claim("w-3", NOW + 899_999)) == []
    assert len(outbox.claim_probes(connection, probe_claim("w-3", NOW + 900_000))) == 1


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


def test_what_came_while_the_clock_was_ahead_is_due(connection: Connection) -> None:
    put(connection, "a")
    connection.execute(update(deliveries).values(due_at=NOW + 5 * 3_600_000))  # accepted at a time that is yet to come
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


def test_what_a_server_says_that_is_not_in_force_any_more_does_not_open_the_lane_of_the_one_that_is(
    connection: Connection,
) -> None:
    hold_lane(connection, "a", urgency=Urgency.EMERGENCY)
    (straggler,) = claim(connection, urgency=Urgency.EMERGENCY)
    busy = Outcome(RETRY, Stage.GREETING, Party.MAIL_SERVER, code=421)
    outcomes.record(connection, NOW, [said(straggler, busy, State.QUEUED, of_before=True)])
    assert outcomes.failures_of(connection, ["t1"]) == {"t1": 1}


def test_a_queue_that_is_on_hold_by_itself_may_be_put_on_hold_for_longer(connection: Connection) -> None:
    put(connection, "a", queue="system:t1")
    over = Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION, hint="The hour is over.")
    for until in (NOW + 5000, NOW + 9000):
        outcomes.hold_queue(connection, "system:t1", NOW, until, over)
    outbox.claim_probes(connection, probe_claim("w-1", NOW + 8999))
    assert claim(connection, name="w-2", now=NOW + 8999) == []
    outbox.claim_probes(connection, probe_claim("w-3", NOW + 9000))
    assert ids(claim(connection, name="w-4", now=NOW + 9000)) == {"a-1"}
