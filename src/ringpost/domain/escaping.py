"""Makes a value safe for the place in the HTML where it stands.

| where the variable stands        | what happens to its value                                                       |
|----------------------------------|---------------------------------------------------------------------------------|
| text, title, ordinary attribute  | `& < > " '` become references                                                   |
| start of a URL                   | dropped unless the URL has an allowed scheme or none; then as inside a URL      |
| inside a URL                     | what no URL may hold is percent-encoded; after `?` and `#` everything special is |
| URL with another scheme          | dropped                                                                         |
| style                            | dropped unless it is a plain word, number or colour                             |
| script, on... attributes         | all but ASCII letters and digits become `\\uXXXX`                               |
| srcdoc, http-equiv content       | dropped                                                                         |

URLs without a scheme are allowed, relative to the host (`/x`) and to the scheme (`//host/x`): neither can do more than
an https link, and the phone system may send either. Variables in names of tags and attributes, in comments and in
declarations never get this far: no value would be safe there, so `rendering` takes them out of the template.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape as escape_text
from html import unescape
from typing import Final
from urllib.parse import quote

from ringpost.domain.forms import VARIABLE, Escape
from ringpost.domain.markup import Attribute, Kind, Token

ALLOWED_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "sip", "sips", "cid"})

_URL_ATTRIBUTE = re.compile(
    "href|src|action|background|formaction|poster|cite|data|longdesc|usemap|profile|classid|codebase|manifest|icon|"
    "dynsrc|lowsrc|to|from|by|values|srcset|imagesrcset|ping|archive|.*:href|.*:src"
)
_URL_LISTS = frozenset({"srcset", "imagesrcset", "ping", "archive", "values"})
# Browsers skip some of these before a scheme and some within (WHATWG URL, 4.4); other programs skip others.
_SKIPPED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029\ufeff]+")
_SCHEME_END = re.compile(r"[:/?#\\]")
_SAFE_CSS = re.compile(r"#?[A-Za-z0-9.%_ -]*")
_NOT_WORD = re.compile(r"[^A-Za-z0-9 ]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RESERVED = ":/?#[]@!$&'()*+,;=%~"


def escapes_in(token: Token, source: str) -> Iterator[tuple[re.Match[str], Escape]]:
    """Every variable of a token with the escape for its place, in order."""
    places = _in_tag(token, source) if token.kind is Kind.START else _in_content(token, source)
    if token.conditional:
        return ((match, WithoutDashes(escape)) for match, escape in places)
    return places


def drop(_: str) -> str:
    """For places where no value is safe."""
    return ""


def escape_css(value: str) -> str:
    """Nothing that could end a declaration, call a function or name a URL."""
    return value if _SAFE_CSS.fullmatch(value) else ""


def escape_script(value: str) -> str:
    """Safe inside quotes, and no more than a name or number outside of them."""
    return _NOT_WORD.sub(_utf16, value)


def escape_url(value: str) -> str:
    """Inside a URL whose scheme and host are settled: reserved characters keep their meaning."""
    return escape_text(quote(_STRAY_PERCENT.sub("%25", value.strip()), safe=_RESERVED, errors="replace"))


def escape_url_component(value: str) -> str:
    """Inside a query, a fragment, or where a scheme could still come about: nothing keeps a meaning."""
    return quote(value, safe="", errors="replace")


@dataclass(frozen=True, slots=True)
class UrlStart:
    """Escapes a value that begins a URL which goes on with `rest`."""

    rest: str

    def __call__(self, value: str) -> str:
        value = _SKIPPED.sub("", value) if value[:1] <= " " or not value.isprintable() else value.strip()
        url = value + self.rest
        if not (_is_allowed(url) and _is_allowed(unescape(unescape(url)))):
            return ""
        return escape_url(value)


@dataclass(frozen=True, slots=True)
class UrlInList:
    """Escapes a value in a list of URLs, such as srcset, where a comma or space would begin another."""

    def __call__(self, value: str) -> str:
        return UrlStart("")(value).replace(",", "%2C")


@dataclass(frozen=True, slots=True)
class WithoutDashes:
    """Escapes for HTML inside a conditional comment, which two dashes could end."""

    escape: Escape

    def __call__(self, value: str) -> str:
        return self.escape(value).replace("-", "&#45;")


def _in_content(token: Token, source: str) -> Iterator[tuple[re.Match[str], Escape]]:
    match token.kind:
        case Kind.TEXT:
            escape = escape_text
        case Kind.RCDATA:
            escape = drop if "<" in source[token.start : token.end] else escape_text
        case Kind.RAW:
            escape = {"style": escape_css, "script": escape_script}.get(token.name, drop)
        case _:
            escape = drop
    return ((match, escape) for match in VARIABLE.finditer(source, token.start, token.end))


def _in_tag(token: Token, source: str) -> Iterator[tuple[re.Match[str], Escape]]:
    is_instruction = token.name == "meta" and token.attribute("http-equiv") is not None
    for attribute in token.attributes:
        matches = VARIABLE.finditer(source, attribute.value_start, attribute.value_end)
        if _URL_ATTRIBUTE.fullmatch(attribute.name) and not is_instruction:
            yield from _in_url(attribute, source, matches)
        else:
            escape = drop if is_instruction else _ordinary(attribute.name)
            yield from ((match, escape) for match in matches)


def _ordinary(name: str) -> Escape:
    if name.startswith("on"):
        return escape_script
    return {"style": escape_css, "srcdoc": drop, "http-equiv": drop}.get(name, escape_text)


def _in_url(
    attribute: Attribute, source: str, matches: Iterable[re.Match[str]]
) -> Iterator[tuple[re.Match[str], Escape]]:
    """What stands before a variable says what it may be: a whole URL, a part of one, or nothing at all."""
    if attribute.name in _URL_LISTS:
        yield from ((match, UrlInList()) for match in matches)
        return
    at, first, lead = attribute.value_start, True, ""
    escape: Escape | None = None
    for match in matches:
        literal = _SKIPPED.sub("", unescape(source[at : match.start()]))
        at = match.end()
        if escape is None:
            lead += literal
            if _SCHEME_END.search(literal):
                escape = escape_url if _is_allowed(lead) else drop
        if escape is escape_url and ("?" in literal or "#" in literal):
            escape = escape_url_component
        if escape is not None:
            yield match, escape
        elif first and not lead:
            yield match, UrlStart(unescape(source[at : attribute.value_end].split("%%", 1)[0]))
        else:
            yield match, escape_url_component
        first = False


def _is_allowed(url: str) -> bool:
    """True when it has an allowed scheme, or none."""
    url = _SKIPPED.sub("", url)
    end = _SCHEME_END.search(url)
    if end is None or end[0] != ":":
        return True
    return url[: end.start()].lower() in ALLOWED_SCHEMES


def _utf16(match: re.Match[str]) -> str:
    data = match[0].encode("utf-16-be", "replace")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))
