"""Routes that take JSON: only as JSON, only from who may call, and read strictly."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, cast

from fastapi import Body, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from ringpost.api.authentication import authenticate
from ringpost.api.problems import Refused
from ringpost.domain import strict_json

# RFC 9110 5.6.6: any parameters, also none behind a semicolon. Each blank and name is tried in one way only.
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_CHARSET = rb'charset[ \t]*+=[ \t]*+(?:utf-?8|"utf-?8")'
_PARAMETER = rb'(?:%b|(?!charset[ \t]*+=)%b=(?:%b|"(?:[^"\\]|\\.)*"))' % (_CHARSET, _TOKEN, _TOKEN)
_JSON = re.compile(rb"[ \t]*+application/json[ \t]*+(?:;[ \t]*+(?:%b[ \t]*+)?)*" % _PARAMETER, re.IGNORECASE)

RawObject = Annotated[dict[str, Any], Body()]
"""A JSON object as it came; a use case or the domain reads it, so that every wrong field is told at once."""


def is_json(content_type: bytes | None) -> bool:
    """Whether a Content-Type means JSON in UTF-8."""
    return content_type is not None and _JSON.fullmatch(content_type) is not None


def require_json(request: Request) -> None:
    """Refuse a body that does not say that it is JSON."""
    content_type = request.headers.get("content-type")
    if not is_json(None if content_type is None else content_type.encode("latin-1")):
        raise Refused("UNSUPPORTED_MEDIA_TYPE", "Send JSON in UTF-8, with the header Content-Type: application/json.")
    if any(coding.strip().lower() != "identity" for coding in request.headers.getlist("content-encoding")):
        raise Refused("UNSUPPORTED_MEDIA_TYPE", "Send the body as it is, without Content-Encoding.")


class JsonRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """The parsed body. Raises MalformedJson and Invalid."""
        return strict_json.loads(await self.body())


class JsonRoute(APIRoute):
    """A route whose body, when it takes one, is JSON, read strictly. For `APIRouter(route_class=JsonRoute)`.

    Who calls is asked before the body is looked at: a stranger learns nothing about what would be taken.
    """

    needs_token = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, given a stricter request."""
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def strictly(request: Request) -> Response:
            if takes_body:
                if self.needs_token:
                    await authenticate(request)
                require_json(request)
                if not await request.body():
                    raise strict_json.MalformedJson("The body is empty. Send a JSON object.")
            return await handle(JsonRequest(request.scope, _replay(request)))

        return strictly


class OpenJsonRoute(JsonRoute):
    """A JSON route for those who have no token yet."""

    needs_token = False


def _replay(request: Request) -> Receive:
    """Hand out the body that was read already, then what else comes."""
    body = cast("bytes | None", getattr(request, "_body", None))
    if body is None:
        return request.receive
    pieces: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pieces.pop() if pieces else await request.receive()

    return receive
