"""The traps: what is known to go wrong with sending, a page for each, so that it can be linked to."""

from starlette.responses import Response

from ringpost.console.doctor_words import TO_DO
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get
from ringpost.console.visit import Visit
from ringpost.domain.traps import TRAPS
from ringpost.errors import NotFound


async def show_trap(visit: Visit) -> Response:
    """One trap: how it is recognised, what it means, what to do."""
    trap = TRAPS.get(visit.request.path_params["code"])
    if trap is None:
        raise NotFound(N_("There is no such explanation."))
    return render(visit, "trap.html", trap=trap, to_do=TO_DO.get(trap.code, trap.what_to_do))


routes = (get("/traps/{code}", show_trap, Access.SIGNED_IN),)
