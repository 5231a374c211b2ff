"""Export and import: settings and templates as one file; what an import would change is shown before it is done."""

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response

from ringpost.console.forms import Form
from ringpost.console.languages import N_
from ringpost.console.levels import LEVELS, Level
from ringpost.console.rendering import render
from ringpost.console.routing import get, post
from ringpost.console.visit import Visit
from ringpost.domain.strict_json import MalformedJson, loads
from ringpost.errors import FieldError, Invalid
from ringpost.usecases.export_tenant import export_tenant
from ringpost.usecases.import_tenant import Imported, import_tenant

NOTHING_CHOSEN: Final = N_("Choose a file that was exported, or paste its content.")
NOT_UTF8: Final = N_("This is no text in UTF-8. Choose the file as it was exported.")

_TEMPLATE: Final = re.compile(r"templates\.\w+")
_OF_TEMPLATES: Final = {"default": N_("Default"), "custom": N_("Customised")}


@dataclass(frozen=True, slots=True)
class Looked:
    """A file and what its import would change."""

    content: str
    imported: Imported


async def show_moving(level: Level, visit: Visit) -> Response:
    """Both ways."""
    return _page(visit, level)


async def export(level: Level, visit: Visit) -> Response:
    """The file."""
    content = await export_tenant(visit.room, level.owner(visit))
    name = {"Content-Disposition": f'attachment; filename="{content["format"]}.json"'}
    return Response(msgspec.json.format(msgspec.json.encode(content)), headers=name, media_type="application/json")


async def check(level: Level, visit: Visit) -> Response:
    """Show what the file would change, and change nothing."""
    text = await _text(visit)
    try:
        imported = await import_tenant(visit.room, level.principal(visit), _read(text), dry_run=True)
    except Invalid as reason:
        return _page(visit, level, text=text, faults=reason.errors, status=422)
    return _page(visit, level, looked=Looked(text, imported))


async def import_(level: Level, visit: Visit) -> Response:
    """Do it: all of it or nothing."""
    text = await _text(visit)
    try:
        imported = await import_tenant(visit.room, level.principal(visit), _read(text))
    except Invalid as reason:
        return _page(visit, level, text=text, faults=reason.errors, status=422)
    return visit.redirect(f"{level.prefix}/moving", done="imported_secrets" if imported.enter_again else "imported")


async def _text(visit: Visit) -> str:
    """The text of the file that was chosen, else what was pasted."""
    file = visit.posted.file("file")
    return (await file.read()).decode("utf-8", "surrogateescape") if file else visit.posted.text("pasted")


def _read(text: str) -> object:
    if not text.strip():
        raise Invalid(FieldError("file", NOTHING_CHOSEN))
    try:
        return loads(text.encode())
    except UnicodeEncodeError:
        raise Invalid(FieldError("file", NOT_UTF8)) from None
    except MalformedJson as fault:
        where = fault.message.replace("The body", "The file").replace("the body", "the file")
        raise Invalid(FieldError("file", where)) from None


def shown(visit: Visit, place: str, value: object) -> str:
    """A value at this place of a file, for people."""
    if isinstance(value, str) and _TEMPLATE.fullmatch(place):
        return visit.say(_OF_TEMPLATES.get(value, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _page(
    visit: Visit,
    level: Level,
    *,
    text: str = "",
    faults: tuple[FieldError, ...] = (),
    looked: Looked | None = None,
    status: int = 200,
) -> Response:
    return render(
        visit,
        "moving.html",
        status=status,
        level=level,
        form=Form({"pasted": text.encode("utf-8", "replace").decode()}),
        faults=faults,
        looked=looked,
        shown=shown,
    )


routes = tuple(
    route
    for level in LEVELS
    for route in (
        get(f"{level.prefix}/moving", partial(show_moving, level), level.to_see),
        get(f"{level.prefix}/moving/export", partial(export, level), level.to_see),
        post(f"{level.prefix}/moving/check", partial(check, level), level.to_change),
        post(f"{level.prefix}/moving/import", partial(import_, level), level.to_change),
    )
)
