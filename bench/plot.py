"""Bars with their ranges as SVG, readable on a light and on a dark page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from bench.figures import Spread

_WIDTH: Final = 960
_LABELS: Final = 440
"""Room for the names, left of the bars."""
_VALUES: Final = 110
"""Room for the values, right of them."""
_STEP: Final = 26
_BAR: Final = 14
_TOP: Final = 44
_STYLE: Final = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .soft { fill: #59636e; }
    .ours { fill: #0b6bcb; }
    .others { fill: #8c959f; }
    .range { stroke: #1f2328; stroke-width: 1.5; }
    .axis { stroke: #d1d9e0; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .soft { fill: #9198a1; }
      .ours { fill: #4493f8; }
      .others { fill: #6e7681; }
      .range { stroke: #f0f6fc; }
      .axis { stroke: #3d444d; }
    }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One contender."""

    name: str
    value: Spread
    ours: bool
    note: str = ""
    """Beside the value."""


def bars(title: str, rows: Sequence[Bar]) -> str:
    """The drawing; a thin line from end to end of each range."""
    height = _TOP + len(rows) * _STEP + 12
    scale = (_WIDTH - _LABELS - _VALUES) / max((row.value.high for row in rows), default=1.0)
    spoken = "; ".join(f"{row.name}: {row.value.middle:,.0f}" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t d">',
        f'  <title id="t">{escape(title)}</title>',
        f'  <desc id="d">{escape(spoken)}</desc>',
        f"  <style>{_STYLE}  </style>",
        f'  <text class="title" x="{_LABELS}" y="20">{escape(title)}</text>',
        f'  <line class="axis" x1="{_LABELS}" y1="{_TOP - 10}" x2="{_LABELS}" y2="{height - 8}"/>',
    ]
    for number, row in enumerate(rows):
        parts += _bar(row, _TOP + number * _STEP, scale)
    return "\n".join([*parts, "</svg>", ""])


def _bar(row: Bar, top: int, scale: float) -> list[str]:
    middle, low, high = (_LABELS + value * scale for value in (row.value.middle, row.value.low, row.value.high))
    base, line = top + _BAR - 3, top + _BAR / 2
    kind = "ours" if row.ours else "others"
    value = f'{row.value.middle:,.0f} <tspan class="soft">{escape(row.note)}</tspan>'
    return [
        f'  <text x="{_LABELS - 10}" y="{base}" text-anchor="end">{escape(row.name)}</text>',
        f'  <rect class="{kind}" x="{_LABELS}" y="{top}" width="{middle - _LABELS:.1f}" height="{_BAR}" rx="2"/>',
        f'  <line class="range" x1="{low:.1f}" y1="{line}" x2="{high:.1f}" y2="{line}"/>',
        f'  <text x="{high + 8:.1f}" y="{base}">{value}</text>',
    ]
