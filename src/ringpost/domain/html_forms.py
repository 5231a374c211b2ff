"""Makes a form of an HTML template: every variable gets the escape for its place, and images find their parts.

What is changed in the template's HTML on the way, so that no value can change what it means:
- Variables in names of tags and attributes, comments and declarations are taken out.
- In script and style that hold what looks like a tag, too: inside of svg and math it may be one.
- Attribute values with variables get quotes; `<` or the beginning of a reference right before a variable is escaped.
- `<img src="%%QR_CODE%%">` refers to the inline image, and is left out when there is none; a bare `%%QR_CODE%%` in text
  becomes such an image; anywhere else it is taken out.
- An element with `data-when="NAME OTHER"` is left out when all of these variables are empty.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ringpost.domain.catalogue import IMAGE_VARIABLES, canonical_name
from ringpost.domain.escaping import escapes_in
from ringpost.domain.forms import VARIABLE, VARIABLE_NAME, Blank, Block, Form, cut
from ringpost.domain.markup import Attribute, Kind, Token, tokenize

QR_CONTENT_ID: Final = "qr-code@ringpost"
"""Content-ID of the inline image (RFC 2392)."""

_WHEN = "data-when"
_MOST_BLOCKS = 200
_ROUNDS = 4
_REFERENCE_START = re.compile(r"&#?[A-Za-z0-9]{0,32}\Z")
_TAG_LIKE = re.compile(r"<[A-Za-z/!?]")
_IMAGE = (
    f'<img {_WHEN}="QR_CODE" src="cid:{QR_CONTENT_ID}" alt="QR code" width="200" height="200" '
    'style="display:block;width:200px;height:200px;border:0">'
)

_Edit = tuple[int, int, str]
_Find = Callable[[Token, str], Iterator[_Edit]]


def cut_html(source: str) -> Form:
    """Make a form of an HTML template."""
    source = _edited(_without_hopeless(source), _mending)
    tokens = tokenize(source)
    blanks = [
        Blank(match.start(), match.end(), match[1], escape)
        for token in tokens
        for match, escape in escapes_in(token, source)
    ]
    marks = [
        Blank(attribute.start, attribute.end, "")
        for token in tokens
        for attribute in token.attributes
        if token.kind is Kind.START and attribute.name == _WHEN
    ]
    return cut(source, sorted([*blanks, *marks], key=lambda blank: blank.start), _blocks(tokens, source))


def _without_hopeless(source: str) -> str:
    """Take out what stands where no value is safe. Taking out can make new tags, so look again; give up at last."""
    for _ in range(_ROUNDS):
        mended = _edited(source, _hopeless)
        if mended == source:
            return source
        source = mended
    return VARIABLE.sub("", source)


def _edited(source: str, find: _Find) -> str:
    parts: list[str] = []
    at = 0
    for token in tokenize(source):
        for start, end, text in find(token, source):
            parts += (source[at:start], text)
            at = end
    parts.append(source[at:])
    return "".join(parts)


def _hopeless(token: Token, source: str) -> Iterator[_Edit]:
    is_odd = token.kind is Kind.RAW and _TAG_LIKE.search(source, token.start, token.end)
    if token.kind in (Kind.HIDDEN, Kind.END) or is_odd:
        yield from _removals(source, token.start, token.end)
    elif token.kind is Kind.START:
        at = token.start
        for attribute in token.attributes:
            yield from _removals(source, at, attribute.value_start)
            at = attribute.value_end
            if attribute.name == _WHEN:
                yield from _removals(source, attribute.value_start, attribute.value_end)
        yield from _removals(source, at, token.end)


def _removals(source: str, start: int, end: int) -> Iterator[_Edit]:
    return ((match.start(), match.end(), "") for match in VARIABLE.finditer(source, start, end))


def _mending(token: Token, source: str) -> Iterator[_Edit]:
    if token.kind is Kind.START:
        for attribute in token.attributes:
            yield from _mend_attribute(token, attribute, source)
    elif token.kind in (Kind.TEXT, Kind.RCDATA, Kind.RAW):
        image = _IMAGE if token.kind is Kind.TEXT and not token.conditional else ""
        yield from _mend_content(source, token.start, token.end, image, raw=token.kind is Kind.RAW)


def _mend_attribute(token: Token, attribute: Attribute, source: str) -> Iterator[_Edit]:
    start, end = attribute.value_start, attribute.value_end
    match = VARIABLE.search(source, start, end)
    if match is None:
        return
    if token.name == "img" and attribute.name == "src" and match[1] in IMAGE_VARIABLES:
        mark = "" if token.attribute(_WHEN) else f' {_WHEN}="QR_CODE"'
        yield attribute.start, attribute.end, f'src="cid:{QR_CONTENT_ID}"{mark}'
    elif attribute.quote:
        yield from _mend_content(source, start, end, "")
    else:
        parts: list[str] = []
        at = start
        for edit_start, edit_end, text in _mend_content(source, start, end, ""):
            parts += (source[at:edit_start], text)
            at = edit_end
        value = "".join([*parts, source[at:end]]).replace('"', "&quot;")
        yield start, end, f'"{value}"'


def _mend_content(source: str, start: int, end: int, image: str, *, raw: bool = False) -> Iterator[_Edit]:
    for match in VARIABLE.finditer(source, start, end):
        before = source[max(start, match.start() - 34) : match.start()]
        reference = _REFERENCE_START.search(before)
        if raw and before.endswith("<"):
            yield match.start(), match.end(), " "
            continue
        if not raw and reference:
            at = match.start() - len(reference[0])
            yield at, at + 1, "&amp;"
        elif not raw and before.endswith("<"):
            yield match.start() - 1, match.start(), "&lt;"
        if match[1] in IMAGE_VARIABLES:
            yield match.start(), match.end(), image


def _blocks(tokens: tuple[Token, ...], source: str) -> list[Block]:
    """The elements with data-when, from their start tags to their end tags. One that is never closed does not count."""
    blocks: list[Block] = []
    open_elements: dict[str, list[Token]] = {}
    for token in tokens:
        if token.kind is Kind.START and token.is_void:
            start = token
        elif token.kind is Kind.START:
            open_elements.setdefault(token.name, []).append(token)
            continue
        elif token.kind is Kind.END and open_elements.get(token.name):
            start = open_elements[token.name].pop()
        else:
            continue
        condition = start.value(_WHEN, source)
        names = frozenset(canonical_name(name) for name in VARIABLE_NAME.findall(condition or ""))
        if names and len(blocks) < _MOST_BLOCKS:
            blocks.append(Block(start.start, token.end, names))
    return blocks
