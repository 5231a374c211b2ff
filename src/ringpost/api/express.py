"""The express way of POST /events: from a whole request to the octets of its answer, past ASGI and the framework.

What these do round a route costs more than accepting an event does. Only what is plain goes this way: a short body of
known length from somebody who has been looked up already. All else goes the ordinary way, and is answered alike.
"""

from collections.abc import Awaitable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import structlog
from fastapi import FastAPI
from starlette.responses import Response

from ringpost.api import problems
from ringpost.api.authentication import Authenticator, hash_of, may_send_events
from ringpost.api.events import accept_body
from ringpost.api.http_rules import LINE_OVERHEAD, MAX_HEADERS, PREFIX, SAFE_HEADERS, length_of
from ringpost.api.json_routes import is_json
from ringpost.domain.access import Principal
from ringpost.errors import RingpostError
from ringpost.usecases.room import Room

LONGEST_BODY: Final = 64 << 10
"""Octets; what the protocol holds without asking the client to wait."""
MOST_KEPT: Final = 1024
"""Heads that are kept ready; then it begins anew, so that heads which are never the same do no harm."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_PATHS: Final = frozenset({b"/events", f"{PREFIX}/events".encode()})
_ONCE: Final = frozenset({b"authorization", b"content-length", b"content-type", b"host"})
"""Headers that are looked at; which of two would count is for the ordinary way to say."""
_ORDINARY: Final = frozenset({b"content-encoding", b"expect", b"transfer-encoding", b"upgrade"})
"""Headers of requests that need more than a body and an answer."""
_SAFE: Final = b"".join(b"%b: %b\r\n" % header for header in SAFE_HEADERS)
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n" + _SAFE + b"content-length: %d\r\n"

_log = structlog.get_logger("ringpost.api")


class Octets(NamedTuple):
    """What goes out; what the protocol says of itself comes between the two."""

    head: bytes
    """Status line and headers, each with its line end."""
    body: bytes


class Plain(NamedTuple):
    """What the head of a plain request says."""

    token: bytes
    """Hash of the bearer token."""
    length: int
    """Octets of the body."""


class Express:
    """Answers plain requests. One for each API process."""

    def __init__(self, room: Room, authenticator: Authenticator) -> None:
        self._room = room
        self._authenticator = authenticator
        self._heads: dict[bytes, Plain] = {}
        """By their SHA-256: there is a token in them."""

    def known(self, octets: bytes) -> Awaitable[Octets] | None:
        """The answer to a whole request whose head has been read before; None when it is not one, or not admitted.

        The programs that send events send the same head again and again, and what it said it still says.
        """
        begin = octets.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        head = self._heads.get(sha256(octets[:begin]).digest())
        if head is None or len(octets) - begin != head.length:
            return None
        principal = self.admit(head)
        return None if principal is None else self.answer(principal, octets[begin:])

    def learn(self, octets: bytes, head: Plain) -> None:
        """Keep what the head of a whole request said, for requests with the same one."""
        size = len(octets) - head.length
        if octets.find(_END_OF_HEAD) + len(_END_OF_HEAD) != size:
            return
        if len(self._heads) >= MOST_KEPT:
            self._heads.clear()
        self._heads[sha256(octets[:size]).digest()] = head

    def read(self, scope: Mapping[str, Any]) -> Plain | None:
        """What a head says if it is plain."""
        path: bytes = scope["raw_path"]
        if path not in _PATHS or scope["method"] != "POST" or scope["query_string"]:
            return None
        size = len(path)
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            size += len(name) + len(value) + LINE_OVERHEAD
            if name in found or name in _ORDINARY:
                return None
            if name in _ONCE:
                found[name] = value
        if b"host" not in found:
            return None
        length = length_of(found.get(b"content-length", b""))
        token = hash_of(found.get(b"authorization"))
        plain = 0 < length <= LONGEST_BODY and size <= MAX_HEADERS and is_json(found.get(b"content-type"))
        return Plain(token, length) if plain and token is not None else None

    def admit(self, head: Plain) -> Principal | None:
        """Who sends it, if that was found out lately: a stranger's body is not waited for."""
        return self._authenticator.known(head.token)

    async def answer(self, principal: Principal, body: bytes) -> Octets:
        """The answer to a body. Never raises."""
        try:
            answer = await accept_body(self._room, may_send_events(principal), body)
        except RingpostError as refusal:
            return _octets(problems.from_error(refusal))
        except Exception:  # noqa: BLE001  answered as the ordinary way would
            _log.exception("request_failed", method="POST", path="/events")
            return _octets(problems.internal())
        if answer.repeated:
            return _octets(answer.response())
        return Octets(_ACCEPTED % len(answer.body), answer.body)


def express_past(app: FastAPI) -> Express:
    """What answers plain requests in the place of the API."""
    return Express(app.state.room, app.state.authenticator)


def _octets(response: Response) -> Octets:
    """An answer of any kind, as it goes out."""
    status = HTTPStatus(response.status_code)
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())]
    lines += [b"%b: %b\r\n" % header for header in response.raw_headers]
    return Octets(b"".join([*lines, _SAFE]), bytes(response.body))
