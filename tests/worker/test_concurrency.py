"""The width of a lane against simulated mail servers, in simulated time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ringpost.worker.concurrency import FIRST_WINDOW, Concurrency

WIDEST = 2048


@dataclass
class Run:
    """A server that always has mail waiting for it: keeps `width` in hand, until so many have been answered."""

    concurrency: Concurrency
    lasts: Callable[["Run"], float]
    """How long the mail that begins now takes, by what the server has to do."""
    now: float = 0.0
    answered: int = 0
    free_at: list[float] = field(default_factory=list[float])
    """When each of the server's hands is free."""
    under_way: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def go_on(self, mails: int) -> float:
        """Answer so many more; the seconds that took."""
        begun = self.now
        for _ in range(mails):
            while len(self.under_way) < self.concurrency.width:
                heapq.heappush(self.under_way, (self.now + self.lasts(self), self.now))
            self.now, since = heapq.heappop(self.under_way)
            self.concurrency.answered(self.now - since, len(self.under_way) + 1)
            self.answered += 1
        return self.now - begun


def hands(count: int, seconds: float) -> Callable[[Run], float]:
    """A server that does so many mails side by side, each in so many seconds; the others stand in line."""

    def lasts(run: Run) -> float:
        run.free_at = run.free_at or [0.0] * count
        start = max(run.now, heapq.heappop(run.free_at))
        heapq.heappush(run.free_at, start + seconds)
        return start + seconds - run.now

    return lasts


def test_a_server_without_limits_gets_as_many_as_there_may_be() -> None:
    run = Run(Concurrency(WIDEST), lambda _run: 0.05)
    run.go_on(4 * WIDEST)
    assert run.concurrency.width == WIDEST


def test_a_quick_server_is_kept_busy() -> None:
    run = Run(Concurrency(WIDEST), hands(4, 0.001))
    run.go_on(20_000)
    assert run.concurrency.width > 500, "4,000 mails a second, and a second's worth of them may be in hand"


@pytest.mark.parametrize(("count", "seconds"), [(2, 2.0), (8, 3.0), (40, 30.0)])
def test_a_server_with_few_hands_is_kept_busy_and_has_no_long_line(count: int, seconds: float) -> None:
    run = Run(Concurrency(WIDEST), hands(count, seconds))
    run.go_on(60 * count)

    widths: list[int] = []
    took = 0.0
    for _ in range(100):
        took += run.go_on(count)
        widths.append(run.concurrency.width)

    assert count <= sum(widths) / len(widths) <= 3 * count, widths
    assert took <= 1.15 * 100 * seconds, "its hands are never idle for long"


def test_a_server_that_becomes_slower_gets_less_and_one_that_recovers_gets_more() -> None:
    run = Run(Concurrency(WIDEST), hands(100, 0.1))
    run.go_on(5000)
    quick = run.concurrency.width
    run.lasts, run.free_at = hands(1, 2.0), []
    run.go_on(3000)
    slow = run.concurrency.width
    run.lasts, run.free_at = hands(100, 0.1), []
    run.go_on(20_000)

    assert quick > 100
    assert slow <= 4
    assert run.concurrency.width > 100


def test_a_server_that_has_become_slower_for_good_is_kept_busy_at_what_it_can_do_now() -> None:
    run = Run(Concurrency(WIDEST), hands(100, 0.1))
    run.go_on(5000)
    run.lasts, run.free_at = hands(8, 3.0), []
    run.go_on(3000)

    assert run.go_on(800) <= 1.15 * 800 / 8 * 3.0, "its hands are never idle for long"


def test_it_asks_a_server_that_refuses_over_so_many_for_little_more_than_it_takes() -> None:
    limit, refused, concurrency = 10, 0, Concurrency(WIDEST)
    for _ in range(2000):
        in_hand = concurrency.width
        for place in range(in_hand):
            if place < limit:
                concurrency.answered(0.1, in_hand)
            else:
                refused += 1
                concurrency.asked_for_less(in_hand)

    assert limit / 2 <= concurrency.width <= 2 * limit
    assert refused < 2000 * limit / 10, "one in ten at the most"


def answers_late(concurrency: Concurrency, in_hand: int) -> None:
    concurrency.answered(5.0, in_hand)


@pytest.mark.parametrize("each_time", [answers_late, Concurrency.asked_for_less], ids=["late", "asks for less"])
def test_what_goes_wrong_with_all_that_a_server_has_is_one_cut(each_time: Callable[[Concurrency, int], None]) -> None:
    concurrency = Concurrency(WIDEST)
    for _ in range(100):
        concurrency.answered(0.1, concurrency.width)
    before = concurrency.width
    for _ in range(before):
        each_time(concurrency, before)
    assert concurrency.width == before // 2


def test_a_cut_is_of_what_the_server_had_and_not_of_what_it_might_have_had() -> None:
    concurrency = Concurrency(WIDEST)
    for _ in range(1000):
        concurrency.answered(0.1, concurrency.width)
    concurrency.answered(5.0, 20)
    assert concurrency.width == 10


def test_what_is_not_used_proves_nothing() -> None:
    concurrency = Concurrency(WIDEST)
    for _ in range(1000):
        concurrency.answered(0.1, 1)
    assert concurrency.width == FIRST_WINDOW


def test_after_a_failure_it_starts_over() -> None:
    concurrency = Concurrency(WIDEST)
    for _ in range(500):
        concurrency.answered(0.1, concurrency.width)
    concurrency.failed()
    assert (concurrency.width, concurrency.best_s) == (FIRST_WINDOW, None)


def test_there_is_always_one() -> None:
    concurrency = Concurrency(WIDEST)
    for _ in range(100):
        concurrency.asked_for_less(concurrency.width)
    assert concurrency.width == 1
