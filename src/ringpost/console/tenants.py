"""The tenants, for system administrators: finding one among very many, and working in it."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.domain.tenants import Tenant, TenantId
from ringpost.errors import Forbidden
from ringpost.storage import tenants
from ringpost.storage.tenants import Stop
from ringpost.usecases.act_for import act_for

ON_A_PAGE: Final = 50
LONGEST_SEARCH: Final = 128
FIRST_PAGES: Final = ("/people", "/keys", "/audit", "/mail-server", "/moving")
"""Where a system administrator may begin to work in a tenant, other than at its overview."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of the tenants, and whether there are more on either side."""

    tenants: list[Tenant]
    earlier: bool
    later: bool
    count: int
    """How many tenants there are."""


async def show_tenants(visit: Visit) -> Response:
    """A page of them by name, or those that were looked for."""
    query = visit.request.query_params
    words = query.get("q", "").strip()[:LONGEST_SEARCH]
    listed = await visit.room.database.read(_listed, words, query.get("after", ""), query.get("before", ""))
    template = "tenants_list.html" if visit.wants_fragment else "tenants.html"
    return render(visit, template, listed=listed, words=words)


async def begin_to_act(visit: Visit) -> Response:
    """Work in this tenant from now on."""
    if visit.session is None:
        raise Forbidden(N_("Nobody is signed in."))
    await act_for(visit.room, visit.session, TenantId(visit.request.path_params["tenant"]))
    first = visit.posted.text("first")
    return visit.redirect(first if first in FIRST_PAGES else "/")


async def end_to_act(visit: Visit) -> Response:
    """Go back to the system level."""
    if visit.session is None:
        raise Forbidden(N_("Nobody is signed in."))
    await act_for(visit.room, visit.session, None)
    return visit.redirect("/system/tenants")


def _listed(connection: Connection, words: str, after: str, before: str) -> Listed:
    count = tenants.count(connection)
    if words:
        found = tenants.search(connection, words, ON_A_PAGE + 1)
        return Listed(found[:ON_A_PAGE], earlier=False, later=len(found) > ON_A_PAGE, count=count)
    if end := _stop(connection, before):
        found = tenants.page_before(connection, ON_A_PAGE + 1, end)
        if len(found) > ON_A_PAGE:
            return Listed(found[1:], earlier=True, later=True, count=count)
        after = ""  # the first page, filled up
    start = _stop(connection, after)
    found = tenants.page(connection, ON_A_PAGE + 1, start)
    return Listed(found[:ON_A_PAGE], earlier=start is not None, later=len(found) > ON_A_PAGE, count=count)


def _stop(connection: Connection, tenant: str) -> Stop | None:
    """The place of a tenant among the others; None when it is gone."""
    found = tenants.by_id(connection, [TenantId(tenant)]) if tenant else {}
    return next((Stop(one.name, one.id) for one in found.values()), None)


routes = (
    get("/system/tenants", show_tenants, Access.SYSTEM),
    post("/system/tenants/{tenant}/act", begin_to_act, Access.SYSTEM),
    post("/system/stop-acting", end_to_act, Access.SYSTEM),
)
