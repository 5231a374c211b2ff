"""The default templates, which come with the package: one folder each, and one layout that all HTML bodies share.

    default_templates/layout.html                      the frame, with slots such as {{content}}
    default_templates/queue_sla/{subject.txt, body.html, body.txt}
    default_templates/system/cpu_exceeded/...          the same for the events of the system level

`body.html` holds the fragments of one mail; composing them with the layout gives the whole HTML document that the API
shows and tenants start from. Composing happens once, at load; it has nothing to do with filling variables.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from ringpost.domain.catalogue import EventType
from ringpost.domain.system_events import catalogue_of
from ringpost.domain.templates import Template
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.default_layout import compose_body


@cache
def default_templates() -> Mapping[str, Template]:
    """All default templates of tenants by name, in the order of the catalogue."""
    return _load_all(TenantId(""))


@cache
def system_default_templates() -> Mapping[str, Template]:
    """All default templates of the system level by name, in the order of its catalogue."""
    return _load_all(SYSTEM)


def default_templates_of(tenant: TenantId) -> Mapping[str, Template]:
    """The default templates that a tenant, or the system level, starts from."""
    return system_default_templates() if tenant == SYSTEM else default_templates()


def default_template(event_type: EventType) -> Template:
    """The default template of a type, whichever level it belongs to."""
    return (system_default_templates() if event_type.system else default_templates())[event_type.name]


def _load_all(tenant: TenantId) -> Mapping[str, Template]:
    root = files("ringpost") / "default_templates"
    layout, folder = (root / "layout.html").read_text("utf-8"), root / "system" if tenant == SYSTEM else root
    return MappingProxyType({name: _load(layout, folder, kind) for name, kind in catalogue_of(tenant).items()})


def _load(layout: str, root: Traversable, event_type: EventType) -> Template:
    name = event_type.name
    folder = root / name.lower()
    subject = (folder / "subject.txt").read_text("utf-8").strip()
    fragments = (folder / "body.html").read_text("utf-8")
    return Template(
        name=name,
        from_="%%TENANT_NAME%%",
        subject=subject,
        body=compose_body(layout, fragments, subject, event_type),
        text_body=(folder / "body.txt").read_text("utf-8"),
    )
