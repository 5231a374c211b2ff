"""When a host is over a threshold, and when it is back to normal: once each, and never a flood."""

from dataclasses import replace

import pytest

from ringpost.domain.settings import SystemSettings
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.watch import (
    QUIET_MS,
    Gauge,
    Reading,
    Watched,
    event_type,
    event_variables,
    look,
    threshold_of,
)

NOW = 1_800_000_000_000
LATER = NOW + QUIET_MS
OVER = Watched(exceeded=True, episode=1, since=NOW)


def test_below_the_threshold_nothing_changes() -> None:
    assert look(Watched(), 0.899, 0.9, NOW) == Watched()


def test_at_the_threshold_it_is_over() -> None:
    assert look(Watched(), 0.9, 0.9, NOW) == OVER


def test_what_is_over_stays_over_until_it_is_a_margin_below() -> None:
    for share in (1.0, 0.9, 0.89, 0.851):
        assert look(OVER, share, 0.9, LATER) == OVER


def test_a_margin_below_it_is_back_to_normal_in_the_same_episode() -> None:
    assert look(OVER, 0.849, 0.9, LATER) == Watched(exceeded=False, episode=1, since=LATER)


def test_the_next_time_is_another_episode() -> None:
    before = Watched(exceeded=False, episode=1, since=NOW)

    assert look(before, 0.95, 0.9, LATER) == Watched(exceeded=True, episode=2, since=LATER)


def test_between_two_changes_lies_some_time() -> None:
    assert look(OVER, 0.1, 0.9, LATER - 1) == OVER
    assert look(OVER, 0.1, 0.9, LATER) != OVER


def test_a_gauge_that_swings_wildly_for_a_day_is_told_twelve_times_an_hour_at_most() -> None:
    state, changes = Watched(), 0
    for tick in range(24 * 360):
        after = look(state, tick % 2, 0.9, NOW + tick * 10_000)
        changes += after != state
        state = after

    assert changes <= 24 * 12


def test_a_small_threshold_can_be_left_again() -> None:
    over = look(Watched(), 0.05, 0.04, NOW)

    assert over.exceeded
    assert not look(over, 0.01, 0.04, LATER).exceeded


def test_what_is_not_watched_any_more_is_forgotten_and_told_at_once_when_it_is_watched_again() -> None:
    forgotten = look(OVER, 0.95, 0, NOW + 1)

    assert forgotten == Watched(exceeded=False, episode=1)
    assert look(forgotten, 0.95, 0.9, NOW + 2) == Watched(exceeded=True, episode=2, since=NOW + 2)


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    assert not look(OVER, 0.1, 0.9, NOW - 3_600_000).exceeded


@pytest.mark.parametrize("gauge", Gauge)
def test_a_gauge_is_watched_when_it_has_a_threshold_and_its_toggle_is_on(gauge: Gauge) -> None:
    on = {f"notify_{gauge}_exceeded_threshold": True}
    every = SystemSettings(switches=on, hard_disk_threshold=0.9, cpu_threshold=0.9, memory_threshold=0.9)

    assert [one for one in Gauge if threshold_of(every, one) == 0.9] == [gauge]
    assert threshold_of(replace(every, switches={}), gauge) == 0
    assert threshold_of(SystemSettings(switches=on), gauge) == 0


@pytest.mark.parametrize("gauge", Gauge)
@pytest.mark.parametrize("exceeded", [True, False])
def test_each_change_has_an_event_type_with_its_toggle_and_variables(gauge: Gauge, exceeded: bool) -> None:
    kind = SYSTEM_CATALOGUE[event_type(gauge, Watched(exceeded=exceeded))]
    variables = event_variables(Reading(gauge, 0.934, {}), 0.9, "host-1")

    assert kind.toggle == f"notify_{gauge}_exceeded_threshold"
    assert variables.keys() <= kind.variable_names
    assert sorted(variables.values()) == ["90%", "93%", "host-1"]
