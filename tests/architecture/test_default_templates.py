"""The default templates: whole, self-contained, accessible, and made of what their type's event can carry."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from ringpost.domain.catalogue import CATALOGUE, EventType, Kind
from ringpost.domain.forms import VARIABLE
from ringpost.domain.rendering import Rendered, Stamp, prepare
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import Parts, Template, check, is_html, validate_parts, variables_of
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.default_templates import default_template, default_templates_of, language_of, languages

STAMP = Stamp(date=0, message_id_domain="mail.example.com")
VOID = {"meta", "br", "img", "hr"}
LIGHT, DARK = ("#ffffff", "#f3f4f6"), ("#191d26", "#0f1218")

LANGUAGES = languages()
OPENINGS = {"en": "You get this mail because", "de": "Sie erhalten diese E-Mail, weil"}
"""How every mail of a language begins to say why it was sent. A new language has a line here."""


@dataclass(frozen=True)
class Sample:
    """A default template, its type, and its language."""

    template: Template
    event_type: EventType
    language: str

    def __str__(self) -> str:
        return f"{self.language} {'system ' if self.event_type.system else ''}{self.event_type.name}"


ALL = [
    Sample(default_template(event_type, language), event_type, language)
    for language in LANGUAGES
    for event_type in (*CATALOGUE.values(), *SYSTEM_CATALOGUE.values())
]

each_template = pytest.mark.parametrize("sample", ALL, ids=str)
each_language = pytest.mark.parametrize("language", LANGUAGES)


def render(sample: Sample, *, empty: bool = False) -> Rendered:
    event_type = sample.event_type
    values = {"TENANT_NAME": "Northwind"} if empty else event_type.samples
    return prepare(sample.template, event_type).render(values, STAMP, qr_png=None if empty else b"png")


@each_language
def test_every_type_has_a_folder_and_every_folder_a_type(language: str) -> None:
    folder = files("ringpost") / "default_templates" / language

    assert {item.name for item in folder.iterdir() if item.is_dir()} == {name.lower() for name in CATALOGUE} | {
        "system"
    }
    assert {item.name for item in (folder / "system").iterdir()} == {name.lower() for name in SYSTEM_CATALOGUE}


@each_language
def test_every_language_has_the_same_files(language: str) -> None:
    assert _files_of(language) == _files_of("en")


@each_language
def test_they_are_listed_in_the_order_of_the_catalogue(language: str) -> None:
    assert list(default_templates_of(TenantId("any"), language)) == list(CATALOGUE)
    assert list(default_templates_of(SYSTEM, language)) == list(SYSTEM_CATALOGUE)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("DE-ch-1996", "de"), ("en-GB", "en"), ("den", "en"), ("fr", "en"), ("", "en")],
)
def test_a_locale_gets_its_language_and_else_english(locale: str, language: str) -> None:
    assert language_of(locale) == language


@each_template
def test_each_uses_the_same_variables_in_every_language(sample: Sample) -> None:
    english = default_template(sample.event_type, "en")

    for part in ("subject", "body", "text_body"):
        assert _names(getattr(sample.template, part)) == _names(getattr(english, part)), part


@each_template
def test_each_uses_only_its_types_variables(sample: Sample) -> None:
    findings = check(sample.template, sample.event_type)

    assert findings.unknown_variables == ()
    assert findings.missing_variables == ()


@each_template
def test_each_says_everything_that_its_event_can_carry(sample: Sample) -> None:
    said = set(variables_of(sample.template))

    assert sample.event_type.variable_names - said <= {"DATE_TIME"}


@each_template
def test_each_could_be_saved_by_a_tenant(sample: Sample) -> None:
    template = sample.template

    validate_parts(Parts(template.from_, template.subject, template.body, template.text_body))
    assert is_html(template.body)
    assert template.from_ == "%%TENANT_NAME%%"


@each_template
def test_samples_fill_each_without_a_gap(sample: Sample) -> None:
    rendered = render(sample)

    assert (rendered.unknown, rendered.empty) == ((), ())
    assert "%%" not in f"{rendered.subject}{rendered.html}{rendered.text}"


@each_template
def test_no_number_is_followed_by_a_word_that_would_have_to_agree_with_it(sample: Sample) -> None:
    """One second, two seconds: an event has either."""
    numbers = "|".join(one.name for one in sample.event_type.variables if one.kind is Kind.NUMBER) or "(?!)"
    parts = (sample.template.subject, sample.template.body, sample.template.text_body or "")
    assert not [part for part in parts if re.search(rf"%%(?:{numbers})%%(?:<[^>]*>|&nbsp;|[ \xa0])+\w\w", part)]


@each_template
def test_no_secret_stands_in_a_subject_or_preheader(sample: Sample) -> None:
    secrets = [item.sample for item in sample.event_type.variables if item.secret]
    shown = render(sample)
    preheader = re.search(r"mso-hide:all\">(.*?)</div>", shown.html or "", re.DOTALL)

    assert preheader is not None
    assert not any(secret in shown.subject + preheader[1] for secret in secrets)


@each_template
def test_without_values_no_label_link_or_image_is_left_dangling(sample: Sample) -> None:
    rendered = render(sample, empty=True)
    html = rendered.html or ""

    assert not re.search(r"<t[hd][^>]*>\s*</t[hd]>", html)
    assert "<img" not in html
    assert 'href=""' not in html
    assert not re.search(r":\s*$", rendered.text, re.MULTILINE)
    assert not re.search(r"\s{2,}$|[:(]$", rendered.subject)


@each_language
@pytest.mark.parametrize("given", [(), ("CALLEE_NUMBER",), ("CALLER_NUMBER",), ("CALLEE_NUMBER", "CALLER_NUMBER")])
def test_the_subject_of_an_emergency_reads_well_whatever_is_known(language: str, given: tuple[str, ...]) -> None:
    event_type = CATALOGUE["EMERGENCY_CALL"]
    values = {name: event_type.samples[name] for name in given}

    rendered = prepare(default_template(event_type, language), event_type).render(values, STAMP)

    call = {"en": "EMERGENCY CALL", "de": "NOTRUF"}[language]
    callee, caller = values.get("CALLEE_NUMBER"), values.get("CALLER_NUMBER")
    assert rendered.subject.replace("  ", " ") == (f"{callee} " if callee else "") + call + (
        f": {caller}" if caller else ""
    )
    assert re.search(rf"<title>{callee or ''} ?{call}: *{re.escape(caller or '')}</title>", rendered.html or "")


@each_template
def test_each_body_is_a_whole_well_formed_document(sample: Sample) -> None:
    for html in (sample.template.body, render(sample).html or "", render(sample, empty=True).html or ""):
        document = _Document(html)

        assert html.startswith("<!DOCTYPE html>")
        assert document.open == []
        assert document.faults == []
        assert document.language == sample.language
        assert document.titles == 1


@each_template
def test_each_body_loads_nothing_from_outside(sample: Sample) -> None:
    assert not re.search(
        r"(?:src|background|srcset)=[\"']?(?:https?:)?//|@import|url\(|<link|<script", sample.template.body
    )


@each_template
def test_layout_tables_say_so_and_fact_tables_have_row_headings(sample: Sample) -> None:
    for table in re.findall(r"<table[^>]*>", sample.template.body):
        assert ('role="presentation"' in table) != ('class="facts"' in table)
    assert sample.template.body.count('scope="row"') == sample.template.body.count("<th ")


@each_template
def test_each_stays_far_below_the_size_where_mail_programs_cut(sample: Sample) -> None:
    assert len(sample.template.body) < 40_000


@each_template
def test_each_says_which_system_sent_it_and_why(sample: Sample) -> None:
    for text in (render(sample).html or "", render(sample).text):
        assert OPENINGS[sample.language] in text
        assert sample.event_type.samples["TENANT_NAME"] in text
        assert sample.event_type.samples["PBX_WEB_DOMAIN"] in text


@each_template
def test_every_colour_can_be_read_on_its_background(sample: Sample) -> None:
    body, dark = sample.template.body.split("prefers-color-scheme:dark")[0], sample.template.body
    ink = set(re.findall(r"[;\"]color:(#[0-9a-f]{6})", sample.template.body.split("</head>")[1])) - {"#ffffff"}
    dark_ink = set(re.findall(r"\{color:(#[0-9a-f]{6}) !important", dark))
    filled = set(re.findall(r'bgcolor="(#[0-9a-f]{6})"', sample.template.body)) - set(LIGHT)

    assert body
    assert all(_contrast(colour, paper) >= 4.5 for colour in ink for paper in LIGHT)
    assert all(_contrast(colour, paper) >= 4.5 for colour in dark_ink for paper in DARK)
    assert all(_contrast("#ffffff", colour) >= 4.5 for colour in filled)


def test_the_colour_tells_the_urgency() -> None:
    colours: dict[object, set[str]] = {}
    for sample in ALL:
        bar = re.search(r'bgcolor="(#[0-9a-f]{6})" height="6"', sample.template.body)
        assert bar is not None
        colours.setdefault(sample.event_type.urgency, set()).add(bar[1])

    assert sorted(map(len, colours.values())) == [1, 1, 1]
    assert len({colour for each in colours.values() for colour in each}) == 3


def _files_of(language: str) -> set[str]:
    root = Path(str(files("ringpost") / "default_templates" / language))
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _names(text: str) -> set[str]:
    return set(VARIABLE.findall(text))


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, 1.4.3."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class _Document(HTMLParser):
    """Elements that are closed in order, images with alternatives, and paragraphs that hold no blocks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.language: str | None = None
        self.titles = 0
        self.feed(re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "html":
            self.language = values.get("lang")
        self.titles += tag == "h1"
        if tag == "img" and not values.get("alt"):
            self.faults.append("img without alt")
        if tag in ("p", "div", "table", "h1", "h2") and self.open[-1:] in (["p"], ["h1"], ["h2"], ["span"]):
            self.faults.append(f"{tag} in {self.open[-1]}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()
        else:
            self.faults.append(f"/{tag}")
