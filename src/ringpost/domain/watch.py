"""Watching a host: when its disk, CPU or memory is over a threshold, and when it is back to normal.

One event when it goes over, one when it is well below again, and never a flood: back to normal means a margin below the
threshold, and between two changes of one gauge lies some time, whatever it does meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringpost.domain.settings import SystemSettings

MARGIN: Final = 0.05
"""How far below the threshold normal begins: 5 percentage points, or half of a threshold that is smaller than 10."""
QUIET_MS: Final = 5 * 60_000
"""The shortest time between two changes of one gauge."""


class Gauge(StrEnum):
    """What is watched. The words stand in the names of settings and events, and in the schema."""

    HARD_DISK = "hard_disk"
    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows. `share` is of the whole, 0 to 1, and sustained: a short peak has been averaged away."""

    gauge: Gauge
    share: float
    facts: Mapping[str, str]
    """Variables of the event beside the share."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of one gauge of one host."""

    exceeded: bool = False
    episode: int = 0
    """Counts how often it went over; its two events carry it in their ids, so that they are told once."""
    since: int = 0
    """When it changed; milliseconds since 1970, UTC."""


def threshold_of(settings: SystemSettings, gauge: Gauge) -> float:
    """The threshold in force; 0 when the gauge is not watched."""
    threshold: float = getattr(settings, f"{gauge}_threshold")
    return threshold if settings.switches.get(f"notify_{gauge}_exceeded_threshold", False) else 0.0


def look(before: Watched, share: float, threshold: float, now: int) -> Watched:
    """What is known after a reading; the same as before when nothing has changed.

    `share` and `threshold` are of the whole, 0 to 1; `now` is in milliseconds since 1970.
    A gauge that is not watched any more is forgotten, so that it is told at once when watching begins again.
    """
    if threshold <= 0:
        return Watched(episode=before.episode) if before.exceeded else before
    if 0 <= now - before.since < QUIET_MS:
        return before
    if not before.exceeded and share >= threshold:
        return Watched(exceeded=True, episode=before.episode + 1, since=now)
    if before.exceeded and share < threshold - min(MARGIN, threshold / 2):
        return Watched(exceeded=False, episode=before.episode, since=now)
    return before


def event_type(gauge: Gauge, after: Watched) -> str:
    """The event that tells of a change."""
    return f"{gauge.upper()}_{'EXCEEDED' if after.exceeded else 'NORMAL'}"


def event_variables(reading: Reading, threshold: float, host: str) -> dict[str, str]:
    """The variables of that event."""
    return {
        "HOST_NAME": host,
        _USAGE[reading.gauge]: f"{reading.share:.0%}",
        "THRESHOLD": f"{threshold:.0%}",
        **reading.facts,
    }


_USAGE: Final = {Gauge.HARD_DISK: "DISK_USAGE", Gauge.CPU: "CPU_USAGE", Gauge.MEMORY: "MEMORY_USAGE"}
