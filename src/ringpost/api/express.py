"""The express way of POST /events: from a whole request to the octets of its answer, past ASGI and the framework.

What these do round a route costs more than accepting an event does. Only what is plain goes this way: a short body of
known length from somebody who has been looked up already. All else goes the ordinary way, and is answered alike.
"""

from collections.abc import Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import structlog
from fastapi import FastAPI
from starlette.responses import Response

from ringpost.api import problems
from ringpost.api.authentication import Authenticator, may_send_events
from ringpost.api.events import accept_body
from ringpost.api.http_rules import MAX_HEADERS, PREFIX, SAFE_HEADERS, is_json
from ringpost.domain.access import Principal
from ringpost.errors import RingpostError
from ringpost.usecases.room import Room

LONGEST_BODY: Final = 64 << 10
"""Octets; what the protocol holds without asking the client to wait."""

LARGEST_HEAD: Final = MAX_HEADERS // 2
"""Octets of names and values, which leaves room for all that counts against the limit besides."""

_PATHS: Final = frozenset({b"/events", f"{PREFIX}/events".encode()})
_ORDINARY: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})
"""Headers of requests that need more than a body and an answer."""
_SAFE: Final = b"".join(b"%b: %b\r\n" % header for header in SAFE_HEADERS)
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n" + _SAFE + b"content-length: %d\r\n"

_log = structlog.get_logger("ringpost.api")


class Octets(NamedTuple):
    """An answer on its way: what the protocol says of itself comes between the two."""

    head: bytes
    """Status line and headers, each with its line end."""
    body: bytes


class Express:
    """Answers plain requests. One for each API process."""

    def __init__(self, room: Room, authenticator: Authenticator) -> None:
        self._room = room
        self._authenticator = authenticator

    def takes(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request may go this way, by its head alone."""
        if scope["raw_path"] not in _PATHS or scope["method"] != "POST" or scope["query_string"]:
            return False
        length = size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"content-length":
                length = int(value)  # the parser has seen to its being one number
            elif name in _ORDINARY:
                return False
        return 0 < length <= LONGEST_BODY and size <= LARGEST_HEAD

    def answer(self, scope: Mapping[str, Any], body: bytes) -> Coroutine[Any, Any, Octets] | None:
        """What answers a request with this body; None when it has to go the ordinary way after all."""
        authorization = content_type = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                if authorization is not None:
                    return None
                authorization = value
            elif name == b"content-type":
                content_type = value
        principal = self._authenticator.remembered(authorization)
        if principal is None or not is_json(content_type):
            return None
        return self._answer(principal, body)

    async def _answer(self, principal: Principal, body: bytes) -> Octets:
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
