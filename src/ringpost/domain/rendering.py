"""From a template and an event's values to a message.

    prepared = prepare(template, event_type)        # once per revision of a template: milliseconds
    rendered = prepared.render(values, stamp)       # once per event: a join
    rendered.message                                # into the outbox
    rendered.unknown, rendered.empty                # to count and to log
    rendered.subject, rendered.html, rendered.text  # for previews

    compose(subject, content, from_name, stamp)     # a mail without a template, such as the test mail

Variables are `%%NAME%%` and nothing else: `{{7*7}}`, `${x}` and `{0.__class__}` are text. They are replaced in one
pass, so a value that holds `%%NAME%%` stays as it is. A variable without a value becomes empty text; so does a value
of blanks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from ringpost.domain.catalogue import ALIASES, IMAGE_VARIABLES, EventType, canonical_name
from ringpost.domain.events import Attachment
from ringpost.domain.forms import VARIABLE, Blank, Block, Encoded, Escape, Form, cut
from ringpost.domain.html_forms import QR_CONTENT_ID, cut_html
from ringpost.domain.messages import (
    Bodies,
    Message,
    image_entity,
    text_entity,
    text_entity_in_base64,
    write_content,
)
from ringpost.domain.mime import base64_lines, plain_lines
from ringpost.domain.plain_text import derive_text
from ringpost.domain.templates import Template, is_html

Value = str | int | float | bool

LONGEST_SUBJECT: Final = 900
LONGEST_FROM: Final = 200
"""Characters that are left of a subject and of a sender's name once they are filled."""

# Line breaks of all kinds and other controls, and what turns the direction of writing to make a name look like another.
_NOT_IN_LINE = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ALONE = r"([^%\n]{1,60}:[ \t]*+)?+%%[A-Z0-9_]{1,64}%%[ \t]*+(?:\n|\Z)"
"""A line that is nothing but a variable, or a label and a variable."""
_ALONE_IN_LINE = re.compile(f"^{_ALONE}", re.MULTILINE)
_ALONE_IN_PARAGRAPH = re.compile(rf"(?:\A|(?<=\n\n))(?:{_ALONE})++\n+")
_ALONE_AT_THE_END = re.compile(rf"(?<=\n)\n(?:{_ALONE})++\Z")


class Stamp(NamedTuple):
    """When and where a message is written."""

    date: int
    """Milliseconds since 1970; the Date header."""
    message_id_domain: str
    """Right side of the Message-ID, an A-label host name."""


@dataclass(frozen=True, slots=True)
class PreparedTemplate:
    """A template cut into what stays and what is filled in. Made by `prepare`; can be shared and kept."""

    from_: Form
    subject: Form
    text: Form
    html: Form | None
    """None when the template is plain text."""
    sources: tuple[tuple[str, tuple[str, ...], bool], ...]
    """Each variable in use: its name, other names under which an event may carry its value, known to the catalogue."""
    optional: frozenset[str]
    """Variables whose part of the text goes away when they are empty: nobody has to hear of that."""
    uses_image: bool

    @property
    def size(self) -> int:
        """How much memory it takes, about; octets."""
        return sum(form.size for form in (self.from_, self.subject, self.text, self.html) if form)

    def render(
        self,
        values: Mapping[str, Value],
        stamp: Stamp,
        *,
        qr_png: bytes | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> "Rendered":
        """Fill it. Raises Invalid when the result is larger than 2 MiB."""
        texts: dict[str, str] = {}
        unknown: list[str] = []
        empty: list[str] = []
        for name, others, known in self.sources:
            text = _filling(values.get(name))
            if not text and others:
                text = next(filter(None, (_filling(values.get(other)) for other in others)), "")
            if text:
                texts[name] = text
            elif not known and values.get(name) is None:
                unknown.append(name)
            elif name not in self.optional:
                empty.append(name)
        if qr_png:
            texts["QR_CODE"] = QR_CONTENT_ID
        subject = _line(self.subject.fill(texts), LONGEST_SUBJECT)
        if subject[-1:] == ":":  # what it announced is empty
            subject = subject.rstrip(": ")
        encoded = Encoded(plain_lines(texts.values()))
        bodies = Bodies(
            text=_entity("plain", self.text, texts, encoded),
            html=_entity("html", self.html, texts, encoded) if self.html else None,
            image=image_entity(qr_png, QR_CONTENT_ID) if qr_png and self.uses_image else None,
            attachments=attachments,
        )
        from_name = _line(self.from_.fill(texts), LONGEST_FROM)
        message = Message(from_name, stamp.message_id_domain, write_content(subject, stamp.date, bodies))
        return Rendered(message, tuple(unknown), tuple(empty), subject, self, texts, qr_png)


class Rendered(NamedTuple):
    """A message, and what to know about how it came about. Holds secrets when its event type does."""

    message: Message
    unknown: tuple[str, ...]
    """Variables that neither the event nor the catalogue has; empty text in the mail."""
    empty: tuple[str, ...]
    """Variables that the catalogue has and that have no value; empty text in the mail."""
    subject: str
    template: PreparedTemplate
    texts: Mapping[str, str]
    qr_png: bytes | None

    @property
    def from_name(self) -> str:
        """The sender's display name."""
        return self.message.from_name

    @property
    def text(self) -> str:
        """The text part."""
        return self.template.text.fill(self.texts)

    @property
    def html(self) -> str | None:
        """The HTML part as it is sent; it refers to the inline image as `cid:`. None for a plain-text template."""
        return self.template.html.fill(self.texts) if self.template.html else None

    @property
    def html_for_preview(self) -> str | None:
        """The HTML part with the inline image in it, for a browser."""
        html = self.html
        if html is None or not self.qr_png:
            return html
        data = base64_lines(self.qr_png).replace(b"\r\n", b"").decode("ascii")
        return html.replace(f"cid:{QR_CONTENT_ID}", f"data:image/png;base64,{data}")

    def __repr__(self) -> str:
        return f"Rendered(unknown={self.unknown}, empty={self.empty})"


def prepare(template: Template, event_type: EventType) -> PreparedTemplate:
    """Cut a template. Takes milliseconds, in proportion to its length whatever it holds; never fails."""
    html = cut_html(_with_lf(template.body)) if is_html(template.body) else None
    from_, subject = _cut_text(template.from_), _cut_text(template.subject)
    if html is None:
        text = _cut_text(_with_lf(template.body), lines=True)
    elif template.text_body is not None:
        text = _cut_text(_with_lf(template.text_body), lines=True)
    else:
        derived = derive_text(template.body)
        text = _cut_text(derived.text, derived.blocks, derived.escapes, lines=True)
    forms = [from_, subject, text, *([html] if html else [])]
    used = dict.fromkeys(name for form in forms for name in form.names if name)
    optional = frozenset(name for form in forms for name in form.optional if name)
    known = event_type.variable_names
    return PreparedTemplate(
        from_,
        subject,
        text,
        html,
        sources=tuple(
            (name, _other_names(name), canonical_name(name) in known)
            for name in (*used, *sorted(optional - used.keys()))
            if name not in IMAGE_VARIABLES
        ),
        optional=optional,
        uses_image=html is not None and any(QR_CONTENT_ID in literal for literal in html.literals),
    )


def compose(subject: str, content: str, from_name: str, stamp: Stamp) -> Message:
    """A message of its own, as for a test mail: content with an HTML element goes as HTML and text, else as text.

    Nothing in it is a variable. Raises nothing: what no subject can hold becomes a space.
    """
    content = _as_text(content)
    html = _plain_form(content) if is_html(content) else None
    text = _plain_form(derive_text(content).text if html else content)
    encoded = Encoded()
    bodies = Bodies(_entity("plain", text, {}, encoded), _entity("html", html, {}, encoded) if html else None)
    line = _line(subject, LONGEST_SUBJECT)
    return Message(_line(from_name, LONGEST_FROM), stamp.message_id_domain, write_content(line, stamp.date, bodies))


def _plain_form(text: str) -> Form:
    return cut(text, ())


def _cut_text(
    source: str,
    blocks: tuple[Block, ...] = (),
    escapes: Mapping[int, Escape] = MappingProxyType({}),
    *,
    lines: bool = False,
) -> Form:
    """A form of plain text. With `lines`, one that is only a variable, labelled or not, goes when that is empty.

    A paragraph of such lines only goes with the blank lines behind it, and the last one with that before it.
    """
    blanks = [
        Blank(match.start(), match.end(), _text_name(match[1]), escapes.get(match.start()))
        for match in VARIABLE.finditer(source)
    ]
    alone = _alone(source) if lines and blanks else ()
    return cut(source, blanks, (*blocks, *alone))


def _alone(source: str) -> Iterator[Block]:
    """What goes with its variables. Of one that has no label people hear: the HTML may show the gap."""
    for pattern in (_ALONE_IN_LINE, _ALONE_IN_PARAGRAPH, _ALONE_AT_THE_END):
        for match in pattern.finditer(source):
            names = frozenset(map(_text_name, VARIABLE.findall(match[0])))
            yield Block(match.start(), match.end(), names, told=pattern is not _ALONE_IN_LINE or not match[1])


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text_name(name: str) -> str:
    """Images have no text: they become a variable that never has a value."""
    return "" if name in IMAGE_VARIABLES else name


def _other_names(name: str) -> tuple[str, ...]:
    canonical = canonical_name(name)
    aliases = (alias for alias, target in ALIASES.items() if target == canonical)
    return tuple(other for other in (canonical, *aliases) if other != name)


def _entity(subtype: str, form: Form, texts: Mapping[str, str], encoded: Encoded) -> bytes:
    if form.in_base64:
        return text_entity_in_base64(subtype, form.fill(texts))
    return text_entity(subtype, form.fill_encoded(texts, encoded))


def _filling(value: Value | None) -> str:
    """What stands in a mail for a value; empty for one of blanks."""
    text = value if isinstance(value, str) and value.isprintable() else _as_text(value)
    return "" if text.isspace() else text


def _as_text(value: Value | None) -> str:
    """What a value reads as, without what no mail can hold; line breaks are LF."""
    if isinstance(value, str):
        return _NOT_IN_TEXT.sub("", _with_lf(value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value)


def _number(value: float) -> str:
    """Without the noise of binary fractions: 90.0 is `90`, 0.1 + 0.2 is `0.3`."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format(value, ".15g")


def _line(text: str, longest: int) -> str:
    if not text.isprintable() or "  " in text or text != text.strip(" "):
        text = _NOT_IN_LINE.sub(" ", text).strip()
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
