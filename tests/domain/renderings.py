"""Templates rendered in one go, for tests."""

from collections.abc import Mapping

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.rendering import Rendered, Stamp, Value, prepare
from ringpost.domain.templates import Template

STAMP = Stamp(date=1_767_605_400_000, message_id_domain="mail.example.com")
PNG = b"\x89PNG not really"


def render(body: str, values: Mapping[str, Value] | None = None, *, kind: str = "QUEUE_SLA", **parts: str) -> Rendered:
    template = Template(kind, parts.get("from_", ""), parts.get("subject", ""), body, parts.get("text_body"))
    return prepare(template, CATALOGUE[kind]).render(values or {}, STAMP)


def html_of(body: str, value: Value, name: str = "A") -> str:
    html = render(body, {name: value}).html
    assert html is not None
    return html
