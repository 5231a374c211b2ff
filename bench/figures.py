"""Figures of several rounds: medians and ranges, and ratios within rounds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and the smallest and the largest of what it is the median of."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """None when there is nothing."""
        known = list(values)
        return cls(median(known), min(known), max(known)) if known else None

    def words(self, digits: int = 0) -> str:
        """As `median (low .. high)`."""
        return f"{self.middle:,.{digits}f} ({self.low:,.{digits}f} .. {self.high:,.{digits}f})"


Laps = Sequence[Mapping[str, Mapping[str, float]]]
"""By round and contender; a contender that failed in a round is not in it."""


def spread(laps: Laps, name: str, what: str) -> Spread | None:
    """One figure of one contender over all rounds."""
    return Spread.of(lap[name][what] for lap in laps if name in lap)


def ratio(laps: Laps, name: str, base: str, what: str = "rate") -> Spread | None:
    """How many times as much as `base` in the same round."""
    return Spread.of(lap[name][what] / lap[base][what] for lap in laps if name in lap and base in lap)


def words(value: Spread | None, digits: int = 0) -> str:
    """For a cell of a table; a dash where nothing was measured."""
    return "-" if value is None else value.words(digits)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown; all columns but the first hold numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
