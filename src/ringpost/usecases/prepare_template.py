"""Prepare a template once, and keep it: revisions never change, so a prepared one is good for ever."""

import io
from collections.abc import Mapping
from threading import Lock
from typing import Final

import segno
from cachetools import LRUCache, cached

from ringpost.domain.catalogue import EventType
from ringpost.domain.events import LONGEST_QR_TEXT, Value
from ringpost.domain.rendering import PreparedTemplate, prepare
from ringpost.domain.templates import customise
from ringpost.storage.default_templates import default_template
from ringpost.storage.templates import Revision

MOST_KEPT: Final = 64 << 20
"""Octets of memory, about, for prepared templates: one with a picture in it may take a megabyte, most take 20 kB."""

_Key = tuple[EventType, str | None, str]


def _key(kind: EventType, revision: Revision | None, language: str) -> _Key:
    return kind, revision and revision.id, language


def _size(template: PreparedTemplate) -> int:
    return template.size


@cached(LRUCache[_Key, PreparedTemplate](MOST_KEPT, getsizeof=_size), key=_key, lock=Lock())
def prepared(kind: EventType, revision: Revision | None, language: str) -> PreparedTemplate:
    """The template in force for an event type: the custom revision over the language's default, part by part."""
    default = default_template(kind, language)
    return prepare(default if revision is None else customise(default, revision.parts), kind)


def qr_code(variables: Mapping[str, Value]) -> bytes | None:
    """The PNG of the event's QR_CODE text; None when it has none, or more than a QR code can show."""
    text = str(variables.get("QR_CODE") or variables.get("QR_CODE_URL") or "")
    if not text.strip() or len(text.encode()) > LONGEST_QR_TEXT:
        return None
    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="png", scale=5, border=4)
    return picture.getvalue()
