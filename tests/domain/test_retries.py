"""Retries: the delays, what ends a delivery, and what holds up a lane."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringpost.domain.deliveries import OPEN_STATES, Outcome, Party, Stage, State, Urgency, Verdict
from ringpost.domain.retries import DEFAULT, End, RetryPolicy, Schedule, TryAgain, hold, next_step, uses_up_attempt

DAY = 86400.0
GREYLISTED = Outcome(Verdict.RETRY, Stage.RCPT_TO, Party.RECIPIENT, 451)
UNREACHABLE = Outcome(Verdict.RETRY, Stage.CONNECT, Party.MAIL_SERVER)
NO_NETWORK = Outcome(Verdict.RETRY, Stage.RESOLVE, Party.NETWORK)
WRONG_PASSWORD = Outcome(Verdict.RETRY, Stage.AUTH, Party.CONFIGURATION, 535)
LOST_AFTER_THE_DOT = Outcome(Verdict.RETRY, Stage.DATA, ambiguous=True)
ACCEPTED = Outcome(Verdict.SENT, Stage.ACCEPTED, code=250)
UNKNOWN_USER = Outcome(Verdict.REJECTED, Stage.RCPT_TO, Party.RECIPIENT, 550)
OF_THE_LANE = [UNREACHABLE, NO_NETWORK, WRONG_PASSWORD]
NOT_OF_THE_LANE = [GREYLISTED, Outcome(Verdict.RETRY, Stage.DATA, Party.MESSAGE, 451), LOST_AFTER_THE_DOT]


def delay(urgency: Urgency, attempts: int, jitter: float = 0, outcome: Outcome = GREYLISTED, age_s: float = 0) -> float:
    step = next_step(urgency, attempts=attempts, age_s=age_s, outcome=outcome, jitter=jitter)
    assert isinstance(step, TryAgain)
    return step.after_s


def asking(seconds: float, party: Party = Party.RECIPIENT) -> Outcome:
    return Outcome(Verdict.RETRY, Stage.API, party, 429, retry_after=seconds)


def test_an_emergency_is_tried_after_seconds_then_every_five_minutes() -> None:
    found = [delay(Urgency.EMERGENCY, attempts) for attempts in range(1, 9)]
    assert found == [5, 15, 30, 60, 120, 300, 300, 300]


@pytest.mark.parametrize("urgency", [Urgency.ALERT, Urgency.NORMAL])
def test_other_mail_is_tried_after_minutes_then_hourly(urgency: Urgency) -> None:
    found = [delay(urgency, attempts) / 60 for attempts in range(1, 10)]
    assert found == [1, 2, 5, 10, 15, 30, 60, 60, 60]


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 48), (0, 60), (0.5, 66), (1, 72)])
def test_delays_vary_by_a_fifth(jitter: float, seconds: float) -> None:
    assert delay(Urgency.NORMAL, 1, jitter) == pytest.approx(seconds)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize(("urgency", "lifetime"), [(0, DAY), (1, 3 * DAY), (2, 3 * DAY)])
def test_a_delivery_expires_when_its_time_has_run_out(urgency: int, lifetime: float) -> None:
    for age_s in (lifetime, lifetime + 1e9):
        step = next_step(Urgency(urgency), attempts=9, age_s=age_s, outcome=GREYLISTED, jitter=0)
        assert step == End(State.EXPIRED)


def test_the_last_try_is_made_when_the_time_is_up() -> None:
    assert delay(Urgency.NORMAL, 50, age_s=3 * DAY - 100) == 100
    assert delay(Urgency.EMERGENCY, 50, age_s=DAY - 299) == 299


def test_what_was_sent_or_rejected_has_ended() -> None:
    for outcome, state in ((ACCEPTED, State.SENT), (UNKNOWN_USER, State.REJECTED)):
        step = next_step(Urgency.NORMAL, attempts=1, age_s=9 * DAY, outcome=outcome, jitter=0)
        assert step == End(state)


def test_an_ambiguous_outcome_is_tried_again() -> None:
    assert delay(Urgency.NORMAL, 2, outcome=LOST_AFTER_THE_DOT) == 120


def test_the_time_that_the_server_asks_for_is_granted() -> None:
    assert delay(Urgency.NORMAL, 1, 1, asking(90)) == 90
    assert delay(Urgency.NORMAL, 6, -1, asking(90)) == 1440


@pytest.mark.parametrize(
    ("asked", "granted"), [(1e9, 3600), (float("inf"), 3600), (-5, 60), (0, 60), (float("nan"), 60)]
)
def test_a_mistaken_wish_of_the_server_is_bounded(asked: float, granted: float) -> None:
    assert delay(Urgency.NORMAL, 1, outcome=asking(asked)) == granted


def test_a_wish_beyond_the_lifetime_ends_the_delivery() -> None:
    step = next_step(Urgency.EMERGENCY, attempts=3, age_s=DAY - 60, outcome=asking(61), jitter=0)
    assert step == End(State.EXPIRED)


@pytest.mark.parametrize("outcome", OF_THE_LANE)
def test_a_failure_of_the_lane_uses_up_no_attempt(outcome: Outcome) -> None:
    assert not uses_up_attempt(outcome)
    assert delay(Urgency.NORMAL, 7, outcome=outcome) == 60
    assert delay(Urgency.ALERT, 0, outcome=outcome) == 60


@pytest.mark.parametrize("outcome", OF_THE_LANE)
def test_an_emergency_goes_on_by_its_own_delays_whoever_fails(outcome: Outcome) -> None:
    assert [delay(Urgency.EMERGENCY, attempts, outcome=outcome) for attempts in (0, 1, 2, 3)] == [5, 5, 15, 30]


@pytest.mark.parametrize("outcome", [*NOT_OF_THE_LANE, ACCEPTED, UNKNOWN_USER])
def test_any_other_outcome_uses_up_an_attempt_and_holds_nobody(outcome: Outcome) -> None:
    assert uses_up_attempt(outcome)
    assert hold(outcome, 5) is None


@pytest.mark.parametrize("outcome", [UNREACHABLE, NO_NETWORK])
def test_a_failing_server_is_left_alone_ever_longer_up_to_five_minutes(outcome: Outcome) -> None:
    assert [hold(outcome, failures) for failures in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert hold(outcome, 10**9) == 300
    assert hold(outcome, 0) == 5


def test_a_wrong_password_is_probed_every_fifteen_minutes() -> None:
    assert [hold(WRONG_PASSWORD, failures) for failures in (1, 2, 50)] == [900, 900, 900]


def test_a_lane_waits_as_long_as_the_server_asks_but_no_week() -> None:
    assert hold(asking(77, Party.MAIL_SERVER), 1) == 77
    assert hold(asking(3, Party.MAIL_SERVER), 1) == 5
    assert hold(asking(7 * DAY, Party.MAIL_SERVER), 1) == 3600
    assert hold(asking(1000, Party.CONFIGURATION), 1) == 1000


def test_the_policy_can_be_set() -> None:
    policy = RetryPolicy(others=Schedule((1,), 2, 10), first_hold=1, longest_hold=3)
    steps = [
        next_step(Urgency.NORMAL, attempts=attempts, age_s=age_s, outcome=GREYLISTED, jitter=0, policy=policy)
        for attempts, age_s in ((1, 0.0), (2, 1.0), (3, 10.0))
    ]
    assert steps == [TryAgain(1), TryAgain(2), End(State.EXPIRED)]
    assert [hold(UNREACHABLE, failures, policy) for failures in (1, 2, 3)] == [1, 2, 3]


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(
    st.sampled_from(Urgency),
    st.integers(0, 10**6),
    st.floats(0, 10 * DAY),
    st.sampled_from([*OF_THE_LANE, *NOT_OF_THE_LANE, asking(1800)]),
    st.floats(-1, 1),
)
def test_every_failure_is_tried_again_within_the_lifetime_or_ends(
    urgency: Urgency, attempts: int, age_s: float, outcome: Outcome, jitter: float
) -> None:
    step = next_step(urgency, attempts=attempts, age_s=age_s, outcome=outcome, jitter=jitter)
    if isinstance(step, TryAgain):
        assert 0 < step.after_s <= DEFAULT.schedule(urgency).lifetime - age_s
    else:
        assert step.state not in OPEN_STATES


@pytest.mark.parametrize(("urgency", "tries"), [(Urgency.EMERGENCY, 294), (Urgency.NORMAL, 78)])
def test_a_mail_that_nobody_takes_is_tried_a_bounded_number_of_times(urgency: Urgency, tries: int) -> None:
    attempts, age_s = 1, 0.0
    while isinstance(
        step := next_step(urgency, attempts=attempts, age_s=age_s, outcome=GREYLISTED, jitter=0), TryAgain
    ):
        attempts, age_s = attempts + 1, age_s + step.after_s
    assert step == End(State.EXPIRED)
    assert attempts == tries
    assert age_s == DEFAULT.schedule(urgency).lifetime
