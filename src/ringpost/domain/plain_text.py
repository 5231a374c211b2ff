"""Writes the text part of a mail from its HTML template, so that it reads well where HTML is not shown.

It works on the template, variables and all, once per revision; filling the result is a join like any other. Links
become `label: url`, rows of two cells `label: value`, other rows ` | ` between cells; what is hidden (preheader, style,
script, head) is left out. What only Outlook shows is left out too, and what only Outlook hides is not: these are often
one button in two forms. Variables in a URL are made safe as in the HTML: programs that show text make links of URLs.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from ringpost.domain.catalogue import IMAGE_VARIABLES, canonical_name
from ringpost.domain.escaping import escapes_in
from ringpost.domain.forms import VARIABLE_NAME, Escape
from ringpost.domain.marked_text import (
    BLANK_IN_PRE,
    LINE_ENDS,
    MARKS,
    PARAGRAPH_ENDS,
    URL_ENDS,
    DerivedText,
    condition_begins,
    condition_ends,
    escaped,
    tidy,
    without_marks,
)
from ringpost.domain.markup import Kind, OpenElements, Token, decoded, tokenize

_MOST_FRAMES: Final = 60
"""Nested cells, links and rows that are told apart; what is nested deeper reads as one."""

_PARAGRAPH = re.compile("p|h[1-6]|hr|ul|ol|dl|pre|blockquote|table|section|article|header|footer|main")
_LINE = re.compile("div|tr|li|dt|dd|center|form|fieldset|figure|figcaption|address|caption|thead|tbody|tfoot")
_BESIDE_SIGN = re.compile("p|div|h[1-6]")
"""What stands on the line of its list item's sign when the item begins with it; editors write `<li><p>`."""
_CELLS = frozenset({"td", "th"})
_FRAMES = frozenset({"a", "table", "tr"}) | _CELLS
_SPACES = re.compile(r"[ \t\n\r\f\u00a0]+")
_INVISIBLE = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")
_IN_ONE_PIECE = str.maketrans({"\t": None, "\n": None, "\r": None, " ": "%20"})
"""What browsers do with blanks in a URL (WHATWG URL, 4.4); programs that show text would end it there."""
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def derive_text(source: str) -> DerivedText:
    """Write an HTML template as text. Time is linear in its length."""
    source = MARKS.sub("", source)
    writer = _Writer(source)
    for token in tokenize(source):
        writer.write(token)
    return without_marks(writer.finish(), writer.conditions, writer.escapes)


@dataclass(frozen=True, slots=True)
class InText:
    """Makes a value safe in a URL of a text, where characters are not written as references."""

    in_html: Escape

    def __call__(self, value: str) -> str:
        return decoded(self.in_html(value))


@dataclass(slots=True)
class _Frame:
    """An element whose text is needed as a whole before it can be written."""

    name: str
    href: str = ""
    url: str = ""
    """The same, as it is written: marked where variables need an escape."""
    parts: list[str] = field(default_factory=list[str])
    cells: list[str] = field(default_factory=list[str])


class _Writer:
    def __init__(self, source: str) -> None:
        self.conditions: list[frozenset[str]] = []
        self.escapes: list[Escape] = []
        self._open_conditions: dict[str, list[int | None]] = {}
        self._source = source
        self._frames = [_Frame("")]
        self._hidden = OpenElements()
        self._numbers: list[int | None] = []
        self._item_begins = False
        self._pre = 0

    def write(self, token: Token) -> None:
        if token.conditional:
            return
        match token.kind:
            case Kind.START:
                self._start(token)
            case Kind.END:
                self._end(token.name)
            case Kind.TEXT if not self._hidden:
                self._text(self._source[token.start : token.end])
            case _:
                pass

    def finish(self) -> str:
        while len(self._frames) > 1:
            self._close()
        return tidy("".join(self._frames[0].parts))

    def _start(self, token: Token) -> None:
        name = token.name
        self._hidden.make_way(name)
        if self._hidden or self._hides(token):
            self._hidden.start(token)
            return
        if name in _FRAMES:
            self._open(token)
            return
        if name in ("ul", "ol"):
            self._numbers.append(0 if name == "ol" else None)
        if not (self._item_begins and _BESIDE_SIGN.fullmatch(name)):
            self._break(name)
        self._begin_condition(token)
        self._put(self._sign(name))
        self._item_begins = self._item_begins or name == "li"
        if name == "img":
            if (token.value("src", self._source) or "").strip(" %") not in IMAGE_VARIABLES:
                self._text(token.value("alt", self._source) or "")
        elif name == "pre":
            self._pre += 1
        if token.is_void:
            self._break(name)
            self._end_condition(name)

    def _end(self, name: str) -> None:
        if self._hidden and self._hidden.end(name):
            return
        if name in _CELLS:
            self._end_condition(name)
        if name in _FRAMES:
            self._close_to(name)
        elif name in ("ul", "ol") and self._numbers:
            self._numbers.pop()
        elif name == "pre":
            self._pre = max(self._pre - 1, 0)
        self._break(name)
        if name not in _CELLS:
            self._end_condition(name)

    def _begin_condition(self, token: Token) -> None:
        """Mark the beginning of an element that is shown under a condition; a line break before it stays."""
        names = VARIABLE_NAME.findall(token.value("data-when", self._source) or "")
        number = len(self.conditions)
        self._open_conditions.setdefault(token.name, []).append(number if names else None)
        if names:
            self.conditions.append(frozenset(map(canonical_name, names)))
            self._put(condition_begins(number))

    def _end_condition(self, name: str) -> None:
        """Mark the end of the innermost element of that name."""
        numbers = self._open_conditions.get(name)
        number = numbers.pop() if numbers else None
        if number is not None:
            self._put(condition_ends(number))

    def _hides(self, token: Token) -> bool:
        if token.name in ("head", "title", "template", "noscript") or token.attribute("hidden"):
            return True
        condition = VARIABLE_NAME.findall(token.value("data-when", self._source) or "")
        if condition and IMAGE_VARIABLES.issuperset(condition):
            return True
        return bool(_HIDDEN_STYLE.search(token.value("style", self._source) or ""))

    def _sign(self, name: str) -> str:
        if name == "br":
            return "\n"
        if name == "hr":
            return "----"
        return self._bullet() if name == "li" else ""

    def _bullet(self) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "- "
        self._numbers[-1] = number + 1
        return f"{number + 1}. "

    def _break(self, name: str) -> None:
        end = PARAGRAPH_ENDS if _PARAGRAPH.fullmatch(name) else LINE_ENDS if _LINE.fullmatch(name) else ""
        if end:
            self._item_begins = False
            self._put(end)

    def _text(self, text: str) -> None:
        text = decoded(text)
        if not (text.isascii() and text.isprintable()):
            text = _INVISIBLE.sub("", text)
        self._item_begins = self._item_begins and not text.strip()
        if self._pre:
            self._put(text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", BLANK_IN_PRE))
        else:
            self._put(_SPACES.sub(" ", text))

    def _put(self, text: str) -> None:
        self._frames[-1].parts.append(text)

    def _open(self, token: Token) -> None:
        """Cells and rows end where the next begins, written or not (13.1.2.4)."""
        is_cell = token.name in _CELLS
        if is_cell:
            if not self._close_to("td"):
                self._close_to("th")
        elif token.name == "tr":
            self._close_to("tr")
        self._break(token.name)
        if not is_cell:
            self._begin_condition(token)
        if len(self._frames) < _MOST_FRAMES:
            self._frames.append(_Frame(token.name, *self._url(token)))
        if is_cell:
            self._begin_condition(token)

    def _url(self, token: Token) -> tuple[str, str]:
        """Where a link leads, without and with marks."""
        attribute = token.attribute("href") if token.name == "a" else None
        if attribute is None:
            return "", ""
        parts: list[str] = []
        at = attribute.value_start
        for match, escape in escapes_in(token, self._source):
            if attribute.value_start <= match.start() < attribute.value_end:
                parts += [self._source[at : match.start()], escaped(len(self.escapes)), match[0]]
                self.escapes.append(InText(escape))
                at = match.end()
        parts.append(self._source[at : attribute.value_end])
        return decoded(token.value("href", self._source) or "").strip(), decoded("".join(parts)).strip()

    def _close_to(self, name: str) -> bool:
        """Close the innermost frame of that name and all in it; False when there is none in this table."""
        for frame in reversed(self._frames):
            if frame.name == name:
                break
            if frame.name == "table":
                return False
        else:
            return False
        while self._close() != name:
            pass
        return True

    def _close(self) -> str:
        """Write the innermost frame into the one around it."""
        frame = self._frames.pop()
        text = tidy("".join(frame.parts))
        around = self._frames[-1]
        if frame.name == "a":
            lead = " " if frame.parts and frame.parts[0][:1] == " " else ""
            trail = " " if frame.parts and frame.parts[-1][-1:] == " " else ""
            around.parts.append(lead + _link(text, frame) + trail)
        elif frame.name == "tr":
            around.parts.append(LINE_ENDS + _row([*frame.cells, text]) + LINE_ENDS)
        elif frame.name == "table":
            around.parts.append(PARAGRAPH_ENDS + text + PARAGRAPH_ENDS)
        elif around.name == "tr":
            around.cells.append(text)
        else:
            around.parts.append(LINE_ENDS + text + LINE_ENDS)
        return frame.name


def _link(label: str, frame: _Frame) -> str:
    href = frame.href
    target = href.removeprefix("mailto:").removeprefix("tel:")
    if not href or href.startswith("#") or label in (href, target):
        return label
    url = frame.url.translate(_IN_ONE_PIECE) + URL_ENDS if target == href else target  # others are for people to read
    return f"{label}: {url}" if label else url


def _row(cells: list[str]) -> str:
    """`label: value` for two short cells, ` | ` between more, and lines of their own for what is longer."""
    cells = [cell for cell in cells if cell]
    if len(cells) < 2 or any("\n" in cell for cell in cells):
        return "\n\n".join(cells)
    if len(cells) == 2:
        return f"{cells[0].removesuffix(':')}: {cells[1]}"
    return " | ".join(cells)
