"""The spans of HTTP requests to the API.

Our own and not what FastAPI or the OpenTelemetry project have ready-made, because those record paths, queries, hosts
and the texts of exceptions, in which addresses and tokens may stand.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry import propagate
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringpost.telemetry.traces import Traces
from ringpost.usecases.trace import Trace

QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines; nobody looks for these."""


def trace_requests(app: Starlette, kept_by: Trace) -> None:
    """Have every request to `app` make a span."""
    if isinstance(kept_by, Traces):
        plain = [route for route in app.routes if type(route) is Route]
        patterns: dict[object, str] = {route.endpoint: route.path for route in plain}
        # Innermost, since only there the route is known, whatever prefix the request came under.
        app.user_middleware.append(Middleware(TracedRequests, tracer=kept_by.tracer, patterns=patterns))


class TracedRequests:
    """ASGI middleware: a span for each request, which goes on from the client's `traceparent`."""

    def __init__(self, app: ASGIApp, tracer: Tracer, patterns: Mapping[object, str]) -> None:
        """`patterns`: paths of plain routes by endpoint, because FastAPI puts only its own into the scope."""
        self._app = app
        self._tracer = tracer
        self._patterns = patterns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) in QUIET:
            await self._app(scope, receive, send)
            return
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "url.scheme": scope["scheme"]}
        with self._tracer.start_as_current_span(
            scope["method"],
            propagate.extract(carried),
            SpanKind.SERVER,
            attributes,
            record_exception=False,  # its text may hold anything
            set_status_on_exception=False,
        ) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                _failed(span, error)
                raise
            finally:
                self._name(span, scope)

    def _name(self, span: Span, scope: Scope) -> None:
        """By the route's pattern: a path may hold what somebody else has chosen."""
        pattern = getattr(scope.get("route"), "path", None) or self._patterns.get(scope.get("endpoint"))
        if pattern is not None:
            span.set_attribute("http.route", pattern)
            span.update_name(f"{scope['method']} {pattern}")


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _failed(span: Span, error: Exception) -> None:
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR))
