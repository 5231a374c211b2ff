"""Prepare a template once, and keep it: revisions never change, so a prepared one is good for ever."""

import io
from collections.abc import Mapping
from functools import lru_cache

import segno

from ringpost.domain.catalogue import EventType
from ringpost.domain.events import LONGEST_QR_TEXT, Value
from ringpost.domain.rendering import PreparedTemplate, prepare
from ringpost.domain.templates import Template, customise
from ringpost.storage.default_templates import default_template
from ringpost.storage.templates import Revision


@lru_cache(maxsize=1024)
def prepared(kind: EventType, revision: Revision | None, language: str) -> PreparedTemplate:
    """The template in force for an event type: the custom revision over the language's default, part by part."""
    return prepare(in_force(kind, revision, language), kind)


def in_force(kind: EventType, revision: Revision | None, language: str) -> Template:
    """The parts of a custom revision, and of the default where it has none."""
    default = default_template(kind, language)
    if revision is None:
        return default
    parts = revision.parts
    return customise(default, from_=parts.from_, subject=parts.subject, body=parts.body, text_body=parts.text_body)


def qr_code(variables: Mapping[str, Value]) -> bytes | None:
    """The PNG of the event's QR_CODE text; None when it has none, or more than a QR code can show."""
    text = str(variables.get("QR_CODE") or variables.get("QR_CODE_URL") or "")
    if not 0 < len(text.encode()) <= LONGEST_QR_TEXT:
        return None
    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="png", scale=5, border=4)
    return picture.getvalue()
