"""The default templates: whole, self-contained, accessible, and made of what their type's event can carry."""

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from ringpost.domain.catalogue import CATALOGUE, EventType
from ringpost.domain.rendering import Rendered, Stamp, prepare
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import Template, check, is_html, validate_parts, variables_of
from ringpost.storage.default_templates import default_templates, system_default_templates

STAMP = Stamp(date=0, message_id_domain="mail.example.com")
VOID = {"meta", "br", "img", "hr"}
LIGHT, DARK = ("#ffffff", "#f3f4f6"), ("#191d26", "#0f1218")

TYPE_OF = {
    **{id(template): CATALOGUE[name] for name, template in default_templates().items()},
    **{id(template): SYSTEM_CATALOGUE[name] for name, template in system_default_templates().items()},
}
ALL = [*default_templates().values(), *system_default_templates().values()]

each_template = pytest.mark.parametrize(
    "template", ALL, ids=[*default_templates(), *(f"system {name}" for name in system_default_templates())]
)


def render(template: Template, *, empty: bool = False) -> Rendered:
    event_type = TYPE_OF[id(template)]
    values = {"TENANT_NAME": "Northwind"} if empty else event_type.samples
    return prepare(template, event_type).render(values, STAMP, qr_png=None if empty else b"png")


def test_every_type_has_a_folder_and_every_folder_a_type() -> None:
    folders = {item.name for item in (files("ringpost") / "default_templates").iterdir() if item.is_dir()}

    assert folders == {name.lower() for name in CATALOGUE} | {"system"}


def test_every_type_of_the_system_has_a_folder_and_every_folder_a_type() -> None:
    folders = {item.name for item in (files("ringpost") / "default_templates" / "system").iterdir()}

    assert folders == {name.lower() for name in SYSTEM_CATALOGUE}


def test_they_are_listed_in_the_order_of_the_catalogue() -> None:
    assert list(default_templates()) == list(CATALOGUE)
    assert list(system_default_templates()) == list(SYSTEM_CATALOGUE)


@each_template
def test_each_uses_only_its_types_variables(template: Template) -> None:
    findings = check(template, TYPE_OF[id(template)])

    assert findings.unknown_variables == ()
    assert findings.missing_variables == ()


@each_template
def test_each_says_everything_that_its_event_can_carry(template: Template) -> None:
    said = set(variables_of(template))

    assert TYPE_OF[id(template)].variable_names - said <= {"DATE_TIME"}


@each_template
def test_each_could_be_saved_by_a_tenant(template: Template) -> None:
    validate_parts(from_=template.from_, subject=template.subject, body=template.body, text_body=template.text_body)
    assert is_html(template.body)
    assert template.from_ == "%%TENANT_NAME%%"


@each_template
def test_samples_fill_each_without_a_gap(template: Template) -> None:
    rendered = render(template)

    assert (rendered.unknown, rendered.empty) == ((), ())
    assert "%%" not in f"{rendered.subject}{rendered.html}{rendered.text}"


@each_template
def test_no_secret_stands_in_a_subject_or_preheader(template: Template) -> None:
    secrets = [item.sample for item in TYPE_OF[id(template)].variables if item.secret]
    shown = render(template)
    preheader = re.search(r"mso-hide:all\">(.*?)</div>", shown.html or "", re.DOTALL)

    assert preheader is not None
    assert not any(secret in shown.subject + preheader[1] for secret in secrets)


@each_template
def test_without_values_no_label_link_or_image_is_left_dangling(template: Template) -> None:
    rendered = render(template, empty=True)
    html = rendered.html or ""

    assert not re.search(r"<t[hd][^>]*>\s*</t[hd]>", html)
    assert "<img" not in html
    assert 'href=""' not in html
    assert not re.search(r":\s*$", rendered.text, re.MULTILINE)
    assert not re.search(r"\s{2,}$|[:(]$", rendered.subject)


@each_template
def test_each_body_is_a_whole_well_formed_document(template: Template) -> None:
    for html in (template.body, render(template).html or "", render(template, empty=True).html or ""):
        document = _Document(html)

        assert html.startswith("<!DOCTYPE html>")
        assert document.open == []
        assert document.faults == []
        assert document.language == "en"
        assert document.titles == 1


@each_template
def test_each_body_loads_nothing_from_outside(template: Template) -> None:
    assert not re.search(r"(?:src|background|srcset)=[\"']?(?:https?:)?//|@import|url\(|<link|<script", template.body)


@each_template
def test_layout_tables_say_so_and_fact_tables_have_row_headings(template: Template) -> None:
    for table in re.findall(r"<table[^>]*>", template.body):
        assert ('role="presentation"' in table) != ('class="facts"' in table)
    assert template.body.count('scope="row"') == template.body.count("<th ")


@each_template
def test_each_stays_far_below_the_size_where_mail_programs_cut(template: Template) -> None:
    assert len(template.body) < 40_000


@each_template
def test_each_says_which_system_sent_it_and_why(template: Template) -> None:
    for text in (render(template).html or "", render(template).text):
        assert "You get this mail because" in text
        assert TYPE_OF[id(template)].samples["TENANT_NAME"] in text
        assert TYPE_OF[id(template)].samples["PBX_WEB_DOMAIN"] in text


@each_template
def test_every_colour_can_be_read_on_its_background(template: Template) -> None:
    body, dark = template.body.split("prefers-color-scheme:dark")[0], template.body
    ink = set(re.findall(r"[;\"]color:(#[0-9a-f]{6})", template.body.split("</head>")[1])) - {"#ffffff"}
    dark_ink = set(re.findall(r"\{color:(#[0-9a-f]{6}) !important", dark))
    filled = set(re.findall(r'bgcolor="(#[0-9a-f]{6})"', template.body)) - set(LIGHT)

    assert body
    assert all(_contrast(colour, paper) >= 4.5 for colour in ink for paper in LIGHT)
    assert all(_contrast(colour, paper) >= 4.5 for colour in dark_ink for paper in DARK)
    assert all(_contrast("#ffffff", colour) >= 4.5 for colour in filled)


def test_the_colour_tells_the_urgency() -> None:
    colours: dict[object, set[str]] = {}
    for template in ALL:
        event_type: EventType = TYPE_OF[id(template)]
        bar = re.search(r'bgcolor="(#[0-9a-f]{6})" height="6"', template.body)
        assert bar is not None
        colours.setdefault(event_type.urgency, set()).add(bar[1])

    assert sorted(map(len, colours.values())) == [1, 1, 1]
    assert len({colour for each in colours.values() for colour in each}) == 3


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
