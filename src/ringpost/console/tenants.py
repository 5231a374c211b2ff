"""The tenants, for system administrators: which there are, and working in one of them."""

from starlette.responses import Response

from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.domain.tenants import TenantId
from ringpost.errors import Forbidden
from ringpost.storage import tenants
from ringpost.usecases.act_for import act_for

ON_A_PAGE = 50


async def show_tenants(visit: Visit) -> Response:
    """All of them, a page at a time."""
    skip = page_of(visit) * ON_A_PAGE
    found = await visit.room.database.read(tenants.list_all, ON_A_PAGE + 1, skip)
    return render(visit, "tenants.html", tenants=found[:ON_A_PAGE], page=page_of(visit), more=len(found) > ON_A_PAGE)


async def begin_to_act(visit: Visit) -> Response:
    """Work in this tenant from now on."""
    if visit.session is None:
        raise Forbidden("Nobody is signed in.")
    await act_for(visit.room, visit.session, TenantId(visit.request.path_params["tenant"]))
    return visit.redirect("/")


async def end_to_act(visit: Visit) -> Response:
    """Go back to the system level."""
    if visit.session is None:
        raise Forbidden("Nobody is signed in.")
    await act_for(visit.room, visit.session, None)
    return visit.redirect("/system/tenants")


def page_of(visit: Visit) -> int:
    """The number in the address, `?page=`, from 0 on; 0 when it is none."""
    text = visit.request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


routes = (
    get("/system/tenants", show_tenants, Access.SYSTEM),
    post("/system/tenants/{tenant}/act", begin_to_act, Access.SYSTEM),
    post("/system/stop-acting", end_to_act, Access.SYSTEM),
)
