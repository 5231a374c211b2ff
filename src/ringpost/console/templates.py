"""Templates: which there are, and which of them are somebody's own."""

from typing import Final

from starlette.responses import Response

from ringpost.console.rendering import render
from ringpost.console.template_drafts import VIEWS_OF_DRAFTS
from ringpost.console.template_editor import VIEWS_OF_EDITOR
from ringpost.console.template_levels import LEVELS, TemplateLevel, TemplateView
from ringpost.console.template_revisions import VIEWS_OF_REVISIONS
from ringpost.console.visit import Visit
from ringpost.storage import templates as rows


async def show_templates(visit: Visit, level: TemplateLevel) -> Response:
    """All of them, with which are customised."""
    in_force = await visit.room.database.read(rows.list_in_force, level.owner(visit))
    return render(visit, "templates.html", level=level, in_force=in_force)


_VIEWS: Final = (
    TemplateView("", show_templates, reads=True),
    *VIEWS_OF_EDITOR,
    *VIEWS_OF_DRAFTS,
    *VIEWS_OF_REVISIONS,
)

routes = tuple(page for level in LEVELS for page in level.routes(*_VIEWS))
