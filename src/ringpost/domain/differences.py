"""What differs between two texts, line by line, with a few lines around each change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from ringpost.domain.templates import Template

CONTEXT: Final = 3
"""Lines that stay the same and are shown around a change."""
MOST_LINES: Final = 1000
"""Lines of either text that are matched, beyond what both begin and end with: matching takes the square of them. Of
longer ones the whole middle counts as changed."""


class Change(StrEnum):
    """What became of a line."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    LEFT_OUT = "left_out"
    """Stands for lines that are the same and not shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Its numbers count from 1."""

    change: Change
    before: int | None
    """Its number in the first text; None when it is not there."""
    after: int | None
    """Its number in the second text; None when it is not there."""
    text: str


@dataclass(frozen=True, slots=True)
class PartDifference:
    """What differs in one part of a template."""

    part: str
    """`from`, `subject`, `body` or `text_body`."""
    lines: tuple[Line, ...]
    derived: bool = False
    """The second template has no text of its own: its text is made from the HTML."""


def compare_templates(before: Template, after: Template) -> tuple[PartDifference, ...]:
    """The parts that differ, in the order in which people read them."""
    pairs = (
        ("from", before.from_, after.from_),
        ("subject", before.subject, after.subject),
        ("body", before.body, after.body),
        ("text_body", before.text_body, after.text_body),
    )
    found: list[PartDifference] = []
    for part, old, new in pairs:
        if new is None and old is not None:
            found.append(PartDifference(part, (), derived=True))
        elif lines := compare(old or "", new or ""):
            found.append(PartDifference(part, lines))
    return tuple(found)


def compare(before: str, after: str) -> tuple[Line, ...]:
    """The lines that differ, and those around them. Nothing when the texts are the same but for their line ends."""
    old, new = _lines_of(before), _lines_of(after)
    if old == new:
        return ()
    return tuple(_shortened(list(_compared(old, new))))


def _lines_of(text: str) -> list[str]:
    """As they are counted everywhere; `splitlines` would end some at U+2028, VT and the like as well."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _compared(old: list[str], new: list[str]) -> Iterator[Line]:
    head = _common(zip(old, new, strict=False))
    tail = _common(zip(reversed(old[head:]), reversed(new[head:]), strict=False))
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    yield from (Line(Change.SAME, number + 1, number + 1, old[number]) for number in range(head))
    for tag, start, end, first, last in _steps(middle_old, middle_new):
        if tag == "equal":
            for offset in range(end - start):
                at = head + start + offset
                yield Line(Change.SAME, at + 1, head + first + offset + 1, old[at])
            continue
        yield from (Line(Change.REMOVED, head + n + 1, None, middle_old[n]) for n in range(start, end))
        yield from (Line(Change.ADDED, None, head + n + 1, middle_new[n]) for n in range(first, last))
    for offset in range(tail, 0, -1):
        yield Line(Change.SAME, len(old) - offset + 1, len(new) - offset + 1, old[-offset])


def _steps(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(old) > MOST_LINES or len(new) > MOST_LINES:
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _common(pairs: Iterator[tuple[str, str]]) -> int:
    """How many pairs from the first on are equal."""
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _shortened(lines: list[Line]) -> Iterator[Line]:
    """Without what is far from any change."""
    changed = [index for index, line in enumerate(lines) if line.change is not Change.SAME]
    near = {index for at in changed for index in range(at - CONTEXT, at + CONTEXT + 1)}
    left_out = False
    for index, line in enumerate(lines):
        if index in near:
            left_out = False
            yield line
        elif not left_out:
            left_out = True
            yield Line(Change.LEFT_OUT, None, None, "")
