"""The console as an ASGI application, and its place in front of the API."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ringpost.console import (
    account,
    audit_log,
    deliveries,
    delivery_hours,
    delivery_story,
    health,
    keys,
    mail_doctor,
    mail_server,
    many_deliveries,
    moving,
    notifications,
    oauth_credentials,
    overview,
    people,
    preferences,
    sign_in,
    system_notifications,
    templates,
    tenant,
    tenants,
    traps,
    welcome,
)
from ringpost.console.assets import PREFIX, send_asset
from ringpost.console.error_pages import BAD_FORM, NO_PAGE, TOO_LARGE, answer_error, show_trouble
from ringpost.console.forms import MOST_FIELDS, MOST_FILES, Posted
from ringpost.console.guard import (
    Forged,
    NotSignedIn,
    TenantLeft,
    admit,
    begin_visit,
    keep_visit,
    refuse_forgery,
    refuse_left_tenant,
    refuse_strangers,
    unknown_visit,
)
from ringpost.console.headers import SafeHeaders
from ringpost.console.routing import Access, Page
from ringpost.console.visit import ROOT, Visit
from ringpost.errors import StorageUnavailable
from ringpost.limits import Limits
from ringpost.usecases.room import Room

MAX_BODY: Final = 2 << 20
"""Octets of a form with its files: a template may have 1 MiB, and takes more when it is encoded."""

PAGES: Final[tuple[Page, ...]] = (
    *sign_in.routes,
    *welcome.routes,
    *preferences.routes,
    *account.routes,
    *overview.routes,
    *mail_server.routes,
    *mail_doctor.routes,
    *oauth_credentials.routes,
    *notifications.routes,
    *templates.routes,
    *people.routes,
    *keys.routes,
    *audit_log.routes,
    *moving.routes,
    *deliveries.routes,
    *many_deliveries.routes,
    *delivery_hours.routes,
    *delivery_story.routes,
    *traps.routes,
    *tenants.routes,
    *tenant.routes,
    *health.routes,
    *system_notifications.routes,
)


def create_console(room: Room, limits: Limits) -> ASGIApp:
    """The console that works in `room`. `limits` are the API's, so that nobody gets twice the tries."""
    app = Starlette(routes=_routes(), exception_handlers={404: _no_page, 405: _no_page})
    app.router.redirect_slashes = False
    app.state.room, app.state.limits = room, limits
    app.state.served = frozenset(page.path for page in PAGES if page.method == "GET")
    return SafeHeaders(app)


class InFront:
    """The console at its paths and for browsers at `/`; everything else is the API's."""

    def __init__(self, console: ASGIApp, api: ASGIApp) -> None:
        self._console = console
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        app = self._api
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(f"{ROOT}/"):
                app = self._console
            elif path == ROOT or (path == "/" and _is_browser(scope)):
                app = RedirectResponse(f"{ROOT}/", 307)
        await app(scope, receive, send)


def _is_browser(scope: Scope) -> bool:
    asked = scope["method"] in ("GET", "HEAD")
    return asked and any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


@cache
def _routes() -> tuple[Route, ...]:
    assets = Route(f"{PREFIX}/{{version}}/{{name:path}}", send_asset, methods=["GET"])
    return (assets, *(Route(f"{ROOT}{page.path}", _endpoint(page), methods=[page.method]) for page in PAGES))


def _endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The view, behind the door."""

    async def answer(request: Request) -> Response:
        try:
            return await _answered(request, lambda visit: _view(visit, page))
        finally:
            await request.close()  # files that were sent

    return answer


async def _answered(request: Request, view: Callable[[Visit], Awaitable[Response]]) -> Response:
    """What the view answers, or the page for what went wrong."""
    state = request.app.state
    try:
        visit = await begin_visit(request, state.room, state.limits)
    except StorageUnavailable as error:
        return answer_error(unknown_visit(request, state.room, state.limits), error)
    try:
        response = show_trouble(visit, NO_PAGE) if _asks_for_nul(request) else await view(visit)
    except Exception as error:  # noqa: BLE001  whatever it is, a person sees a page and the log the rest
        response = answer_error(visit, error)
    keep_visit(visit, response)
    return response


async def _view(visit: Visit, page: Page) -> Response:
    admitted = visit
    if page.method == "POST":
        refuse_strangers(visit)
        posted = await _posted(visit)
        if isinstance(posted, Response):
            return posted
        admitted = replace(visit, posted=posted)
    try:
        _let_in(admitted, page)
    except (Forged, NotSignedIn, TenantLeft) as reason:
        return answer_error(admitted, reason)  # which keeps what was sent
    return await page.view(admitted)


def _let_in(visit: Visit, page: Page) -> None:
    """Raises as the guard does."""
    if page.method == "POST":
        if page.access is not Access.PUBLIC and visit.session is None:
            raise NotSignedIn("Sign in first.")
        refuse_forgery(visit)
    if page.method == "GET" or page.access.of_tenant:
        refuse_left_tenant(visit)
    admit(visit, page.access)


async def _posted(visit: Visit) -> Posted | Response:
    """The form of this request, or the page that refuses it."""
    body = await _body(visit.request)
    if body is None:
        return show_trouble(visit, TOO_LARGE)
    try:
        form = await visit.request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=MAX_BODY)
    except (MultiPartException, HTTPException):
        return show_trouble(visit, BAD_FORM)
    if any("\0" in value for _, value in form.multi_items() if isinstance(value, str)):
        return show_trouble(visit, BAD_FORM)  # no browser sends it, and no text of a database may hold it
    return Posted(form)


def _asks_for_nul(request: Request) -> bool:
    """Whether the path or the query holds the character NUL, which nothing that could be found does."""
    return "\0" in request.url.path or b"%00" in request.scope["query_string"] or "\0" in request.scope["path"]


async def _body(request: Request) -> bytes | None:
    """All of it, kept for `request.form()`; None when it is too large."""
    size, pieces = 0, list[bytes]()
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            return None
        pieces.append(piece)
    request._body = b"".join(pieces)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return request._body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def _no_page(request: Request, _error: Exception) -> Response:
    async def view(visit: Visit) -> Response:
        return show_trouble(visit, NO_PAGE)

    return await _answered(request, view)
