"""The default templates, which come with the package: one folder each, and one layout that all HTML bodies share.

    default_templates/layout.html                      the frame, with slots such as {{content}}
    default_templates/queue_sla/{subject.txt, body.html, body.txt}

`body.html` holds the fragments of one mail; composing them with the layout gives the whole HTML document that the API
shows and tenants start from. Composing happens once, at load; it has nothing to do with filling variables.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.templates import Template
from ringpost.storage.default_layout import compose_body


@cache
def default_templates() -> Mapping[str, Template]:
    """All default templates by name, in the order of the catalogue."""
    return MappingProxyType({name: _load(name) for name in CATALOGUE})


def _load(name: str) -> Template:
    root = files("ringpost") / "default_templates"
    layout, folder = (root / "layout.html").read_text("utf-8"), root / name.lower()
    subject = (folder / "subject.txt").read_text("utf-8").strip()
    fragments = (folder / "body.html").read_text("utf-8")
    return Template(
        name=name,
        from_="%%TENANT_NAME%%",
        subject=subject,
        body=compose_body(layout, fragments, subject, CATALOGUE[name].urgency),
        text_body=(folder / "body.txt").read_text("utf-8"),
    )
