"""Probes of lanes on hold: which mail is the probe, what it says, and what is left when it ends unheard."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert
from tests.storage.mails import DOWN, NOW, claim, hold_lane, ids, probe_claim, put, row, said

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage, State, Urgency
from ringpost.domain.tenants import TenantId
from ringpost.storage import leases, outbox, outcomes
from ringpost.storage.tables import deliveries, holds


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


def test_a_probe_that_is_given_back_leaves_what_its_lane_is_on_hold_for_since_alone(connection: Connection) -> None:
    hold_lane(connection, "a")
    put(connection, "b")
    (probe,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    outcomes.release(connection, TenantId("t1"), NOW)  # and then it fails anew
    (other,) = claim(connection, name="w-2")
    outcomes.record(connection, NOW, [said(other, DOWN, State.QUEUED, costs_retry=False, hold_for_ms=5000)])
    outbox.give_back(connection, NOW + 1000, [probe])
    assert outbox.claim_probes(connection, probe_claim("w-3", NOW + 1000)) == []
    assert len(outbox.claim_probes(connection, probe_claim("w-3", NOW + 5000))) == 1


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
    outcomes.release(connection, TenantId("t1"), NOW)
    assert ids(claim(connection)) == {"a-1"}


@pytest.mark.parametrize("due", [(-1, -9), (9000, 5000)], ids=["of what is due", "of what waits for its time"])
def test_a_lane_is_probed_with_its_most_urgent_mail_and_of_that_with_what_is_due_first(
    connection: Connection, due: tuple[int, int]
) -> None:
    late, early = due
    hold_lane(connection, "earliest", due_at=NOW + early - 1)
    put(connection, "late", urgency=Urgency.ALERT, due_at=NOW + late)
    put(connection, "early", urgency=Urgency.ALERT, due_at=NOW + early)
    assert ids(outbox.claim_probes(connection, probe_claim("w-1", NOW))) == {"early-1"}


def failing_probes(connection: Connection, count: int) -> list[str]:
    """The deliveries that the lane is tried with so often, one after the other, by a server that never answers well."""
    tried: list[str] = []
    for number in range(count):
        now = NOW + number * 60_000
        (probe,) = outbox.claim_probes(connection, probe_claim(f"w-{number}", now))
        failed = said(probe, DOWN, State.QUEUED, due_at=now, costs_retry=False, hold_for_ms=60_000)
        outcomes.record(connection, now, [failed])
        tried.append(probe.id)
    return tried


def test_a_lane_is_probed_with_each_class_in_turn_when_its_server_only_fails_at_the_most_urgent(
    connection: Connection,
) -> None:
    hold_lane(connection, "normal")
    put(connection, "alert", urgency=Urgency.ALERT, due_at=NOW - 1)
    assert "normal-1" in failing_probes(connection, 3)


def test_a_lane_that_is_lent_is_not_probed_with_one_tenants_mail_alone(connection: Connection) -> None:
    for number in range(20):
        put(connection, f"flood-{number}", queue="system:t1", due_at=NOW - 1)
    put(connection, "other", "t2", queue="system:t2")
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    connection.execute(insert(holds).values(lane="system", since=NOW, until=NOW, **why))
    assert "other-1" in failing_probes(connection, 6)


def test_of_more_lanes_than_there_is_room_for_those_are_probed_that_have_been_due_longest(
    connection: Connection,
) -> None:
    why = {"failures": 1, "party": "mail_server", "stage": "connect", "reply": "", "hint": ""}
    for tenant, since in (("t1", 1), ("t2", 9), ("t3", 5)):
        put(connection, f"of-{tenant}", tenant)
        connection.execute(insert(holds).values(lane=tenant, since=NOW - 100, until=NOW - since, **why))
    wanted = replace(probe_claim("w-1", NOW), limit=1)
    assert [probe.lane for probe in outbox.claim_probes(connection, wanted)] == ["t2"]
    assert [probe.lane for probe in outbox.claim_probes(connection, wanted)] == ["t3"]


def test_a_hold_that_nothing_waits_behind_any_more_ends_when_its_probe_is_due(connection: Connection) -> None:
    hold_lane(connection, "a")
    connection.execute(deliveries.update().values(state=State.CANCELLED, ended_at=NOW, erase_at=NOW))
    assert outbox.claim_probes(connection, probe_claim("w-1", NOW)) == []
    assert outcomes.failures_of(connection, ["t1"]) == {}
    put(connection, "b")
    assert ids(claim(connection)) == {"b-1"}, "nobody knows whether the server still fails"


def test_a_hold_stands_while_the_last_mail_behind_it_is_being_tried(connection: Connection) -> None:
    hold_lane(connection, "a", urgency=Urgency.EMERGENCY)
    assert len(claim(connection, urgency=Urgency.EMERGENCY)) == 1, "which is tried on its own schedule"
    assert outbox.claim_probes(connection, probe_claim("w-1", NOW)) == []
    assert outcomes.failures_of(connection, ["t1"]) == {"t1": 1}, "the next failure is not the first"


def test_a_probe_that_waits_for_its_time_unheard_is_not_the_next_probe_at_once(connection: Connection) -> None:
    hold_lane(connection, "a")
    (probe,) = outbox.claim_probes(connection, probe_claim("w-1", NOW))
    does_not_open = Outcome(RETRY, Stage.RESOLVE, Party.MESSAGE, hint="no key")
    outcomes.record(connection, NOW, [said(probe, does_not_open, State.QUEUED, due_at=NOW + 9000)])
    assert outbox.claim_probes(connection, probe_claim("w-2", NOW)) == []
    assert len(outbox.claim_probes(connection, probe_claim("w-3", NOW + 60_000))) == 1
