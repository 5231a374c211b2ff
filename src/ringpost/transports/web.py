"""HTTPS to the mail providers: how far a request came, answers of a bounded size, and what they ask us to wait.

Proxies and certificates from the environment (HTTPS_PROXY, SSL_CERT_FILE, ~/.netrc) are not used: where mail goes is
told by Ringpost's own settings only. Redirects are not followed: a token must not travel on.
"""

import asyncio
import json
import re
import socket
import ssl
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self, cast

import httpx

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.secrets import Secret
from ringpost.transports.connecting import is_no_tls, lacks_room, no_room, tls_context, trap_of_tls
from ringpost.transports.words import clean

MAX_ANSWER: Final = 65536
"""Octets of an answer that are read; a good one has some hundred."""
LONGEST_WAIT: Final = 3600.0
"""Seconds; the most that a provider can make us wait: a mistaken week must not stop a mailbox."""

UNPACKED: Final = {"Accept-Encoding": "identity"}
"""How answers are wanted: a few KiB that are packed may be gigabytes."""
_UNPACKS_GZIP: Final = zlib.MAX_WBITS | 16

_NO_NAME = "The name of the mail provider is not known in the DNS. Check the network of the machine."
_UNREACHABLE = "The mail provider cannot be reached. Check the network of the machine; HTTPS to it must be open."
_SLOW = "The mail provider did not answer in time. A delivery is tried again by itself."
_NO_HTTP = "What answered is not the mail provider. Something in the network stands between, such as a proxy."
_AMBIGUOUS = (
    "The connection was lost after the whole mail had been handed over, so the provider may have it. A delivery is "
    "sent again with the same Message-ID: better twice than never."
)


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Seconds to wait, and whom to trust."""

    connect: float = 15
    """Name, TCP and TLS."""
    write: float = 60
    """How long the network may take for one more piece of the request."""
    answer: float = 120
    """How long it may take from the first byte of a request to the last of its answer."""
    token: float = 30
    """How long getting an access token may take."""
    ca_file: str | None = None
    """PEM file with certificate authorities that are trusted beside the system's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server said."""

    status: int
    body: bytes
    """The first MAX_ANSWER octets."""
    retry_after: float | None
    """Seconds that it asks us to wait."""
    at: datetime
    """When it was said, by the clock of who said it: ours may differ."""

    @classmethod
    def of(cls, response: httpx.Response, body: bytes) -> Self:
        """By the head of an answer, and as much of its body as was read."""
        at = _moment(response.headers.get("date", "")) or datetime.now(UTC)
        return cls(
            response.status_code, body[:MAX_ANSWER], read_retry_after(response.headers.get("retry-after"), at), at
        )

    @property
    def fields(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):  # also what is no UTF-8, or nested too deep
            return None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class Body:
    """What is read of an answer's body, unpacked when it comes packed against our wish; MAX_ANSWER octets and one."""

    def __init__(self, response: httpx.Response) -> None:
        packed = response.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip")
        self._packed = zlib.decompressobj(_UNPACKS_GZIP) if packed else None
        self._came = 0
        self.read = b""

    def add(self, piece: bytes) -> None:
        """One more piece as it came. httpx.DecodingError when it cannot be unpacked."""
        self._came += len(piece)
        room = MAX_ANSWER + 1 - len(self.read)
        try:
            self.read += self._packed.decompress(piece, room) if self._packed else piece[:room]
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    @property
    def is_too_long(self) -> bool:
        """There is more than anybody reads, packed or unpacked."""
        return max(self._came, len(self.read)) > MAX_ANSWER


class Trip:
    """How far one request has come; httpcore tells it (its extension `trace`)."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT
        self.handed_over = False
        """The whole request is out: the other side may have acted on it."""

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        """Note an event such as `http11.send_request_body.complete`."""
        if event == "connection.start_tls.started":
            self.stage = Stage.TLS
        elif event.endswith("send_request_headers.started"):
            self.stage = Stage.API
        elif event.endswith("send_request_body.complete"):
            self.handed_over = True


def open_client(options: WebOptions, connections: int) -> httpx.AsyncClient:
    """A client that keeps its connections and trusts nothing from the environment."""
    return httpx.AsyncClient(
        headers=UNPACKED,
        verify=tls_context(options.ca_file),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(options.answer, connect=options.connect, write=options.write),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30),
    )


async def post(client: httpx.AsyncClient, request: httpx.Request, seconds: float) -> Answer | Outcome:
    """Send a request within `seconds`; the answer, or what kept it from coming."""
    trip = Trip()
    request.extensions["trace"] = trip.trace
    try:
        async with asyncio.timeout(seconds):
            return await _send(client, request)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError
        return _failed(trip, error)


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    response = await client.send(request, stream=True)
    body = Body(response)
    try:
        async for piece in response.aiter_raw():
            body.add(piece)
            if body.is_too_long:
                break
    except (httpx.HTTPError, OSError):
        if response.is_success and not body.read:
            raise  # an acceptance without its words may be one of a proxy
    finally:
        await response.aclose()
    return Answer.of(response, body.read)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: seconds or an HTTP date (RFC 9110 10.2.3). None when it makes no sense."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return min(float(value.strip()[:9]), LONGEST_WAIT)
    moment = _moment(value)
    return None if moment is None else seconds_until(moment, now)


def seconds_until(moment: datetime, now: datetime) -> float:
    """As long as somebody asks us to wait, and no longer than we do."""
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def for_failure(stage: Stage, error: BaseException) -> Outcome:
    """The outcome when a request that had come to this stage did not get out whole."""
    causes = list(_causes(error))
    for cause in causes:
        if lacks_room(cause):
            return no_room(stage)
        if is_no_tls(cause):
            return Outcome(RETRY, stage, Party.MAIL_SERVER, hint=_NO_HTTP)
        if isinstance(cause, ssl.SSLError):
            trap = trap_of_tls(cause)
            return Outcome(RETRY, stage, Party.MAIL_SERVER, hint=trap.hint, trap=trap.code)
        if isinstance(cause, socket.gaierror):
            return Outcome(RETRY, stage, Party.MAIL_SERVER, hint=_NO_NAME)
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return Outcome(RETRY, stage, Party.MAIL_SERVER, hint=_SLOW)
    hint = _UNREACHABLE if isinstance(error, httpx.NetworkError | OSError) else _NO_HTTP
    return Outcome(RETRY, stage, Party.MAIL_SERVER, hint=hint)


def _failed(trip: Trip, error: Exception) -> Outcome:
    if trip.handed_over:
        return Outcome(RETRY, Stage.API, hint=_AMBIGUOUS, ambiguous=True)
    has_no_name = any(isinstance(cause, socket.gaierror) for cause in _causes(error))
    return for_failure(Stage.RESOLVE if has_no_name else trip.stage, error)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def words_of(text: str, secrets: Iterable[Secret]) -> str:
    """A provider's words for people: one clean line, without what must not be seen, however it is spelled there."""
    for secret in sorted((one.reveal() for one in secrets), key=len, reverse=True):
        if secret and len(secret) <= len(text):  # no spelling is shorter
            text = text.replace(secret, "***")
            for spelled in (_in_forms, _in_json):
                text = re.sub("".join(map(spelled, secret)), "***", text)
    return clean(" ".join(text.split()).encode("utf-8", "replace"))


def _in_forms(letter: str) -> str:
    """A pattern for a letter in a form or an address (RFC 3986 2.1); some encode more than they must."""
    if letter.isascii() and letter.isalnum():
        return letter
    encoded = "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "replace"))
    plain = {"%": "", " ": r"|\+"}.get(letter, f"|{re.escape(letter)}")
    return f"(?:(?i:{encoded}){plain})"


def _in_json(letter: str) -> str:
    """A pattern for a letter in a text of JSON (RFC 8259 7)."""
    if letter.isascii() and letter.isalnum():
        return letter
    units = re.findall("....", letter.encode("utf-16-be", "surrogatepass").hex())
    escaped = "".join(rf"\\u{unit}" for unit in units)
    plain = {"\\": r"\\\\", '"': r'\\"', "/": r"\\?/"}.get(letter, re.escape(letter))
    return f"(?:(?i:{escaped})|{plain})"
