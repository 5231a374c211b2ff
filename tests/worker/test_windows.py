"""Who may take how much of what a worker has: over `Windows`, with a clock of the test's own."""

import pytest
from tests.conftest import Clock

from ringpost.domain.deliveries import REJECTED, RETRY, Outcome, Party, Stage, Urgency
from ringpost.worker.windows import SLOT_BYTES, Said, Windows, said_by

SLOTS = 1000
QUICK = Said(0.01)
EMERGENCY, NORMAL = Urgency.EMERGENCY, Urgency.NORMAL


@pytest.fixture
def windows(clock: Clock) -> Windows:
    return Windows(SLOTS, clock.monotonic)


def share(windows: Windows, *queues: str, urgency: Urgency = NORMAL) -> dict[str, int]:
    """What these queues get now."""
    return windows.share_out(queues, urgency, windows.free(urgency), {})


def take(windows: Windows, shares: dict[str, int], size: int = 0) -> dict[str, int]:
    """Take what was given, in mails of so many bytes."""
    for queue, mails in shares.items():
        for _ in range(mails):
            windows.took(queue, NORMAL, size)
    return shares


class Pace:
    """Of a server that may have so many mails soon."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.idle = False

    def soon(self, *, urgent: bool) -> int:  # noqa: ARG002  the same for both
        return self.left


def prove(windows: Windows, queue: str, mails: int = 3000, urgency: Urgency = NORMAL) -> None:
    """Let the server of a queue answer quickly, many at once, until nothing limits it."""
    for _ in range(mails):
        windows.took(queue, urgency)
    for _ in range(mails):
        windows.ended(queue, urgency, QUICK)


def test_a_tenth_is_kept_for_emergencies(windows: Windows) -> None:
    assert (windows.free(NORMAL), windows.free(EMERGENCY)) == (900, 1000)


def test_alone_a_queue_may_have_all_and_beside_others_a_quarter(windows: Windows) -> None:
    prove(windows, "a")
    assert share(windows, "a") == {"a": 900}
    assert share(windows, "a", "b")["a"] == 250


def test_those_who_flood_share_equally_and_newcomers_get_in(windows: Windows) -> None:
    floods = [f"flood{number}" for number in range(6)]
    for queue in floods:
        prove(windows, queue)
    taken = take(windows, share(windows, *floods))
    assert sum(taken.values()) == 900
    assert set(taken.values()) == {150}

    for queue in floods:
        windows.ended(queue, NORMAL, QUICK)
    assert share(windows, "aaa", *floods, "new")["new"] == 1
    assert sum(share(windows, *floods, "new").values()) == 6


def test_whoever_was_last_is_not_the_first_again(windows: Windows) -> None:
    queues = ["a", "b", "c"]
    got = [windows.share_out(queues, NORMAL, 1, {}) for _ in range(6)]
    assert got == [{"a": 1}, {"b": 1}, {"c": 1}] * 2


def test_queues_of_which_a_look_sees_a_part_only_take_turns_too(windows: Windows) -> None:
    queues = [f"queue{number:02}" for number in range(90)]
    got = dict.fromkeys(queues, 0)
    for start in range(0, 90 * 60, 60):
        seen = [queues[number % 90] for number in range(start, start + 60)]
        for queue, mails in windows.share_out(seen, NORMAL, 7, {}).items():
            got[queue] += mails
    assert min(got.values()) >= max(got.values()) - 2


def test_borrowers_take_turns_beside_whoever_has_a_server_with_more_room(windows: Windows) -> None:
    borrowers = [f"system:t{number}" for number in range(20)]
    prove(windows, "flood", 20)
    take(windows, share(windows, "flood", *borrowers))
    in_hand = borrowers[:8]
    got = dict.fromkeys(borrowers, 0)
    for _ in range(100):
        windows.ended(in_hand.pop(0), NORMAL, Said(2.0))
        windows.ended("flood", NORMAL, QUICK)
        windows.forget_idle()
        for queue in take(windows, share(windows, "flood", *borrowers)).keys() & got.keys():
            got[queue] += 1
            in_hand.append(queue)
    assert min(got.values()) >= max(got.values()) - 1


def test_what_is_left_to_silent_servers_goes_to_those_that_have_room(windows: Windows) -> None:
    silent = [f"silent{number:03}" for number in range(811)]  # one less than they may have together
    take(windows, dict.fromkeys(silent, 1))
    assert share(windows, *silent[:50], "unknown") == {"unknown": 1}


def test_borrowers_of_one_server_share_its_window(windows: Windows) -> None:
    borrowers = [f"system:t{number}" for number in range(4)]
    assert share(windows, *borrowers) == dict.fromkeys(borrowers, 2)


def test_what_was_claimed_in_the_same_go_counts(windows: Windows) -> None:
    assert windows.share_out(["system:a", "system:b"], NORMAL, 100, {"system:a": 6}) == {"system:a": 1, "system:b": 1}


def test_large_mails_are_paid_for(windows: Windows) -> None:
    """Two borrowers with more mail than the server takes: one sends 160 KiB each, the other 10 KiB."""
    sizes = {"system:large": 10 * SLOT_BYTES, "system:small": SLOT_BYTES}
    sent = dict.fromkeys(sizes, 0)
    for _ in range(2000):
        for queue, mails in share(windows, *sizes).items():
            for _ in range(mails):
                windows.took(queue, NORMAL, sizes[queue])
                sent[queue] += sizes[queue]
            for _ in range(mails):
                windows.ended(queue, NORMAL, Said(2.0), sizes[queue])
    assert sent["system:large"] == pytest.approx(sent["system:small"], rel=0.2)


def test_bytes_that_there_were_no_slots_for_are_paid_for_too(windows: Windows) -> None:
    windows.took("system:large", NORMAL, SLOT_BYTES, more=3 * SLOT_BYTES)
    windows.ended("system:large", NORMAL, QUICK, SLOT_BYTES)
    assert windows.free(NORMAL) == 900
    assert windows.share_out(["system:large", "system:small"], NORMAL, 3, {}) == {"system:small": 3}


def test_large_mails_alone_wait_for_nobody(windows: Windows) -> None:
    for _ in range(20):
        assert share(windows, "large")["large"] >= 1
        windows.took("large", NORMAL, 50 * SLOT_BYTES)
        windows.ended("large", NORMAL, QUICK, 50 * SLOT_BYTES)


def test_slots_stand_for_memory(windows: Windows) -> None:
    windows.took("a", NORMAL, 10 * SLOT_BYTES + 1)
    assert windows.free(NORMAL) == 900 - 11
    windows.ended("a", NORMAL, QUICK, 10 * SLOT_BYTES + 1)
    assert windows.free(NORMAL) == 900


def test_servers_that_do_not_answer_leave_room_for_those_that_do(windows: Windows, clock: Clock) -> None:
    take(windows, {"quick": 20})
    for step in range(20):
        take(windows, share(windows, *(f"silent{number}" for number in range(step * 50, step * 50 + 50))))
        clock.advance(6)

    for _ in range(20):
        windows.ended("quick", NORMAL, QUICK)

    assert 600 <= SLOTS - windows.free(EMERGENCY) <= 820, "most of them are waited for"
    shares = share(windows, "silent1", "silent2", "quick")
    assert (shares.get("silent1", 0), shares.get("silent2", 0)) == (0, 0)
    assert shares["quick"] >= 8


def test_slow_lanes_have_two_thirds_among_them_and_no_more(windows: Windows, clock: Clock) -> None:
    queues = [f"slow{number}" for number in range(40)]
    for _ in range(60):
        for queue, mails in take(windows, share(windows, *queues)).items():
            clock.advance(0.5)
            for _ in range(mails // 2):
                windows.ended(queue, NORMAL, Said(20.0))
    assert 600 <= SLOTS - windows.free(EMERGENCY) <= 750


@pytest.mark.parametrize(("answer", "most"), [(Said(20.0), 11 / 16), (None, 13 / 16)], ids=["slow", "silent"])
def test_those_bounds_hold_for_a_thousand_servers_at_once(
    windows: Windows, clock: Clock, answer: Said | None, most: float
) -> None:
    queues = [f"server{number:03}" for number in range(1000)]
    for queue in queues if answer else []:
        windows.took(queue, NORMAL)
        windows.ended(queue, NORMAL, answer or QUICK)
    clock.advance(1)

    for start in range(0, 3000, 60):  # claims of sixty queues, one right after the other
        asked = [queues[number % 1000] for number in range(start, start + 60)]
        take(windows, share(windows, *asked))
    assert SLOTS - windows.free(EMERGENCY) == int(SLOTS * most)


def test_an_emergency_has_a_window_of_its_own(windows: Windows) -> None:
    take(windows, share(windows, "a"))
    assert share(windows, "a") == {}
    assert share(windows, "a", urgency=EMERGENCY)["a"] >= 1


def crowd(windows: Windows) -> None:
    """Servers that say nothing have all that they may have."""
    for number in range(int(SLOTS * 13 / 16)):
        windows.took(f"silent{number}", NORMAL)


def test_emergencies_of_a_server_that_has_gone_silent_leave_room_for_those_of_others(windows: Windows) -> None:
    prove(windows, "gone", urgency=EMERGENCY)
    crowd(windows)
    while windows.take("gone", EMERGENCY, 0):
        pass
    assert windows.free(EMERGENCY) == 50
    assert share(windows, "gone", "other", urgency=EMERGENCY) == {"other": 1}
    assert [windows.take(f"other{number}", EMERGENCY, 0) for number in range(50)] == [True] * 50


def test_emergencies_of_many_such_servers_do_not_take_that_room_in_one_go_either(windows: Windows) -> None:
    floods = [f"flood{number:02}" for number in range(40)]
    for queue in floods:
        prove(windows, queue, 20, EMERGENCY)
        windows.took(queue, EMERGENCY)
    prove(windows, "b", 20, EMERGENCY)
    crowd(windows)
    for queue, mails in share(windows, *floods, urgency=EMERGENCY).items():
        for _ in range(mails):
            windows.took(queue, EMERGENCY)
    assert windows.free(EMERGENCY) == 50
    assert share(windows, *floods, "b", "c", urgency=EMERGENCY) == {"b": 1, "c": 1}


def test_a_paced_lane_is_given_what_may_go_soon(windows: Windows) -> None:
    windows.took("a", NORMAL, 0, Pace(3))
    assert share(windows, "a") == {"a": 2}


def test_lanes_at_one_pace_are_given_what_may_go_soon_together(windows: Windows) -> None:
    pace = Pace(5)
    for queue in ("a", "b"):
        windows.took(queue, NORMAL, 0, pace)
    assert share(windows, "a", "b") == {"a": 2, "b": 1}
    assert not windows.would_wait("c", NORMAL, pace)
    windows.took("a", NORMAL, 0, Pace(9))  # which goes through another server now, with all that it has in hand
    assert share(windows, "b") == {"b": 4}


def test_a_server_that_fails_starts_with_few_again(windows: Windows) -> None:
    prove(windows, "a")
    windows.took("a", NORMAL)
    windows.ended("a", NORMAL, Said())
    assert share(windows, "a") == {"a": 8}


def test_idle_lanes_are_forgotten(windows: Windows) -> None:
    prove(windows, "a")
    windows.forget_idle()
    assert share(windows, "a") == {"a": 8}


def test_a_queue_that_is_kept_for_its_debt_shares_its_server_with_new_ones(windows: Windows) -> None:
    windows.took("system:large", NORMAL, 50 * SLOT_BYTES)
    windows.ended("system:large", NORMAL, QUICK, 50 * SLOT_BYTES)
    windows.forget_idle()
    for _ in range(6):
        windows.took("system:large", NORMAL)
    assert [windows.take("system:new", NORMAL, 0) for _ in range(3)] == [True, True, False]


def test_a_lane_that_has_used_up_its_pace_is_not_forgotten(windows: Windows) -> None:
    pace = Pace(2)
    windows.took("a", NORMAL, 0, pace)
    windows.ended("a", NORMAL, Said(0.1))
    windows.forget_idle()
    assert share(windows, "a") == {"a": 2}
    pace.idle = True
    windows.forget_idle()
    assert share(windows, "a") == {"a": 8}


@pytest.mark.parametrize(
    ("outcome", "answered", "asks_for_less"),
    [
        (Outcome(RETRY, Stage.MAIL_FROM, Party.MESSAGE, 451, "4.7.0"), True, True),
        (Outcome(RETRY, Stage.RCPT_TO, Party.RECIPIENT, 450, "4.2.1"), True, False),
        (Outcome(RETRY, Stage.DATA, Party.MESSAGE, 454, trap="SENDING_LIMIT"), True, True),
        (Outcome(REJECTED, Stage.DATA, Party.MESSAGE, 550, "5.4.5", trap="SENDING_LIMIT"), True, False),
        (Outcome(RETRY, Stage.GREETING, Party.MAIL_SERVER, 421, "4.7.0"), False, False),
        (Outcome(RETRY, Stage.ACCEPTED, ambiguous=True), True, False),
    ],
)
def test_what_an_outcome_says_about_its_server(outcome: Outcome, answered: bool, asks_for_less: bool) -> None:
    said = said_by(outcome, 0.5)
    assert (said.answered_after_s is not None, said.asks_for_less) == (answered, asks_for_less)
