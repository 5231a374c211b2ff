"""What a worker knows of the queues that something waits in: over `Waiting`."""

import pytest

from ringpost.domain.deliveries import Urgency
from ringpost.worker.waiting import Waiting

ALERT, NORMAL = Urgency.ALERT, Urgency.NORMAL


@pytest.fixture
def waiting() -> Waiting:
    """Something waits in two queues."""
    waiting = Waiting()
    waiting.seen(["a", "b"], NORMAL)
    return waiting


def test_what_was_seen_waits_in_its_class(waiting: Waiting) -> None:
    assert waiting
    assert ("a", NORMAL) in waiting
    assert ("a", ALERT) not in waiting


def test_what_was_emptied_does_not_wait(waiting: Waiting) -> None:
    waiting.emptied([("a", NORMAL), ("c", ALERT)])
    assert [lot for lot in (("a", NORMAL), ("b", NORMAL)) if lot in waiting] == [("b", NORMAL)]


def test_others_are_those_of_all_classes(waiting: Waiting) -> None:
    assert waiting.elsewhere(["a"])
    assert not waiting.elsewhere(["a", "b"])
    waiting.seen(["c"], ALERT)
    assert waiting.elsewhere(["a", "b"])


def test_what_two_walks_of_its_class_have_not_met_is_forgotten(waiting: Waiting) -> None:
    waiting.walked_round([NORMAL])  # this one has met them
    for met in (["b"], ["b"]):
        waiting.seen(met, NORMAL)
        assert ("a", NORMAL) in waiting
        waiting.walked_round([NORMAL])
    assert ("a", NORMAL) not in waiting
    assert ("b", NORMAL) in waiting


def test_walks_of_other_classes_tell_nothing_about_it(waiting: Waiting) -> None:
    for _ in range(5):
        waiting.walked_round([ALERT])
    assert ("a", NORMAL) in waiting
