"""JSON as RFC 8259 means it, and nothing that two readers could read in two ways.

Not parseable, so `MalformedJson` (400): an empty body, a byte order mark, bytes that are not UTF-8, a key twice in one
object, more than 32 levels, numbers too large to be meant, NaN and Infinity.
Parseable but no text that can be stored and sent, so `Invalid` (422): U+0000 and lone surrogates, in values and keys.

Every request comes through here, so the standard library's C scanner does the work; the costlier looks are taken only
when a count shows that there may be something to find.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Final, cast

from ringpost.errors import FieldError, Invalid, RingpostError

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 300
"""Characters of one number; the largest double has 309 digits before its point."""
_MOST_ERRORS = 20
_SHOWN = 64

_BOM = b"\xef\xbb\xbf"
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_UNUSABLE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class MalformedJson(RingpostError):
    """The body is not JSON. The message says where; it never repeats what stood there."""


def loads(body: bytes) -> object:
    """The value of a JSON document in UTF-8. MalformedJson or Invalid when it is not fit to be used."""
    value = loads_any_text(body)
    if may_hold_bad_text(body):
        check_text(value)
    return value


def loads_any_text(body: bytes) -> object:
    """As `loads`, but unusable text passes: for lists in which one bad item must not stop the others."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_depth(body)
    if body.startswith(_BOM):
        raise MalformedJson("The body starts with a byte order mark. Send UTF-8 without one.")
    try:
        text = body.decode()
    except UnicodeDecodeError as fault:
        raise MalformedJson(f"The body is not UTF-8: byte {fault.start} does not fit.") from None
    try:
        return cast("object", _DECODER.decode(text))
    except json.JSONDecodeError as fault:
        if not text.strip():
            raise MalformedJson("The body is empty. Send a JSON object.") from None
        # `from None`: the fault holds the whole body, which may hold a password.
        where = f"line {fault.lineno}, column {fault.colno}"
        raise MalformedJson(f"The body is not JSON ({where}): {fault.msg}.") from None
    except RecursionError:
        raise MalformedJson(f"The body is nested more than {MAX_DEPTH} levels deep.") from None


def may_hold_bad_text(body: bytes) -> bool:
    """Whether `check_text` could find something in what this body says; costs next to nothing."""
    return _UNUSABLE_ESCAPE.search(body) is not None


def check_text(value: object, path: str = "") -> None:
    """Invalid, naming the path of each (`events[3].id`), when text in it has U+0000 or a lone surrogate."""
    errors = [
        FieldError(where, "There is a character in it that no mail can hold (U+0000, or half of a pair). Leave it out.")
        for where, _ in zip(_unusable_texts(value, path), range(_MOST_ERRORS), strict=False)
    ]
    if errors:
        raise Invalid(*errors)


def is_usable(text: str) -> bool:
    """Whether a text can be stored and sent: a database may not even be asked for one that cannot."""
    return _UNUSABLE.search(text) is None


def _unusable_texts(value: object, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if not is_usable(value):
            yield path
    elif isinstance(value, dict):
        for key, member in cast("dict[str, object]", value).items():
            inner = f"{path}.{_shown(key)}" if path else _shown(key)
            if not is_usable(key):
                yield inner
            yield from _unusable_texts(member, inner)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _unusable_texts(item, f"{path}[{index}]")


def _shown(key: str) -> str:
    return _UNUSABLE.sub("\ufffd", key[:_SHOWN])


def _check_depth(body: bytes) -> None:
    """Each round takes away the innermost level: what is left after 32 rounds is deeper, or does not match."""
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    if brackets:
        raise MalformedJson(f"The body is nested more than {MAX_DEPTH} levels deep, or its brackets do not match.")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # RFC 8259 4: which of the two counts is anybody's guess.
        raise MalformedJson("An object in the body has the same key twice.")
    return members


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise MalformedJson("A number in the body is too long.")
    return int(text)


def _number(text: str) -> float:
    number = float(text) if len(text) <= MAX_DIGITS else math.inf
    if math.isinf(number):
        raise MalformedJson("A number in the body is too large or too long.")
    return number


def _no_number(text: str) -> object:
    raise MalformedJson(f"The body is not JSON: {text} is not a number.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_no_number
)
