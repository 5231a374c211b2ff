"""Writes the text part of a mail from its HTML template, so that it reads well where HTML is not shown.

It works on the template, variables and all, once per revision; filling the result is a join like any other. Links
become `label: url`, rows of two cells `label: value`, other rows ` | ` between cells; what is hidden (preheader, style,
script, head) is left out. What only Outlook shows is left out too, and what only Outlook hides is not: these are often
one button in two forms. Variables in a URL are made safe as in the HTML: programs that show text make links of URLs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Final

from ringpost.domain.catalogue import IMAGE_VARIABLES, canonical_name
from ringpost.domain.escaping import escapes_in
from ringpost.domain.forms import VARIABLE_NAME, Block, Escape
from ringpost.domain.markup import Kind, OpenElements, Token, tokenize

_MOST_FRAMES: Final = 60
"""Nested cells, links and rows that are told apart; what is nested deeper reads as one."""

_PARAGRAPH = re.compile("p|h[1-6]|hr|ul|ol|dl|pre|blockquote|table|section|article|header|footer|main")
_LINE = re.compile("div|tr|li|dt|dd|center|form|fieldset|figure|figcaption|address|caption|thead|tbody|tfoot")
_CELLS = frozenset({"td", "th"})
_FRAMES = frozenset({"a", "table", "tr"}) | _CELLS
_LINE_ENDS, _PARAGRAPH_ENDS = "\x01", "\x02"
_CONDITION, _CONDITION_END = "\x03", "\x04"
"""Stand around the number of a condition, where what is shown under it begins and ends."""
_BLANK_IN_PRE = "\x05"
"""Stands for a blank that is kept as it is, until all is written."""
_ESCAPED = "\x06"
"""Stands around the number of an escape, before the variable that it is for."""
_URL_ENDS = "\x07"
_RUNS_ON = re.compile("\x07(?=(?:\x03[0-9]+\x03|\x04[0-9]+\x04)*[^\\s\x01-\x04.,;:!?)])")
"""The end of a URL that would go on with what follows."""
_MARK = re.compile("\x03([0-9]+)\x03|\x04([0-9]+)\x04|\x06([0-9]+)\x06|\x07")
_MOST_BLOCKS = 200
_BREAKS = re.compile(r" ?[\n\x01\x02](?:[ \n\x01\x02]|\x03[0-9]+\x03|\x04[0-9]+\x04)*+")
_CONDITIONS = re.compile(r"(?:\x03[0-9]+\x03|\x04[0-9]+\x04)*+")
_SPACES = re.compile(r"[ \t\n\r\f\u00a0]+")
_INVISIBLE = re.compile("[\x01-\x07\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")
_MANY_SPACES = re.compile(r" {2,}")
_IN_ONE_PIECE = str.maketrans({"\t": None, "\n": None, "\r": None, " ": "%20"})
"""What browsers do with blanks in a URL (WHATWG URL, 4.4); programs that show text would end it there."""
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DerivedText:
    """The text of an HTML template, with its variables."""

    text: str
    """Ends with a line break unless it is empty."""
    blocks: tuple[Block, ...]
    """What goes when its variables are empty: elements with data-when, a line break behind them among it."""
    escapes: Mapping[int, Escape]
    """What makes a variable's value safe, by where it begins; of those that stand in URLs."""


def derive_text(source: str) -> DerivedText:
    """Write an HTML template as text. Time is linear in its length."""
    writer = _Writer(source)
    for token in tokenize(source):
        writer.write(token)
    text = writer.finish()
    return _without_marks(f"{text}\n" if text else "", writer.conditions, writer.escapes)


@dataclass(frozen=True, slots=True)
class InText:
    """Makes a value safe in a URL of a text, where characters are not written as references."""

    in_html: Escape

    def __call__(self, value: str) -> str:
        return unescape(self.in_html(value))


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
        text = _tidy("".join(self._frames[0].parts)).replace(_BLANK_IN_PRE, " ").rstrip()
        return _RUNS_ON.sub(" ", text)

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
        self._break(name)
        self._begin_condition(token)
        self._put(self._sign(name))
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
        number = len(self.conditions) if names else None
        self._open_conditions.setdefault(token.name, []).append(number)
        if names:
            self.conditions.append(frozenset(map(canonical_name, names)))
            self._put(f"{_CONDITION}{number}{_CONDITION}")

    def _end_condition(self, name: str) -> None:
        """Mark the end of the innermost element of that name."""
        numbers = self._open_conditions.get(name)
        number = numbers.pop() if numbers else None
        if number is not None:
            self._put(f"{_CONDITION_END}{number}{_CONDITION_END}")

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
        if _PARAGRAPH.fullmatch(name):
            self._put(_PARAGRAPH_ENDS)
        elif _LINE.fullmatch(name):
            self._put(_LINE_ENDS)

    def _text(self, text: str) -> None:
        text = unescape(text)
        if not (text.isascii() and text.isprintable()):
            text = _INVISIBLE.sub("", text)
        if self._pre:
            self._put(text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", _BLANK_IN_PRE))
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
                parts += [self._source[at : match.start()], f"{_ESCAPED}{len(self.escapes)}{_ESCAPED}", match[0]]
                self.escapes.append(InText(escape))
                at = match.end()
        parts.append(self._source[at : attribute.value_end])
        return unescape(token.value("href", self._source) or "").strip(), unescape("".join(parts)).strip()

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
        text = _tidy("".join(frame.parts))
        around = self._frames[-1]
        if frame.name == "a":
            lead = " " if frame.parts and frame.parts[0][:1] == " " else ""
            trail = " " if frame.parts and frame.parts[-1][-1:] == " " else ""
            around.parts.append(lead + _link(text, frame) + trail)
        elif frame.name == "tr":
            around.parts.append(_LINE_ENDS + _row([*frame.cells, text]) + _LINE_ENDS)
        elif frame.name == "table":
            around.parts.append(_PARAGRAPH_ENDS + text + _PARAGRAPH_ENDS)
        elif around.name == "tr":
            around.cells.append(text)
        else:
            around.parts.append(_LINE_ENDS + text + _LINE_ENDS)
        return frame.name


def _without_marks(text: str, conditions: Sequence[frozenset[str]], escapes: Sequence[Escape]) -> DerivedText:
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


def _link(label: str, frame: _Frame) -> str:
    href = frame.href
    target = href.removeprefix("mailto:").removeprefix("tel:")
    if not href or href.startswith("#") or label in (href, target):
        return label
    url = frame.url.translate(_IN_ONE_PIECE) + _URL_ENDS if target == href else target  # others are for people to read
    return f"{label}: {url}" if label else url


def _row(cells: list[str]) -> str:
    """`label: value` for two short cells, ` | ` between more, and lines of their own for what is longer."""
    cells = [cell for cell in cells if cell]
    if len(cells) < 2 or any("\n" in cell for cell in cells):
        return "\n\n".join(cells)
    if len(cells) == 2:
        return f"{cells[0].removesuffix(':')}: {cells[1]}"
    return " | ".join(cells)


def _tidy(text: str) -> str:
    if "  " in text:
        text = _MANY_SPACES.sub(" ", text)
    start = _CONDITIONS.match(text)
    at = start.end() if start else 0
    return text[:at] + _BREAKS.sub(_break, text[at:]).strip()


def _break(match: re.Match[str]) -> str:
    """However many elements end in one place, it is one line break, or one empty line; none at either end of a text.

    It comes before the marks of conditions that begin and end there.
    """
    marks = "".join(_CONDITIONS.findall(match[0]))
    if match.end() == len(match.string) or not match.start():
        return marks
    return ("\n\n" if _PARAGRAPH_ENDS in match[0] or match[0].count("\n") > 1 else "\n") + marks
