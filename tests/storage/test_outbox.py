"""The outbox: who is claimed when, what an outcome changes, and what happens when a worker is lost."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from tests.storage.mails import DOWN, GOOD, NOW, claim, ids, one_of_each, put, row, said

from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage, State, Urgency
from ringpost.storage import leases, outbox, outcomes
from ringpost.storage.outbox import Claim
from ringpost.storage.tables import attempts, deliveries, events, holds, messages

REFUSED = Outcome(REJECTED, Stage.RCPT_TO, Party.RECIPIENT)


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


def test_the_last_queues_of_the_ring_are_seen_among_the_first(connection: Connection) -> None:
    for number in range(70):
        put(connection, f"e{number:03}", f"t{number:03}")
    seen: list[str] = []

    def share_out(queues: Sequence[str]) -> dict[str, int]:
        seen.extend(queues)
        return {}

    ends = [""]
    for number in range(3):
        wanted = Claim(f"w-{number}", NOW, NOW + 60_000, Urgency.NORMAL, 1000, share_out, ends[-1])
        ends.append(outbox.claim(connection, wanted)[1])
    assert seen == [f"t{number % 70:03}" for number in range(3 * 64)]
    assert ends == ["", "t063", "t057", "t051"]


def test_a_queue_with_room_again_does_not_wait_for_the_walk_to_come_round(connection: Connection) -> None:
    for number in range(70):  # more queues than one look walks
        put(connection, f"slow{number:02}", f"slow{number:02}")
    put(connection, "quick", "t1")
    put(connection, "lent", "t2", queue="system:t2")

    def look(ready: list[str], **fields: Any) -> set[str]:
        room = {"t1": 5, "system:t2": 5, "gone": 5}  # nobody else has any
        values: dict[str, Any] = {"name": "w-1", "now": NOW, "lease_until": NOW + 1, "urgency": Urgency.NORMAL} | fields
        shares: Callable[[Sequence[str]], dict[str, int]] = lambda queues: {  # noqa: E731
            queue: room[queue] for queue in queues if queue in room
        }
        wanted = Claim(**values, limit=100, share_out=shares, after="", ready=ready)
        claimed, end = outbox.claim(connection, wanted)
        assert end == "slow63", "the walk goes on where it would have"
        return ids(claimed)

    assert look([]) == set()
    assert look(["t1", "slow00", "gone"]) == {"quick-1"}
    connection.execute(holds.insert().values(lane="system", since=1, until=9, failures=1, party="network",
                                             stage="connect", reply="", hint=""))  # fmt: skip
    assert look(["system:t2"], name="w-2") == set(), "its lane is on hold"
    connection.execute(holds.delete())
    assert look(["system:t2"], name="w-3") == {"lent-1"}


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


def test_leases_are_known_by_their_claims_and_can_be_renewed(connection: Connection) -> None:
    put(connection, "a")
    put(connection, "b")
    claim(connection, limit=1, name="dead")
    claim(connection, name="alive")
    leases.renew(connection, ["alive"], [], NOW + 120_000)
    assert set(leases.leases(connection)) == {("dead", NOW + 60_000), ("alive", NOW + 120_000)}
    ((_, claims),) = leases.held_under(connection, ["dead"], 10)
    assert claims == 1, "claimed once without an outcome"


def test_claims_are_counted_since_the_last_outcome(connection: Connection) -> None:
    put(connection, "a")
    (lost,) = claim(connection)
    leases.return_lost(connection, lost, DOWN, due_at=NOW, at=NOW, claims=1)
    (claimed,) = claim(connection, name="w-2")
    assert [claims for _, claims in leases.held_under(connection, ["w-2"], 10)] == [2]
    outcomes.record(connection, NOW, [said(claimed, Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT), State.QUEUED)])
    claim(connection, name="w-3")
    assert [claims for _, claims in leases.held_under(connection, ["w-3"], 10)] == [1], "it does not break its workers"


def test_when_slots_are_scarce_every_queue_gets_one_before_any_gets_two(connection: Connection) -> None:
    for tenant in ("t1", "t2", "t3", "t4"):
        for number in range(10):
            put(connection, f"{tenant}-{number}", tenant)
    assert sorted(item.tenant for item in claim(connection, limit=4)) == ["t1", "t2", "t3", "t4"]


def test_what_was_given_back_is_as_if_never_claimed(connection: Connection) -> None:
    put(connection, "a")
    outbox.give_back(connection, NOW, claim(connection))
    assert (row(connection, "a-1").state, row(connection, "a-1").claims) == ("queued", 0)


def test_what_another_worker_has_by_now_is_not_given_back(connection: Connection) -> None:
    put(connection, "a")
    (stale,) = claim(connection)
    leases.return_lost(connection, stale, DOWN, due_at=NOW, at=NOW, claims=1)
    (fresh,) = claim(connection, name="w-2")
    outbox.give_back(connection, NOW, [stale])
    assert (row(connection, "a-1").state, row(connection, "a-1").claim) == ("sending", fresh.claim)


def test_a_worker_that_was_lost_is_not_found_lost_again(connection: Connection) -> None:
    put(connection, "a")
    (stale,) = claim(connection)
    leases.return_lost(connection, stale, DOWN, due_at=NOW, at=NOW, claims=1)
    (fresh,) = claim(connection, name="w-2")
    leases.return_lost(connection, stale, DOWN, due_at=NOW, at=NOW, claims=1)
    assert (row(connection, "a-1").state, row(connection, "a-1").claim) == ("sending", fresh.claim)
    assert len(connection.execute(select(attempts)).all()) == 1


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


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(GOOD, State.SENT), (REFUSED, State.REJECTED), (Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT), State.EXPIRED)],
)
def test_secrets_are_erased_the_moment_their_last_delivery_ends(
    connection: Connection, outcome: Outcome, state: State
) -> None:
    put(connection, "a", secret=True)
    (claimed,) = claim(connection)
    outcomes.record(connection, NOW, [said(claimed, outcome, state)])
    assert connection.execute(select(messages)).all() == []
    assert connection.execute(select(events.c.variables)).scalar_one() is None


def test_secrets_are_erased_the_moment_their_time_is_up(connection: Connection) -> None:
    put(connection, "a", secret=True, expires_at=NOW, attempts=1)
    put(connection, "b", expires_at=NOW, attempts=1)
    assert outcomes.expire(connection, NOW, 1000, 10) == 2
    assert connection.execute(select(messages.c.event)).scalars().all() == ["b"], "what is no secret stays for a while"


def test_a_message_stays_while_one_of_its_deliveries_is_open(connection: Connection) -> None:
    put(connection, "a", secret=True)
    values = {**row(connection, "a-1")._mapping, "id": "a-2"}
    connection.execute(insert(deliveries).values(**values))
    (first,) = claim(connection, limit=1)
    outcomes.record(connection, NOW, [said(first, REFUSED, State.REJECTED)])
    assert len(connection.execute(select(messages)).all()) == 1, "one waits"


def test_a_message_stays_while_one_of_its_deliveries_is_being_sent(connection: Connection) -> None:
    put(connection, "a", secret=True)
    values = {**row(connection, "a-1")._mapping, "id": "a-2"}
    connection.execute(insert(deliveries).values(**values))
    first, second = claim(connection)
    outcomes.record(connection, NOW, [said(first, REFUSED, State.REJECTED)])
    assert len(connection.execute(select(messages)).all()) == 1
    outcomes.record(connection, NOW, [said(second, GOOD)])
    assert connection.execute(select(messages)).all() == []


def test_what_may_not_be_erased_yet_does_not_hide_what_may(connection: Connection) -> None:
    for number in range(3):
        put(connection, f"a{number}", due_at=NOW - 9)
        values = {**row(connection, f"a{number}-1")._mapping, "id": f"a{number}-2", "due_at": NOW + 9, "deferred": True}
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
