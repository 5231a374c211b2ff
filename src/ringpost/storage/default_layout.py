"""Composes the HTML body of a default template from the layout and the fragments of one mail.

The fragments are HTML with a few elements of our own, which become e-mail HTML (tables, inline CSS):

    <preheader>    what lists of mails show after the subject
    <kicker>       a word or two above the title: the area; with `badge="..."`, what stands in the badge before it
    <h1> <h2> <p> <small>
    <facts>        a table, of <fact label="Queue">%%QUEUE_NAME%%</fact> and <secret label="PIN">..</secret>; one whose
                   variables are all empty is left out
    <action href="%%JOIN_LINK%%">Join</action>   a button, left out when its link is empty
    <reason>       why the reader gets this mail

Attribute `data-when` works everywhere (domain/html_forms).
"""

import re
from dataclasses import dataclass
from typing import Final

from ringpost.domain.catalogue import EventType
from ringpost.domain.deliveries import Urgency
from ringpost.domain.forms import VARIABLE

_ACCENTS: Final = {
    Urgency.EMERGENCY: ("#b91c1c", "#fca5a5"),
    Urgency.ALERT: ("#b45309", "#fcd34d"),
    Urgency.NORMAL: ("#1d4ed8", "#a5c0ff"),
}
"""Colour on light, and on dark. All have a contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""

_SANS = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "Consolas,Menlo,Monaco,'Courier New',monospace"
_ELEMENT = r"<{0}(?P<attributes>(?:\s[^>]*)?)>(?P<content>.*?)</{0}>"


@dataclass(frozen=True, slots=True)
class Words:
    """What the layout says in one language: the file `words.toml` of its folder."""

    language: str
    """The language of the document: a BCP 47 tag."""
    badges: dict[str, str]
    """Name of an urgency in lower case -> what stands above the title of such mails."""
    credentials: dict[str, str]
    """What ends, in the mail that says so: `certificate` and `client_secret`."""
    sent_by: str
    """The last line of a tenant's mail, in HTML."""
    sent_by_system: str
    """The same for mail of the system level."""
    system_name: str
    """What the system level is called where a tenant's name would stand."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The layout, and what it says."""

    layout: str
    words: Words


def compose_body(frame: Frame, fragments: str, subject: str, event_type: EventType) -> str:
    """The whole HTML document of one default template. ValueError when a fragment is missing."""
    words = frame.words
    preheader, fragments = _take("preheader", fragments)
    own_badge = re.search(r'<kicker badge="([^"]*)">', fragments)
    kicker, fragments = _take("kicker", fragments)
    reason, fragments = _take("reason", fragments)
    light, dark = _ACCENTS[event_type.urgency]
    badge = own_badge[1] if own_badge else words.badges.get(event_type.urgency.word, "")
    slots = {
        "language": words.language,
        "subject": subject,
        "preheader": preheader,
        "header": _badge(badge, light) + _kicker(kicker),
        "content": _content(fragments).strip(),
        "reason": reason,
        "sent_by": words.sent_by_system if event_type.system else words.sent_by,
        "dark": dark,
        "accent": light,
        "sans": _SANS,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: _filled(slots, match[1]), frame.layout)


def _filled(slots: dict[str, str], name: str) -> str:
    return slots[name].replace("{{accent}}", slots["accent"]).replace("{{sans}}", slots["sans"])


def _take(name: str, fragments: str) -> tuple[str, str]:
    match = re.search(_ELEMENT.format(name), fragments, re.DOTALL)
    if match is None:
        raise ValueError(f"The fragments have no <{name}>.")
    return " ".join(match["content"].split()), fragments[: match.start()] + fragments[match.end() :]


def _badge(badge: str, accent: str) -> str:
    if not badge:
        return ""
    return (
        f'<span style="display:inline-block;background-color:{accent};color:#ffffff;border-radius:4px;padding:2px 8px;'
        f'margin-right:8px;font-weight:700">{badge}</span>'
    )


def _kicker(kicker: str) -> str:
    return f'<span class="accent" style="color:{{{{accent}}}}">{kicker}</span>'


def _content(fragments: str) -> str:
    for name, write in _WRITERS.items():
        fragments = re.sub(_ELEMENT.format(name), write, fragments, flags=re.DOTALL)
    return fragments


def _title(match: re.Match[str]) -> str:
    style = "margin:0 0 12px;font-size:24px;line-height:1.3;font-weight:700;color:#111827;overflow-wrap:anywhere"
    return f'<h1 class="ink"{match["attributes"]} style="{style}">{match["content"]}</h1>'


def _subtitle(match: re.Match[str]) -> str:
    style = "margin:24px 0 4px;font-size:17px;line-height:1.4;font-weight:700;color:#111827"
    return f'<h2 class="ink"{match["attributes"]} style="{style}">{match["content"]}</h2>'


def _paragraph(match: re.Match[str]) -> str:
    style = "margin:0 0 16px;font-size:16px;line-height:1.55;color:#1f2937;overflow-wrap:anywhere"
    return f'<p class="ink"{match["attributes"]} style="{style}">{match["content"]}</p>'


def _small(match: re.Match[str]) -> str:
    style = "margin:0 0 16px;font-size:14px;line-height:1.5;color:#4b5563;overflow-wrap:anywhere"
    return f'<p class="soft"{match["attributes"]} style="{style}">{match["content"]}</p>'


def _facts(match: re.Match[str]) -> str:
    return (
        '<table class="facts" width="100%" cellpadding="0" cellspacing="0" border="0" '
        'style="margin:8px 0 20px;border-collapse:collapse;width:100%">'
        f"{match['content']}</table>"
    )


def _fact(match: re.Match[str]) -> str:
    return _row(match, f"font-family:{_SANS};font-weight:600")


def _secret(match: re.Match[str]) -> str:
    return _row(match, f"font-family:{_MONO};font-weight:700;letter-spacing:0.02em")


def _row(match: re.Match[str], font: str) -> str:
    line = "border-top:1px solid #e5e7eb;padding:10px 0;font-size:15px;line-height:1.45;text-align:left"
    return (
        f"<tr{_when(match['content'])}>"
        f'<th class="line soft label" scope="row" valign="top" width="40%" style="{line};padding-right:16px;'
        f'font-family:{_SANS};font-weight:400;color:#4b5563">{_value(match, "label")}</th>'
        f'<td class="line ink value" valign="top" style="{line};{font};color:#111827;overflow-wrap:anywhere">'
        f"{match['content']}</td></tr>"
    )


def _action(match: re.Match[str]) -> str:
    href = _value(match, "href")
    return (
        f'<table{_when(href)} role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:4px 0 20px">'
        '<tr><td bgcolor="{{accent}}" style="background-color:{{accent}};border-radius:8px;text-align:center">'
        f'<a href="{href}" style="display:inline-block;padding:13px 24px;font-family:{_SANS};font-size:16px;'
        "line-height:1.25;font-weight:600;color:#ffffff;text-decoration:none;border:1px solid {{accent}};"
        f'border-radius:8px">{match["content"]}</a></td></tr></table>'
    )


def _when(text: str) -> str:
    names = " ".join(dict.fromkeys(VARIABLE.findall(text)))
    return f' data-when="{names}"' if names else ""


def _value(match: re.Match[str], name: str) -> str:
    value = re.search(rf'{name}="([^"]*)"', match["attributes"])
    if value is None:
        raise ValueError(f"This needs a {name}: {match[0]}")
    return value[1]


_WRITERS: Final = {
    "h1": _title,
    "h2": _subtitle,
    "p": _paragraph,
    "small": _small,
    "facts": _facts,
    "fact": _fact,
    "secret": _secret,
    "action": _action,
}
