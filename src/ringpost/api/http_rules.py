"""What holds for every request before a route sees it, and for every answer after: sizes, paths, HEAD, safe headers.

Plain ASGI, because it is on the way of every event. Every path is served under `/api` as well, the base path
of the phone systems that it was made for.
"""

import asyncio
import re
from typing import Final
from urllib.parse import parse_qsl

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringpost.api import problems
from ringpost.api.problems import Refused
from ringpost.domain.addresses import visible
from ringpost.domain.tenant_files import LARGEST_FILE
from ringpost.errors import FieldError, Invalid, RingpostError

MAX_BODY: Final = 1 << 20
MAX_EVENTS_BODY: Final = 16 << 20
"""Events may carry attachments."""
LARGE_BODIES: Final = {
    **dict.fromkeys(("/events", "/api/events"), MAX_EVENTS_BODY),
    **dict.fromkeys((f"{base}/{level}/import" for base in ("", "/api") for level in ("tenant", "admin")), LARGEST_FILE),
}
"""Paths whose bodies may be larger than others, and how large."""
MAX_HEADERS: Final = 16 << 10
"""Octets of path, query and all header lines together."""
PREFIX: Final = "/api"

_DRAIN_S: Final = 5.0
LINE_OVERHEAD: Final = 4
"""Octets of a header line besides name and value: the colon, the blank and the line break."""
_BAD_PATH = re.compile(rb"%00|%2e%2e|/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)
"""NUL, and whatever one reader takes for `..` and another does not."""
_ENCODED_SLASH = re.compile(rb"%2f|%5c", re.IGNORECASE)
_LOOKED_AT: Final = frozenset({b"host", b"content-type", b"transfer-encoding"})
_EVERYWHERE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_OF_DATA: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
SAFE_HEADERS: Final = _EVERYWHERE + _OF_DATA
"""What every answer with data has."""

_log = structlog.get_logger("ringpost.api")


class HttpRules:
    """ASGI middleware; `app` is everything else."""

    def __init__(self, app: ASGIApp, max_body: int = MAX_BODY) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith(f"{PREFIX}/"):
            scope = {**scope, "root_path": scope.get("root_path", "") + PREFIX}
        answer = _Answer(send, head=scope["method"] == "HEAD")
        if answer.head:
            scope = {**scope, "method": "GET"}
        try:
            await self._serve(scope, receive, answer)
        except RingpostError as refusal:
            await problems.from_error(refusal)(scope, receive, answer.send)
        except ClientDisconnect:  # nobody is there to be answered, and nothing of ours has failed
            _log.info("client_hung_up", method=scope["method"], path=scope["path"])
        except Exception:
            _log.exception("request_failed", method=scope["method"], path=scope["path"])
            if answer.started:
                raise
            await problems.internal()(scope, receive, answer.send)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        body = _Body(receive, self._limit(scope))
        announced = _check(scope)
        if announced > body.limit:
            if not any(name == b"expect" for name, _ in scope["headers"]):
                await body.drain()
            raise too_large(body.limit)
        await self.app(scope, body.receive, answer.send)

    def _limit(self, scope: Scope) -> int:
        return LARGE_BODIES.get(scope["path"], self.max_body)


class _Body:
    """The body of a request, up to its limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._seen = 0
        self.limit = limit

    async def receive(self) -> Message:
        """The next piece. Raises Refused when the body is longer than allowed."""
        message = await self._receive()
        body = message.get("body")
        if body:
            self._seen += len(body)
            if self._seen > self.limit:
                if message.get("more_body"):
                    await self.drain()
                raise too_large(self.limit)
        return message

    async def drain(self) -> None:
        """Read on for a while, since most clients look at the answer only when they have sent everything."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self._seen <= MAX_EVENTS_BODY:
                    message = await self._receive()
                    self._seen += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return
        except TimeoutError:
            return


class _Answer:
    """The way back: adds what every answer has, and leaves out the body of an answer to HEAD."""

    def __init__(self, send: Send, *, head: bool) -> None:
        self._send = send
        self.head = head
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass on one message of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = [*message["headers"], *_EVERYWHERE]
            names = {name for name, _ in headers}
            headers += [header for header in _OF_DATA if header[0] not in names]
            message["headers"] = headers
        elif self.head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def too_large(limit: int) -> Refused:
    """The refusal of a body over its limit (in octets)."""
    return Refused("TOO_LARGE", f"The body is larger than {limit >> 20} MiB.")


def length_of(value: bytes) -> int:
    """What a Content-Length says. The parser has read it, and takes more zeros before a number than Python does."""
    return int(value.lstrip(b"0") or b"0") if value.isdigit() else 0


def _check(scope: Scope) -> int:
    """Refuse a request by its head alone; else the length that it announces for its body, 0 when it does not."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    of_an_event = raw.startswith((b"/events/", f"{PREFIX}/events/".encode()))  # ids are the sender's, and may hold any
    slash = None if of_an_event else _ENCODED_SLASH.search(raw)
    if slash or _BAD_PATH.search(raw) or "\0" in scope["path"]:
        raise Refused("NOT_FOUND", problems.CODES["NOT_FOUND"].example)
    if scope["query_string"]:
        _check_query(scope["query_string"])
    size, length = len(scope.get("raw_path") or b"") + len(scope["query_string"]), 0
    looked_at: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        size += len(name) + len(value) + LINE_OVERHEAD
        if name == b"content-length":
            length = length_of(value)
        elif name in _LOOKED_AT:
            looked_at.append((name, value))
    if size > MAX_HEADERS:
        raise Refused("HEADERS_TOO_LARGE", f"The headers are larger than {MAX_HEADERS >> 10} KiB.")
    _check_headers(looked_at, scope["http_version"])
    return length


def _check_headers(headers: list[tuple[bytes, bytes]], http_version: str) -> None:
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    if hosts > 1 or (not hosts and http_version == "1.1"):  # RFC 9112 3.2
        raise Refused("BAD_REQUEST", f"The request has {'two Host headers' if hosts else 'no Host header'}. Send one.")
    if names.count(b"content-type") > 1:
        raise Refused("BAD_REQUEST", "The request has two Content-Type headers. Send one.")
    codings = b",".join(value for name, value in headers if name == b"transfer-encoding")
    if codings.strip().lower() not in (b"", b"chunked"):  # the parser is content when the last one is chunked
        raise Refused("BAD_REQUEST", "The body is in a Transfer-Encoding other than chunked. Send it as it is.")


def _check_query(query: bytes) -> None:
    if b"%00" in query:
        raise Invalid(FieldError("query", "There is the character NUL (%00) in it. Leave it out."))
    names: set[str] = set()
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in names:  # else it would be up to who reads it which of the two counts
            raise Invalid(FieldError(visible(name), "This is given twice. Give it once."))
        names.add(name)
