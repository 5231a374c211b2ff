"""How much a tenant may borrow of the system's mail server."""

from ringpost.domain.lending import HOUR_MS, Loan, lend, without


def test_the_hour_begins_with_the_first_mail() -> None:
    assert lend(None, now=1000, wanted=3, per_hour=5) == (3, Loan(1000, 3))


def test_what_is_over_is_not_granted() -> None:
    assert lend(Loan(1000, 3), now=2000, wanted=10, per_hour=5) == (2, Loan(1000, 5))
    assert lend(Loan(1000, 5), now=2000, wanted=10, per_hour=5) == (0, Loan(1000, 5))


def test_after_an_hour_a_new_one_begins() -> None:
    assert lend(Loan(1000, 5), now=1000 + HOUR_MS - 1, wanted=1, per_hour=5)[0] == 0
    assert lend(Loan(1000, 5), now=1000 + HOUR_MS, wanted=1, per_hour=5) == (1, Loan(1000 + HOUR_MS, 1))


def test_a_lower_limit_takes_nothing_back() -> None:
    assert lend(Loan(1000, 5), now=2000, wanted=1, per_hour=2) == (0, Loan(1000, 5))


def test_a_clock_that_was_set_back_does_not_lock_anybody_out() -> None:
    assert lend(Loan(5000, 5), now=4000, wanted=1, per_hour=5) == (1, Loan(4000, 1))


def test_what_was_never_tried_does_not_count() -> None:
    assert without(Loan(1000, 5), 3) == Loan(1000, 2)
    assert without(Loan(5000, 1), 3) == Loan(5000), "the others were counted in the hour before"
