"""Cuts HTML into tokens as browsers and mail programs do, in one pass whose time is linear in the length.

Far from a whole parser (there is no tree): just enough of "13.2.5 Tokenization" of the HTML standard to know for every
character whether it is text, inside which attribute of which tag it stands, or in something that is never shown. The
standard library's parser is not used because a template of 512 KiB can keep it busy for minutes.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from html import unescape

_SPACE = r"[ \t\n\f\r]"
_TAG_NAME = re.compile(r"</?([A-Za-z][^ \t\n\f\r/>]*+)")
_BETWEEN = re.compile(r"[ \t\n\f\r/]*+")
_ATTRIBUTE = re.compile(rf"(=?[^ \t\n\f\r/>=]*+)({_SPACE}*+={_SPACE}*+)?")
_UNQUOTED = re.compile(r"[^ \t\n\f\r>]*+")
_LONG_REFERENCE = re.compile(r"&#(?=[0-9]{20})0*+([0-9]{0,8})[0-9]*+")
"""More digits than a character has; 4,300 are more than Python makes a number of."""
_COMMENT_END = re.compile(r"--!?>")
_CONDITIONAL = re.compile(r"<!--\[if [^\]>]{1,100}\]>", re.IGNORECASE)
_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
_RAW = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes"})
_RCDATA = frozenset({"title", "textarea"})
_BLOCK = (
    "address|article|aside|blockquote|center|details|dialog|dir|div|dl|fieldset|figcaption|figure|footer|form|h[1-6]|"
    "header|hgroup|hr|main|menu|nav|ol|pre|search|section|summary|table|ul"
)
_PARTS = "li|dt|dd|tbody|thead|tfoot|tr|td|th|body|html"
_ENDS_WHAT_IS_WITHIN = re.compile(f"{_BLOCK}|{_PARTS}")
_ENDED_BY = {
    "head": re.compile(r"(?!(?:base|link|meta|noscript|script|style|template|title)\Z).*"),
    "p": re.compile(f"p|{_BLOCK}"),
    "li": re.compile("li"),
    **dict.fromkeys(("dt", "dd"), re.compile("dt|dd")),
    **dict.fromkeys(("td", "th"), re.compile("td|th|tr|tbody|thead|tfoot")),
    "tr": re.compile("tr|tbody|thead|tfoot"),
    **dict.fromkeys(("tbody", "thead", "tfoot"), re.compile("tbody|thead|tfoot")),
}
"""Elements whose end tags need not be written where one of these begins (13.1.2.4)."""
_RAW_END = {name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in _RAW | _RCDATA}


class Kind(Enum):
    """What a token is."""

    TEXT = "text"
    """Text of the page, entities not decoded."""
    RAW = "raw"
    """Content of script, style and their like; `name` says of which."""
    RCDATA = "rcdata"
    """Content of title and textarea: text in which tags mean nothing."""
    START = "start"
    END = "end"
    HIDDEN = "hidden"
    """Comments, declarations, and tags that never end."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a start tag; positions are offsets in the source."""

    name: str
    """Lower case."""
    start: int
    value_start: int
    value_end: int
    end: int
    quote: str
    """`"`, `'`, or empty when the value has no quotes."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source from `start` to `end`."""

    kind: Kind
    start: int
    end: int
    name: str = ""
    """The element's name, lower case."""
    attributes: tuple[Attribute, ...] = ()
    """Those of an end tag mean nothing (13.1.2.2)."""
    conditional: bool = False
    """Between `<!--[if ...]>` and the next `-->`: HTML for some versions of Outlook, a comment for all others."""

    @property
    def is_void(self) -> bool:
        """True for elements that have no end tag and no content, such as br (13.1.2)."""
        return _VOID.fullmatch(self.name) is not None

    def attribute(self, name: str) -> Attribute | None:
        """The first attribute of that name; later ones do not count (13.2.5.33)."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def value(self, name: str, source: str) -> str | None:
        """The attribute's value as written, entities not decoded."""
        attribute = self.attribute(name)
        return None if attribute is None else source[attribute.value_start : attribute.value_end]


def decoded(text: str) -> str:
    """A text with the characters that its references stand for (13.2.5.72), however long these are."""
    return unescape(_LONG_REFERENCE.sub(r"&#0\1", text) if "&#" in text else text)


class OpenElements:
    """One element and what is open in it: enough of a tree to know where it ends, its end tag written or not."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether the element is open still."""
        return bool(self._names)

    def start(self, token: Token) -> None:
        """A start tag: the element's, or of one in it."""
        if not token.is_void:
            self._names.append(token.name)
            self._counts[token.name] += 1

    def make_way(self, name: str) -> None:
        """An element of that name begins, and so ends others."""
        while self._names and (ended := _ENDED_BY.get(self._names[-1])) and ended.fullmatch(name):
            self._end_innermost()

    def end(self, name: str) -> bool:
        """An end tag. False when it is of something around, where the element ends too."""
        if self._counts[name]:
            while self._end_innermost() != name:
                pass
        elif _ENDS_WHAT_IS_WITHIN.fullmatch(name):
            self._names.clear()
            self._counts.clear()
            return False
        return True

    def _end_innermost(self) -> str:
        name = self._names.pop()
        self._counts[name] -= 1
        return name


class TooManyAttributes(ValueError):
    """The tags have more than were asked for, all together."""


def tokenize(source: str, most_attributes: int = sys.maxsize) -> tuple[Token, ...]:
    """All tokens of `source`, in order, without gaps. Raises TooManyAttributes once they have more."""
    return tuple(_tokens(source, most_attributes))


def _tokens(source: str, attributes_left: int) -> Iterator[Token]:
    position, size = 0, len(source)
    shown_from = 0
    while position < size:
        token = _next(source, position, attributes_left)
        attributes_left -= len(token.attributes)
        conditional = position < shown_from
        if not conditional and _CONDITIONAL.match(source, position):
            conditional, shown_from = True, _end_of_comment(source, token.end)
        if conditional:
            token = _in_conditional(token, shown_from)
        yield token
        position = token.end
        if token.kind is Kind.START and token.name in _RAW_END:
            end = _RAW_END[token.name].search(source, position)
            stop = end.start() if end else size
            kind = Kind.RAW if token.name in _RAW else Kind.RCDATA
            if stop > position:
                yield Token(kind, position, stop, token.name, conditional=position < shown_from)
            position = stop


def _end_of_comment(source: str, position: int) -> int:
    end = _COMMENT_END.search(source, position)
    return end.end() if end else len(source)


def _in_conditional(token: Token, shown_from: int) -> Token:
    """The same within a comment whose end is where text begins that is shown to all, whether or not Outlook sees it."""
    end = min(token.end, shown_from) if token.kind is Kind.TEXT else token.end
    return Token(token.kind, token.start, end, token.name, token.attributes, conditional=True)


def _next(source: str, position: int, most: int) -> Token:
    following = source[position + 1 : position + 3]
    if source[position] == "<":
        if following[:1].isascii() and following[:1].isalpha():
            return _start_tag(source, position, most)
        if following[:1] == "/" and following[1:].isascii() and following[1:].isalpha():
            return _end_tag(source, position, most)
        if following[:1] in ("!", "?", "/") and following:
            return _hidden(source, position)
    stop = source.find("<", position + 1)
    return Token(Kind.TEXT, position, stop if stop >= 0 else len(source))


def _hidden(source: str, position: int) -> Token:
    if conditional := _CONDITIONAL.match(source, position):
        return Token(Kind.HIDDEN, position, conditional.end())
    if source.startswith(("<!-->", "<!--->"), position):
        return Token(Kind.HIDDEN, position, source.index(">", position) + 1)
    if source.startswith("<!--", position):
        return Token(Kind.HIDDEN, position, _end_of_comment(source, position + 4))
    stop = source.find(">", position)
    return Token(Kind.HIDDEN, position, stop + 1 if stop >= 0 else len(source))


def _end_tag(source: str, position: int, most: int) -> Token:
    tag = _start_tag(source, position, most)
    return tag if tag.kind is Kind.HIDDEN else Token(Kind.END, tag.start, tag.end, tag.name, tag.attributes)


def _start_tag(source: str, position: int, most: int) -> Token:
    """A tag with its attributes; HIDDEN to the end of the source when it has no end (13.2.5.32 and the following)."""
    match = _TAG_NAME.match(source, position)
    name = match[1].lower() if match else ""
    attributes: list[Attribute] = []
    at = match.end() if match else position + 1
    while True:
        between = _BETWEEN.match(source, at)
        at = between.end() if between else at
        if at >= len(source):
            return Token(Kind.HIDDEN, position, len(source))
        if source[at] == ">":
            return Token(Kind.START, position, at + 1, name, tuple(attributes))
        attribute = _attribute(source, at)
        if attribute is None:
            return Token(Kind.HIDDEN, position, len(source))
        if len(attributes) >= most:
            raise TooManyAttributes
        attributes.append(attribute)
        at = attribute.end


def _attribute(source: str, start: int) -> Attribute | None:
    """None when its quotes are never closed."""
    match = _ATTRIBUTE.match(source, start)
    if match is None:  # cannot be: every part of the pattern may be empty
        return None
    name, at = match[1].lower(), match.end()
    if match[2] is None:
        return Attribute(name, start, at, at, at, "")
    quote = source[at : at + 1]
    if quote in ("'", '"') and quote:
        end = source.find(quote, at + 1)
        return None if end < 0 else Attribute(name, start, at + 1, end, end + 1, quote)
    unquoted = _UNQUOTED.match(source, at)
    end = unquoted.end() if unquoted else at
    return Attribute(name, start, at, end, end, "")
