"""Text that is on its way from HTML: marks stand in it until all of it is there.

They say where elements end, which of them is one break once it is seen what else ends there; what is shown under a
condition; what needs an escape; and where a URL ends.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringpost.domain.forms import Block, Escape

LINE_ENDS: Final = "\x01"
PARAGRAPH_ENDS: Final = "\x02"
BLANK_IN_PRE: Final = "\x05"
"""Stands for a blank that is kept as it is."""
URL_ENDS: Final = "\x07"
MARKS: Final = re.compile("[\x01-\x07]+")
"""What must not be in the HTML. As references (`&#1;`) they mean nothing (13.2.5.84)."""

_CONDITION = r"\x03[0-9]+\x03|\x04[0-9]+\x04"
_CONDITIONS = re.compile(f"(?:{_CONDITION})*+")
_BREAKS = re.compile(rf" ?[\n\x01\x02](?:[ \n\x01\x02]|{_CONDITION})*+")
_RUNS_ON = re.compile(rf"\x07(?=(?:{_CONDITION})*[^\s\x01-\x04.,;:!?)])")
"""The end of a URL that would go on with what follows."""
_MARK = re.compile(r"\x03([0-9]+)\x03|\x04([0-9]+)\x04|\x06([0-9]+)\x06|\x07")
_MANY_SPACES = re.compile(r" {2,}")
_MOST_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class DerivedText:
    """The text of an HTML template, with its variables."""

    text: str
    """Ends with a line break unless it is empty."""
    blocks: tuple[Block, ...]
    """What goes when its variables are empty: elements with data-when, a line break behind them among it."""
    escapes: Mapping[int, Escape]
    """What makes a variable's value safe, by where it begins; of those that stand in URLs."""


def condition_begins(number: int) -> str:
    """The mark of where something begins that is shown under the condition of this number."""
    return f"\x03{number}\x03"


def condition_ends(number: int) -> str:
    """The mark of where it ends."""
    return f"\x04{number}\x04"


def escaped(number: int) -> str:
    """The mark before a variable that needs the escape of this number."""
    return f"\x06{number}\x06"


def tidy(text: str) -> str:
    """Breaks in the place of the elements' ends, and no blanks too many."""
    if "  " in text:
        text = _MANY_SPACES.sub(" ", text)
    start = _CONDITIONS.match(text)
    at = start.end() if start else 0
    return text[:at] + _BREAKS.sub(_break, text[at:]).strip()


def without_marks(text: str, conditions: Sequence[frozenset[str]], escapes: Sequence[Escape]) -> DerivedText:
    """The text, once all of it is there and tidy, with what its marks say."""
    text = _RUNS_ON.sub(" ", text.replace(BLANK_IN_PRE, " ").rstrip())
    if text:
        text += "\n"
    parts: list[str] = []
    blocks: list[Block] = []
    placed: dict[int, Escape] = {}
    begun: dict[str, int] = {}
    at = size = 0
    for mark in _MARK.finditer(text):
        parts.append(text[at : mark.start()])
        size += len(parts[-1])
        at = mark.end()
        begins, ends, escape = mark.groups()
        if begins:
            begun[begins] = size
        elif ends in begun:
            blocks.append(Block(begun[ends], size, conditions[int(ends)]))
        elif escape:
            placed[size] = escapes[int(escape)]
    return DerivedText("".join([*parts, text[at:]]), tuple(blocks[:_MOST_BLOCKS]), placed)


def _break(match: re.Match[str]) -> str:
    """However many elements end in one place, it is one line break, or one empty line; none at either end of a text.

    It comes before the marks of conditions that begin and end there.
    """
    marks = "".join(_CONDITIONS.findall(match[0]))
    if match.end() == len(match.string) or not match.start():
        return marks
    return ("\n\n" if PARAGRAPH_ENDS in match[0] or match[0].count("\n") > 1 else "\n") + marks
