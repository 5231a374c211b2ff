"""A form is a text with blanks: cut once, filled often. Filling is a join.

The text stands in `literals`, with an empty string in the place of each blank. The same literals are kept in
quoted-printable, so that a mail's body never has to be encoded as a whole: each literal and each filling is encoded by
itself into whole lines, and lines can be joined.

A block is a part of the text that is left out unless at least one of its variables has a value.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape as escape_text
from itertools import chain, pairwise
from sys import getsizeof
from typing import Final

from ringpost.domain.mime import prefers_base64, quoted_printable
from ringpost.errors import FieldError, Invalid

VARIABLE: Final = re.compile(r"%%([A-Z0-9_]{1,64}+)%%")
VARIABLE_NAME: Final = re.compile(r"[A-Z0-9_]{1,64}")
LARGEST_RESULT: Final = 2 * 1024 * 1024
"""Characters of a filled form."""
_PLACE = 150
"""Octets of memory for each blank: two numbers, their pair, and its place in three sequences."""

Escape = Callable[[str], str]
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Blank:
    """Where a variable stands (`start` and `end` are offsets in the text), and what makes its value safe there."""

    start: int
    end: int
    name: str
    escape: Escape | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A part that is left out when all the variables of `names` are empty."""

    start: int
    end: int
    names: frozenset[str]
    told: bool = False
    """That they are empty is still worth a word."""


@dataclass(frozen=True, slots=True)
class Form:
    """A text ready to be filled. Made by `cut`."""

    literals: tuple[str, ...]
    encoded: tuple[str, ...]
    """The literals in quoted-printable."""
    names: tuple[str, ...]
    """Variables; one stands here once for each escape that it needs."""
    escapes: tuple[tuple[int, Escape], ...]
    """Index in `names`, what makes its value safe."""
    other_escapes: tuple[tuple[int, Escape], ...]
    """Those that are asked even when no value has a character that means something in HTML."""
    places: tuple[tuple[int, int], ...]
    """Index in `literals`, index in `names`."""
    blocks: tuple[tuple[int, int, frozenset[str]], ...]
    """First literal, one past the last, names."""
    conditions: frozenset[str]
    """The names of all blocks. When each has a value, no block is left out."""
    optional: frozenset[str]
    """Of these, the ones that may be empty without a word."""
    in_base64: bool
    """Base64 is shorter than quoted-printable."""

    @property
    def size(self) -> int:
        """How much memory it takes, about; octets."""
        return sum(map(getsizeof, chain(self.literals, self.encoded))) + _PLACE * len(self.places)

    def fill(self, values: Values) -> str:
        """The text with every blank filled. Invalid when it grows too large.

        `values` has no empty ones: a variable that is not in it is empty.
        """
        fillings = self._fillings(values)
        return "".join(self._joined(self.literals, fillings, values))

    def fill_encoded(self, values: Values, encoded: "Encoded") -> str:
        """The same in quoted-printable, as whole lines; `encoded` is shared by the forms of one mail."""
        fillings = [*map(encoded.__getitem__, self._fillings(values))]
        return "".join(self._joined(self.encoded, fillings, values))

    def _fillings(self, values: Values) -> list[str]:
        fillings = [values.get(name, "") for name in self.names]
        if self.escapes:
            together = "".join(fillings)  # one look at all: in few mails HTML would misread a value
            for number, escape in self.other_escapes if escape_text(together) == together else self.escapes:
                fillings[number] = escape(fillings[number])
        if len("".join(fillings)) * len(self.places) > LARGEST_RESULT:  # cheap, and nearly always enough
            size = sum(len(fillings[filling]) for _, filling in self.places)
            if size + sum(map(len, self.literals)) > LARGEST_RESULT:
                raise Invalid(FieldError("body", f"The mail would be larger than {LARGEST_RESULT // 2**20} MiB."))
        return fillings

    def _joined(self, literals: tuple[str, ...], fillings: list[str], values: Values) -> list[str]:
        parts = list(literals)
        for place, filling in self.places:
            parts[place] = fillings[filling]
        given = values.keys()
        if not given >= self.conditions:
            for first, stop, names in self.blocks:
                if given.isdisjoint(names):
                    parts[first:stop] = [""] * (stop - first)
        return parts


class Encoded(dict[str, str]):
    """Texts in quoted-printable, each encoded when it is first asked for: most stand in a mail's text and its HTML."""

    def __missing__(self, text: str) -> str:
        made = self[text] = quoted_printable(text)
        return made


def cut(source: str, blanks: Iterable[Blank], blocks: Iterable[Block] = ()) -> Form:
    """Make a form of `source`. Blanks are in order and do not overlap; blocks begin and end outside of blanks."""
    ordered, blocks = tuple(blanks), tuple(blocks)
    edges = {0, len(source)}
    edges.update(edge for item in (*ordered, *blocks) for edge in (item.start, item.end))
    cuts = sorted(edges)
    index = {start: number for number, start in enumerate(cuts)}
    literals = [source[start:end] for start, end in pairwise(cuts)]
    fillings: dict[tuple[str, Escape | None], int] = {}
    places: list[tuple[int, int]] = []
    for blank in ordered:
        place = index[blank.start]
        literals[place] = ""
        places.append((place, fillings.setdefault((blank.name, blank.escape), len(fillings))))
    escapes = tuple((number, escape) for number, (_, escape) in enumerate(fillings) if escape)
    kept = tuple(block for block in blocks if block.end > block.start)
    return Form(
        literals=tuple(literals),
        encoded=tuple(quoted_printable(literal) for literal in literals),
        names=tuple(name for name, _ in fillings),
        escapes=escapes,
        other_escapes=tuple((number, escape) for number, escape in escapes if escape is not escape_text),
        places=tuple(places),
        blocks=tuple((index[block.start], index[block.end], block.names) for block in kept),
        conditions=frozenset(name for block in kept for name in block.names),
        optional=frozenset(name for block in kept if not block.told for name in block.names),
        in_base64=prefers_base64("".join(literals)),
    )
