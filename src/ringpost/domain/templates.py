"""Templates: what a tenant writes, what is wrong with it, and how it is laid over the default."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from sys import getsizeof
from typing import Final

from ringpost.domain.addresses import BLANKS
from ringpost.domain.catalogue import ALIASES, EventType, canonical_name
from ringpost.domain.forms import VARIABLE
from ringpost.domain.markup import TooManyAttributes, tokenize
from ringpost.errors import FieldError, Invalid

LARGEST_BODY: Final = 512 * 1024
"""UTF-8 octets of a body; some mail programs cut mails off at 100 KiB already."""
MOST_TAGS: Final = 10_000
"""Tags of a body. The longest mails have some hundred; more only makes everybody wait while they are taken apart."""
MOST_ATTRIBUTES: Final = 20_000
"""Attributes of all its tags together, for the same reason: 512 KiB hold 250,000 of them."""
MOST_BLANKS: Final = 2_000
"""Places of variables in a body. A mail has some dozen; each takes memory for as long as the template is kept ready."""
LONGEST_LINE: Final = 998
"""Characters of a subject or sender's name: what a header line may hold (RFC 5322 2.1.1)."""

# C0, DEL and C1 have VT, FF, FS, GS, RS and U+0085 among them; U+2028 and U+2029 break lines as well.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_IN_BODY = re.compile("[\x00\ud800-\udfff]")
_ELEMENTS = (
    "a|abbr|address|article|aside|b|base|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|"
    "div|dl|dt|em|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|img|input|ins|kbd|label|li|"
    "link|main|mark|meta|nav|ol|p|pre|q|s|samp|section|select|small|span|strike|strong|style|sub|sup|table|tbody|td|"
    "textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr|script|noscript|iframe|svg|object|picture|details|summary"
)
# A variable first, so that it is not taken for a slip; then whatever has %% and a letter, closed or not.
_SLIP = re.compile(rf"{VARIABLE.pattern}|%%(?P<word>[A-Za-z][A-Za-z0-9_-]{{0,99}}+)(?P<end>%{{0,2}})")
_ELEMENT = re.compile(rf"<(?:!doctype html|/?(?:{_ELEMENTS})(?=[\s/>]))[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Template:
    """A whole template: what an event of the type of this name looks like."""

    name: str
    from_: str
    """The sender's display name."""
    subject: str
    body: str
    """HTML when it has an HTML element, else plain text."""
    text_body: str | None = None
    """The text alternative; None: derived from the HTML."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a tenant wrote; None where the default's part stands."""

    from_: str | None = None
    subject: str | None = None
    body: str | None = None
    text_body: str | None = None

    @property
    def size(self) -> int:
        """How much memory they take; octets."""
        return sum(map(getsizeof, (self.from_, self.subject, self.body, self.text_body)))


@dataclass(frozen=True, slots=True)
class UnknownVariable:
    """A variable that the catalogue does not have for this type, or what was meant as one and is sent as it stands."""

    name: str
    """What stands between the %%. Where they do not close it, all of it as it stands, such as `%%FREE_SIZE%`."""
    nearest: str | None
    """The known name that it looks like."""
    is_slip: bool = False
    """It is no variable, so it is sent as it stands."""

    @property
    def written(self) -> str:
        """As it stands in the template."""
        return self.name if self.name.startswith("%") else f"%%{self.name}%%"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a template something stands."""

    part: str
    """`from`, `subject`, `body` or `text_body`."""
    line: int
    """The line's number, from 1 on."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check of a template found. Neither keeps it from being saved."""

    unknown_variables: tuple[UnknownVariable, ...]
    missing_variables: tuple[str, ...]
    """What its reader would need and it does not say."""


def is_html(body: str) -> bool:
    """True when it has an HTML element. `<jane@example.com>` and `a < b` are none."""
    return _ELEMENT.search(body) is not None


def validate_parts(parts: Parts) -> None:
    """Raises Invalid with one entry per wrong part."""
    faults = [*_line_faults("from", parts.from_), *_line_faults("subject", parts.subject)]
    faults += [*_body_faults("body", parts.body), *_body_faults("text_body", parts.text_body)]
    if faults:
        raise Invalid(*faults)


def checked_parts(parts: Parts) -> Parts:
    """The same as they are saved: without the blanks around lines, and None for what is blank as a whole.

    Raises Invalid as `validate_parts` does.
    """
    validate_parts(parts)
    return Parts(_trimmed(parts.from_), _trimmed(parts.subject), _not_blank(parts.body), _not_blank(parts.text_body))


def customise(default: Template, parts: Parts) -> Template:
    """Lay custom parts over the default.

    The default's text alternative goes with the default's body: a new body gets one derived from it.
    """
    own_text = parts.text_body is not None or parts.body is not None
    return Template(
        name=default.name,
        from_=default.from_ if parts.from_ is None else parts.from_,
        subject=default.subject if parts.subject is None else parts.subject,
        body=default.body if parts.body is None else parts.body,
        text_body=parts.text_body if own_text else default.text_body,
    )


def check(template: Template, event_type: EventType) -> Findings:
    """Look for variables that the type does not have, and for essential ones that the body does not use."""
    known = event_type.variable_names
    names = known | {alias for alias, name in ALIASES.items() if name in known}
    said = {canonical_name(name) for name in (*VARIABLE.findall(template.body), *VARIABLE.findall(template.subject))}
    unknown = [
        UnknownVariable(name, _nearest(name, names)) for name in variables_of(template)[:100] if name not in names
    ]
    return Findings(
        (*unknown, *_slips_in(template, names)),
        tuple(variable.name for variable in event_type.variables if variable.essential and variable.name not in said),
    )


def variables_of(template: Template) -> tuple[str, ...]:
    """Names of the variables it uses, aliases as written, in the order of their first use."""
    return tuple(dict.fromkeys(name for part in _texts_of(template) for name in VARIABLE.findall(part)))


def places_of(parts: Parts) -> dict[str, tuple[Place, ...]]:
    """Where each variable stands in what a tenant wrote: the lines, each once."""
    found: dict[str, dict[Place, None]] = {}
    written = (("from", parts.from_), ("subject", parts.subject), ("body", parts.body), ("text_body", parts.text_body))
    for part, text in written:
        for number, line in enumerate((text or "").split("\n"), 1):
            for name in (*VARIABLE.findall(line), *_slips(line)):
                found.setdefault(name, {})[Place(part, number)] = None
    return {name: tuple(places) for name, places in found.items()}


def _texts_of(template: Template) -> tuple[str, ...]:
    return template.from_, template.subject, template.body, template.text_body or ""


def _slips_in(template: Template, names: Iterable[str]) -> Iterator[UnknownVariable]:
    """What was meant as a variable: closed by a %, or like a known one. `100%%` and `50%%off` are neither."""
    for slip in [*dict.fromkeys(slip for text in _texts_of(template) for slip in _slips(text))][:100]:
        found = UnknownVariable(slip, _nearest(slip.strip("%").upper().replace("-", "_"), names), is_slip=True)
        if found.nearest is not None or found.written.endswith("%"):
            yield found


def _slips(text: str) -> Iterator[str]:
    for match in _SLIP.finditer(text):
        if match["word"]:
            yield match["word"] if match["end"] == "%%" else match[0]


def _nearest(name: str, names: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, sorted(names), n=1, cutoff=0.6)), None)


def _trimmed(line: str | None) -> str | None:
    return None if line is None else line.strip(BLANKS) or None


def _not_blank(text: str | None) -> str | None:
    return None if text is None or not text.strip() else text


def _line_faults(field: str, text: str | None) -> list[FieldError]:
    if text is None:
        return []
    if _CONTROL.search(text):
        return [FieldError(field, "This is one line: no line breaks, no control characters.")]
    if len(text) > LONGEST_LINE:
        return [FieldError(field, f"At most {LONGEST_LINE} characters.")]
    return []


def _body_faults(field: str, text: str | None) -> list[FieldError]:
    if text is None:
        return []
    if _NOT_IN_BODY.search(text):
        return [FieldError(field, "This holds characters that no mail can hold.")]
    if len(text.encode()) > LARGEST_BODY:
        return [FieldError(field, f"At most {LARGEST_BODY // 1024} KiB.")]
    too_much = _too_much_in(text)
    return [FieldError(field, too_much)] if too_much else []


def _too_much_in(text: str) -> str:
    """The limit that a body is over; empty when there is none."""
    if text.count("<") > MOST_TAGS:
        return f"At most {MOST_TAGS} HTML tags."
    if is_html(text) and _has_too_many_attributes(text):
        return f"At most {MOST_ATTRIBUTES} attributes of HTML tags."
    if sum(1 for _ in VARIABLE.finditer(text)) > MOST_BLANKS:
        return f"At most {MOST_BLANKS} variables."
    return ""


def _has_too_many_attributes(text: str) -> bool:
    try:
        tokenize(text, MOST_ATTRIBUTES)
    except TooManyAttributes:
        return True
    return False
