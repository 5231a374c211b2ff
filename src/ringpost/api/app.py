"""The API as an ASGI application."""

from functools import cache
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ringpost.api import (
    admin,
    admin_templates,
    authentication,
    deliveries,
    diagnosis,
    documented,
    events,
    health,
    metrics,
    moving,
    notification,
    oauth,
    openapi,
    problems,
    sessions,
    templates,
    tenants,
)
from ringpost.api.docs_page import DOCS_HEADERS, docs_page
from ringpost.api.http_rules import MAX_BODY, HttpRules
from ringpost.domain.secrets import Secret
from ringpost.usecases.room import Room


class Api(FastAPI):
    """FastAPI with our rules round all of it."""

    def __init__(self, max_body: int) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        self._rules = HttpRules(super().__call__, max_body)

    def build_middleware_stack(self) -> ASGIApp:
        """Without its outermost layer, which would answer faults of ours in words of its own before the rules can."""
        outermost = super().build_middleware_stack()
        return outermost.app if isinstance(outermost, ServerErrorMiddleware) else outermost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["app"] = self
        await self._rules(scope, receive, send)


def create_app(room: Room, *, admin_token: Secret | None = None, max_body: int = MAX_BODY) -> FastAPI:
    """The API that works in `room`.

    `admin_token` is the operator's own, from the environment; `max_body` is in octets. What routes need hangs on
    `app.state`: `room`, `glances`, `authenticator`, `limits`.
    """
    app = Api(max_body)
    app.state.room = room
    app.state.glances = metrics.Glances(room)
    authentication.set_up(app, room, admin_token)
    app.router.routes.extend([*events.routes, *health.routes, *metrics.routes])  # first, because they are the busy ones
    parts = (notification, oauth, templates, moving, admin, admin_templates, diagnosis, sessions, tenants, deliveries)
    for part in parts:
        app.router.routes.extend(part.router.routes)  # as they are; what FastAPI includes, it makes once more
    app.router.routes.extend(_documentation(app))
    problems.install(app)
    return app


def _documentation(app: FastAPI) -> list[Route]:
    @cache
    def document() -> dict[str, Any]:
        return openapi.build(app, documented.router.routes)

    @cache
    def page() -> str:
        return docs_page(document())

    async def openapi_json(_request: Request) -> Response:
        return Response(msgspec.json.encode(document()), media_type="application/json")

    async def docs(_request: Request) -> Response:
        return Response(page(), media_type="text/html", headers=DOCS_HEADERS)

    return [Route("/openapi.json", openapi_json, methods=["GET"]), Route("/docs", docs, methods=["GET"])]
