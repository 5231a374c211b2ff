"""What a person chooses for this browser: the language, and light or dark."""

from starlette.responses import RedirectResponse, Response

from ringpost.console.guard import LANGUAGE_COOKIE, THEME_COOKIE, keep_choice, own_path
from ringpost.console.languages import languages
from ringpost.console.routing import Access, post
from ringpost.console.visit import THEMES, Visit


async def choose(visit: Visit) -> Response:
    """Keep what was chosen, and go back."""
    response = RedirectResponse(own_path(visit.posted.text("next")), 303)
    theme, language = visit.posted.text("theme"), visit.posted.text("language")
    if theme in THEMES:
        keep_choice(response, THEME_COOKIE, theme)
    if language in languages():
        keep_choice(response, LANGUAGE_COOKIE, language)
    return response


routes = (post("/preferences", choose, Access.PUBLIC),)
