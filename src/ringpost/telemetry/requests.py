"""The spans of HTTP requests to the API.

Our own and not what FastAPI or the OpenTelemetry project have ready-made, because those record paths, queries, hosts
and the texts of exceptions, in which addresses and tokens may stand.
"""

import re
from collections.abc import Iterable
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringpost.telemetry.traces import Traces
from ringpost.usecases.trace import Trace

QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines; nobody looks for these."""
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""What is shown of others is `_OTHER`, as the semantic conventions have it: a client could send any word."""


def traced_requests(api: FastAPI, kept_by: Trace, base_path: str) -> ASGIApp:
    """The same API with a span for every request. `base_path`: a prefix under which all of it is served as well."""
    if not isinstance(kept_by, Traces):
        return api
    patterns = Patterns((route.path for route in iter_route_contexts(api.routes) if route.path), base_path)
    return TracedRequests(api, kept_by, patterns)


class Patterns:
    """Finds the route's pattern for a path: the path itself may hold what somebody else has chosen."""

    def __init__(self, paths: Iterable[str], base_path: str) -> None:
        paths = list(dict.fromkeys(paths))
        self._base_path = f"{base_path}/"
        self._literal = frozenset(path for path in paths if "{" not in path)
        self._others: list[tuple[re.Pattern[str], str]] = [
            (compile_path(path)[0], path) for path in paths if "{" in path
        ]

    def of(self, path: str) -> str | None:
        """The pattern; None when no route is there."""
        path = f"/{path.removeprefix(self._base_path)}" if path.startswith(self._base_path) else path
        if path in self._literal:
            return path
        return next((pattern for matcher, pattern in self._others if matcher.match(path)), None)


class TracedRequests:
    """ASGI middleware: a span for each request, which goes on from the client's `traceparent`."""

    def __init__(self, app: ASGIApp, traces: Traces, patterns: Patterns) -> None:
        self._app = app
        self._traces = traces
        self._patterns = patterns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        pattern = self._patterns.of(scope["path"]) if scope["type"] == "http" else None
        if scope["type"] != "http" or pattern in QUIET:
            await self._app(scope, receive, send)
            return
        carried = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        if pattern is not None:
            attributes["http.route"] = pattern
        name = method if method in METHODS else "HTTP"
        with self._traces.tracer.start_as_current_span(
            f"{name} {pattern}" if pattern else name,
            self._traces.of_client(carried),
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


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", int(status))
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _failed(span: Span, error: Exception) -> None:
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR))
