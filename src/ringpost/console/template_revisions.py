"""The revisions of a template: who saved what when, what they changed, and bringing one back."""

from typing import Final

from starlette.responses import Response

from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.template_editor import MOST_DIFFERENCES
from ringpost.console.template_levels import TemplateLevel, TemplateView
from ringpost.console.visit import Visit
from ringpost.domain.differences import compare_templates
from ringpost.domain.templates import Parts, customise
from ringpost.errors import NotFound
from ringpost.storage import templates as rows
from ringpost.usecases.aside import aside
from ringpost.usecases.restore_template import restore_template
from ringpost.usecases.show_default_templates import show_default_templates

ON_A_PAGE: Final = 50
COMPARED_WITH: Final = ("before", "now", "default")
"""The revision before it, what is in force, the default."""


async def show_revisions(visit: Visit, level: TemplateLevel) -> Response:
    """All of them, a page at a time."""
    kind, owner, page = level.kind(visit), level.owner(visit), _page(visit)
    read = visit.room.database.read
    saved = await read(rows.list_saved, owner, kind.name, ON_A_PAGE + 1, page * ON_A_PAGE)
    in_force = (await read(rows.list_in_force, owner)).get(kind.name)
    return render(
        visit,
        "template_revisions.html",
        level=level,
        kind=kind,
        revisions=saved[:ON_A_PAGE],
        in_force=in_force,
        page=page,
        more=len(saved) > ON_A_PAGE,
    )


async def show_revision(visit: Visit, level: TemplateLevel) -> Response:
    """One of them: how its mail looks, and what differs from another."""
    kind, owner = level.kind(visit), level.owner(visit)
    read = visit.room.database.read
    revision = await read(rows.numbered, owner, kind.name, _number(visit))
    now = await read(rows.show, owner, kind.name)
    asked = visit.request.query_params.get("with", "")
    compared = asked if asked in COMPARED_WITH else COMPARED_WITH[0]
    other = now.parts if compared == "now" and now else Parts()
    if compared == "before" and revision.number > 1:
        other = (await read(rows.numbered, owner, kind.name, revision.number - 1)).parts
    default = (await show_default_templates(visit.room, owner))[kind.name]
    pair = customise(default, other), customise(default, revision.parts)
    return render(
        visit,
        "template_revision.html",
        level=level,
        kind=kind,
        revision=revision,
        now=now,
        compared=compared,
        differences=await aside(owner, compare_templates, *pair),
        most=MOST_DIFFERENCES,
    )


async def restore(visit: Visit, level: TemplateLevel) -> Response:
    """Put it in force, as a new revision."""
    kind = level.kind(visit)
    await restore_template(visit.room, level.principal(visit), kind.name, _number(visit))
    return visit.redirect(f"{level.path}/{kind.name}", done="restored")


def _page(visit: Visit) -> int:
    """The number in the address, `?page=`, from 0 on; 0 when it is none."""
    text = visit.request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _number(visit: Visit) -> int:
    text: str = visit.request.path_params["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(N_("There is no such revision."))
    return int(text)


VIEWS_OF_REVISIONS: Final = (
    TemplateView("/{name}/revisions", show_revisions, reads=True),
    TemplateView("/{name}/revisions/{number}", show_revision, reads=True),
    TemplateView("/{name}/revisions/{number}/restore", restore),
)
