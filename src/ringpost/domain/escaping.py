"""Makes a value safe for the place in the HTML where it stands.

| where the variable stands        | what happens to its value                                                       |
|----------------------------------|---------------------------------------------------------------------------------|
| text, title, ordinary attribute  | `& < > " '` become references                                                   |
| start of a URL                   | dropped unless the URL has an allowed scheme or none; then as inside a URL      |
| host of a URL, all of it         | as inside a URL: it may bring port and path                                     |
| host of a URL, a part of it      | everything special is percent-encoded                                           |
| behind a whole host              | as inside a URL when it ends the host, as a port or path does; else dropped     |
| address of a mailto              | as inside a URL, and `? & #` are percent-encoded: nothing of it is a header     |
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
from typing import Final
from urllib.parse import quote

from ringpost.domain.forms import VARIABLE, Escape
from ringpost.domain.markup import Attribute, Kind, Token, decoded

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
# Behind http: and https: browsers take slashes of either kind, or none (WHATWG URL, 4.4, special authority).
_AUTHORITY = re.compile(r"(?:https?:[/\\]*+|[/\\]{2,}+)([^/\\?#]*+)", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/\\?#]")
_ENDS_HOST = re.compile(r"(?::[0-9]*+)?(?:[/?#]|\Z)")
_ENDS_PORT = re.compile(r"[0-9]*+(?:[/?#]|\Z)")
_LONGEST_HOST = 256
_LONGEST_REFERENCE = 40


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
    """Inside a URL whose scheme is settled, and its host unless it is the value's: reserved characters keep meaning."""
    return escape_text(quote(_STRAY_PERCENT.sub("%25", value.strip()), safe=_RESERVED, errors="replace"))


def escape_url_component(value: str) -> str:
    """Inside a query, a fragment, or where a scheme could still come about: nothing keeps a meaning."""
    return quote(value, safe="", errors="replace")


def escape_mailbox(value: str) -> str:
    """In the address of a mailto URL, where `?` would begin headers (RFC 6068 2)."""
    value = value.replace("?", "%3F").replace("&", "%26").replace("#", "%23")
    return escape_url(value)


@dataclass(frozen=True, slots=True)
class HostEnd:
    """Escapes a value that stands behind a host, or its port: one that ends it may stay."""

    ends: re.Pattern[str]
    otherwise: Escape

    def __call__(self, value: str) -> str:
        value = _SKIPPED.sub("", value)
        return escape_url(value) if self.ends.match(value) else self.otherwise(value)


@dataclass(frozen=True, slots=True)
class UrlStart:
    """Escapes a value that begins a URL which goes on with `rest`."""

    rest: str

    def __call__(self, value: str) -> str:
        value = _SKIPPED.sub("", value) if value[:1] <= " " or not value.isprintable() else value.strip()
        url = value + self.rest
        if not (_is_allowed(url) and _is_allowed(decoded(decoded(url)))):
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
    host, alone = None, True  # of a host that has not ended, what the template has of it, and whether that is all
    for match in matches:
        literal = _SKIPPED.sub("", decoded(source[at : match.start()]))
        at = match.end()
        if escape is None:
            lead += literal
            if _SCHEME_END.search(literal):
                escape, host = _settled(lead), _host_in(lead)
        elif host is not None:
            host = None if _AUTHORITY_END.search(literal) else (host + literal).rpartition("@")[2][-_LONGEST_HOST:]
        if escape in (escape_url, escape_mailbox) and ("?" in literal or "#" in literal):
            escape = escape_url_component
        if escape is escape_url and host is not None:
            yield match, _in_host(host, _next_of(source, at, attribute.value_end), alone=alone)
            alone = False
        elif escape is not None:
            yield match, escape
        elif first and not lead:
            yield match, UrlStart(decoded(source[at : attribute.value_end].split("%%", 1)[0]))
        else:
            yield match, escape_url_component
        first = False


def _settled(lead: str) -> Escape:
    """For values behind the scheme of a URL."""
    if not _is_allowed(lead):
        return drop
    return escape_mailbox if lead[:7].lower() == "mailto:" else escape_url


def _host_in(lead: str) -> str | None:
    """The host in which a URL stops for a variable, as far as it goes; None when it stops elsewhere."""
    found = _AUTHORITY.match(lead)
    return found[1].rpartition("@")[2] if found and found.end() == len(lead) else None


def _in_host(host: str, after: str, *, alone: bool) -> Escape:
    """For a value that stands behind `host` and before `after`. `alone`: no other value belongs to the host."""
    goes_on = after not in ("", ":") and not _AUTHORITY_END.match(after)
    if goes_on and not (host and after == "%"):  # behind a host, what another value may be is all that can follow
        return escape_url_component
    if ":" in host:
        return HostEnd(_ENDS_PORT, drop)
    if not host and alone:
        return escape_url
    is_part = host[-1:] == "." or (host and "." not in host)  # `www.` and `pbx` may go on, `pbx.example.com` may not
    return HostEnd(_ENDS_HOST, escape_url_component if is_part else drop)


def _next_of(source: str, at: int, end: int) -> str:
    """The character behind a variable; empty at the end of the attribute."""
    return _SKIPPED.sub("", decoded(source[at : min(at + _LONGEST_REFERENCE, end)]))[:1]


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
