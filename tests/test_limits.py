"""How often is too often."""

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringpost.errors import FieldError, Invalid, MailServerFailed, NotConfigured, RateLimited, RingpostError
from ringpost.limits import BackOff, Limits, LoginLimits, SlidingWindow

if TYPE_CHECKING:
    from tests.conftest import Clock


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_window_of_time_ever_has_more_hits_than_allowed(pauses: list[float]) -> None:
    now, allowed = 0.0, list[float]()
    window = SlidingWindow(5, 60, lambda: now)
    for pause in pauses:
        now += pause
        with contextlib.suppress(RateLimited):
            window.hit("key")
            allowed.append(now)
    for begin in allowed:
        assert sum(begin <= hit < begin + 60 for hit in allowed) <= 5


def test_who_waits_as_told_is_let_in(clock: "Clock") -> None:
    window = SlidingWindow(2, 60, clock.monotonic)
    window.hit("key")
    clock.advance(12.5)
    window.hit("key")
    with pytest.raises(RateLimited) as limited:
        window.hit("key")
    assert limited.value.retry_after == 48
    clock.advance(limited.value.retry_after)
    window.hit("key")


def test_keys_do_not_disturb_each_other(clock: "Clock") -> None:
    window = SlidingWindow(1, 60, clock.monotonic)
    window.hit("one")
    window.hit("other")
    with pytest.raises(RateLimited):
        window.hit("one")


def test_memory_is_bounded_and_the_quietest_is_forgotten_first(clock: "Clock") -> None:
    window, back_off = SlidingWindow(1, 60, clock.monotonic, largest=3), BackOff(0, 60, clock.monotonic, largest=3)
    for number in range(10):
        window.hit(str(number))
        back_off.begin(str(number))
    for try_again in (window.hit, back_off.begin):
        for remembered in "789":
            with pytest.raises(RateLimited):
                try_again(remembered)
        try_again("6")


def test_who_has_just_tried_is_not_forgotten_for_others_who_come(clock: "Clock") -> None:
    window, back_off = SlidingWindow(2, 60, clock.monotonic, largest=3), BackOff(0, 60, clock.monotonic, largest=3)
    for key in ("guesses", "quiet", "other"):
        window.hit(key)
        back_off.begin(key)
    clock.advance(1)
    for key in ("guesses", "new"):
        window.hit(key)
        back_off.begin(key)
    for try_again in (window.hit, back_off.begin):
        with pytest.raises(RateLimited):
            try_again("guesses")


def test_the_wait_doubles_up_to_its_limit_and_ends_when_it_was_quiet(clock: "Clock") -> None:
    back_off = BackOff(2, 10, clock.monotonic)
    waits: list[int] = []
    back_off.begin("key")
    back_off.begin("key")
    for _ in range(6):
        back_off.begin("key")
        with pytest.raises(RateLimited) as limited:
            back_off.begin("key")
        waits.append(limited.value.retry_after)
        clock.advance(limited.value.retry_after)
    assert waits == [1, 2, 4, 8, 10, 10]
    clock.advance(10.1)
    back_off.begin("key")
    back_off.begin("key")


def test_tries_at_the_same_time_do_not_slip_through(clock: "Clock") -> None:
    limits, passed = LoginLimits(clock.monotonic), 0
    for _ in range(100):
        with contextlib.suppress(RateLimited):
            limits.begin("anna@acme.example", "192.0.2.1")
            passed += 1
    assert passed == 6


def test_one_place_that_guesses_does_not_lock_an_account_for_others(clock: "Clock") -> None:
    limits = LoginLimits(clock.monotonic)
    for _ in range(1000):
        clock.advance(3)
        with contextlib.suppress(RateLimited):
            limits.begin("anna@acme.example", "192.0.2.1")
    limits.begin("anna@acme.example", "192.0.2.2")


def test_many_places_that_guess_one_account_are_slowed_down_together(clock: "Clock") -> None:
    limits = LoginLimits(clock.monotonic)
    for number in range(100):
        limits.begin("anna@acme.example", f"192.0.2.{number}")
    with pytest.raises(RateLimited):
        limits.begin("anna@acme.example", "198.51.100.1")


def test_one_place_that_tries_many_accounts_is_slowed_down(clock: "Clock") -> None:
    limits = LoginLimits(clock.monotonic)
    for number in range(30):
        limits.begin(f"user{number}", "192.0.2.1")
    with pytest.raises(RateLimited):
        limits.begin("one more", "192.0.2.1")


def test_good_logins_are_never_slowed_down(clock: "Clock") -> None:
    limits = LoginLimits(clock.monotonic)
    for _ in range(1000):
        limits.begin("anna", "192.0.2.1")
        limits.succeeded("anna", "192.0.2.1")


@pytest.mark.parametrize(
    ("fault", "counts"),
    [(NotConfigured("x"), False), (Invalid(FieldError("recipient", "x")), False), (MailServerFailed("x", {}), True)],
)
def test_a_test_mail_counts_when_it_was_tried(clock: "Clock", fault: RingpostError, counts: bool) -> None:
    limits = Limits.start(clock.monotonic)

    for _ in range(5):
        with pytest.raises(type(fault)), limits.test_mail("acme"):
            raise fault
    with pytest.raises(RateLimited) if counts else contextlib.nullcontext(), limits.test_mail("acme"):
        pass
