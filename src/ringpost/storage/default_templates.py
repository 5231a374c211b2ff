"""The default templates, which come with the package: a folder per language, and one layout that all HTML bodies share.

    default_templates/layout.html                         the frame, with slots such as {{content}}
    default_templates/en/words.toml                       what the frame says in this language
    default_templates/en/queue_sla/{subject.txt, body.html, body.txt}
    default_templates/en/system/cpu_exceeded/...          the same for the events of the system level

A language is a folder with all of this; nothing else names it. Whose locale has no folder gets English.

`body.html` holds the fragments of one mail; composing them with the layout gives the whole HTML document that the API
shows and tenants start from. Composing happens once, at load; it has nothing to do with filling variables.
"""

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

from ringpost.domain.catalogue import CATALOGUE, EventType
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.templates import Template
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage.default_layout import Frame, Words, compose_body

ENGLISH: Final = "en"
"""The language for all locales without templates of their own."""


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are templates in, as lower-case BCP 47 tags."""
    return tuple(sorted(item.name for item in _root().iterdir() if item.is_dir()))


@lru_cache(1024)
def language_of(locale: str) -> str:
    """The language for a locale: its own, else that of its shortened forms, `de` for `de-AT` (RFC 4647 3.4)."""
    tag = locale.lower()
    while tag and tag not in languages():
        tag = tag.rpartition("-")[0]
    return tag or ENGLISH


@cache
def words_in(language: str) -> Words:
    """What the layout says in one of the languages."""
    return Words(language, **tomllib.loads((_root() / language / "words.toml").read_text("utf-8")))


def default_templates_of(tenant: TenantId, language: str) -> Mapping[str, Template]:
    """The default templates of tenants, or of the system level, by name, in the order of the catalogue."""
    return _load_all(language, system=tenant == SYSTEM)


def default_template(event_type: EventType, language: str) -> Template:
    """The default template of a type, whichever level it belongs to."""
    return _load_all(language, system=event_type.system)[event_type.name]


def _root() -> Traversable:
    return files("ringpost") / "default_templates"


@cache
def _load_all(language: str, *, system: bool) -> Mapping[str, Template]:
    frame = Frame((_root() / "layout.html").read_text("utf-8"), words_in(language))
    folder = _root() / language
    catalogue, folder = (SYSTEM_CATALOGUE, folder / "system") if system else (CATALOGUE, folder)
    return MappingProxyType({name: _load(frame, folder, kind) for name, kind in catalogue.items()})


def _load(frame: Frame, root: Traversable, event_type: EventType) -> Template:
    name = event_type.name
    folder = root / name.lower()
    subject = (folder / "subject.txt").read_text("utf-8").strip()
    fragments = (folder / "body.html").read_text("utf-8")
    return Template(
        name=name,
        from_="%%TENANT_NAME%%",
        subject=subject,
        body=compose_body(frame, fragments, subject, event_type),
        text_body=(folder / "body.txt").read_text("utf-8"),
    )
