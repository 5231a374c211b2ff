"""Errors as the API tells them: one body for all, and the one place that maps errors to status and code.

`{"errors": [{"code": "UPPER_SNAKE", "message": "for a person", "detail": {...} | null}]}`. No error repeats what was
sent in a secret field, and a failure of ours says nothing about its inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ringpost import errors
from ringpost.domain.strict_json import MalformedJson

RETRY_STORAGE_S: Final = 5
"""Seconds after which it is worth to try again when the database could not be used."""


class ErrorItem(BaseModel):
    """One thing that was wrong."""

    model_config = ConfigDict(title="Error")

    code: str = Field(description="What kind of error it is; programs may rely on it.", examples=["VALIDATE_FAILED"])
    message: str = Field(description="What to change, for a person.")
    detail: dict[str, Any] | None = Field(
        description="More, for a program: `field` names a wrong field, `stage` says how far a test mail came.",
        examples=[{"field": "port"}],
    )


class Problem(BaseModel):
    """The body of every error."""

    errors: list[ErrorItem]


@dataclass(frozen=True, slots=True)
class Code:
    """One code of docs/api.md#errors, its status, and an example message."""

    name: str
    status: HTTPStatus
    example: str


CODES: Final = {
    code.name: code
    for code in (
        Code("BAD_REQUEST", HTTPStatus.BAD_REQUEST, "The request has two Authorization headers."),
        Code("MALFORMED_JSON", HTTPStatus.BAD_REQUEST, "The body is not JSON (line 1, column 9)."),
        Code("UNAUTHORIZED", HTTPStatus.UNAUTHORIZED, "A valid token is needed."),
        Code("FORBIDDEN", HTTPStatus.FORBIDDEN, "This token may not do that."),
        Code("NOT_FOUND", HTTPStatus.NOT_FOUND, "There is nothing here."),
        Code("METHOD_NOT_ALLOWED", HTTPStatus.METHOD_NOT_ALLOWED, "This path takes GET, HEAD."),
        Code("ALREADY_EXISTS", HTTPStatus.CONFLICT, "QUEUE_SLA is customised already."),
        Code("NOT_CONFIGURED", HTTPStatus.CONFLICT, "There is no mail server to send through."),
        Code("WRONG_STATE", HTTPStatus.CONFLICT, "This delivery has been sent."),
        Code("TOO_LARGE", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than 1 MiB."),
        Code("UNSUPPORTED_MEDIA_TYPE", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send application/json."),
        Code("VALIDATE_FAILED", HTTPStatus.UNPROCESSABLE_ENTITY, "This must be a whole number from 0 to 65535."),
        Code("PASSWORD_REQUIRED", HTTPStatus.UNPROCESSABLE_ENTITY, "Give the password again: the server has changed."),
        Code("MAIL_SERVER_FAILED", HTTPStatus.FAILED_DEPENDENCY, "The mail server refused the login."),
        Code("RATE_LIMITED", HTTPStatus.TOO_MANY_REQUESTS, "Too many tries. Wait 60 seconds."),
        Code("HEADERS_TOO_LARGE", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are larger than 16 KiB."),
        Code("INTERNAL", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It has been logged."),
        Code("STORAGE_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot be used now. Try again."),
    )
}
"""Every code of the API."""

_BY_ERROR: Final[dict[type[errors.RingpostError], str]] = {
    MalformedJson: "MALFORMED_JSON",
    errors.Unauthorized: "UNAUTHORIZED",
    errors.Forbidden: "FORBIDDEN",
    errors.NotFound: "NOT_FOUND",
    errors.AlreadyExists: "ALREADY_EXISTS",
    errors.NotConfigured: "NOT_CONFIGURED",
    errors.WrongState: "WRONG_STATE",
    errors.PasswordRequired: "PASSWORD_REQUIRED",
    errors.MailServerFailed: "MAIL_SERVER_FAILED",
    errors.RateLimited: "RATE_LIMITED",
    errors.StorageUnavailable: "STORAGE_UNAVAILABLE",
}
_BY_STATUS: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATE_FAILED",
    429: "RATE_LIMITED",
    431: "HEADERS_TOO_LARGE",
}
_HEADERS: Final = {
    "BAD_REQUEST": {"Connection": "close"},  # where such a request ends, others on the way may see elsewhere
    "UNAUTHORIZED": {"WWW-Authenticate": "Bearer"},
    "STORAGE_UNAVAILABLE": {"Retry-After": str(RETRY_STORAGE_S)},
    "TOO_LARGE": {"Connection": "close"},  # what else the client sends is not read
}
_OBJECT = "This must be a JSON object, such as {}."
_REQUIRED = "This field is required."
_IN_PLAIN_WORDS: Final = {
    "missing": _REQUIRED,
    "string_type": "This must be text, in quotation marks.",
    "string_too_short": _REQUIRED,
    "string_too_long": "This is too long: at most {max_length} characters.",
    "bool_type": "This must be true or false, without quotation marks.",
    "bool_parsing": "This must be true or false.",
    "int_type": "This must be a whole number, without quotation marks.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "enum": "This must be {expected}, spelled exactly so.",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}
"""What pydantic finds -> what we say; in braces, what it has in `ctx`."""
_OF_VALUES: Final = frozenset({"string_type", "bool_type", "int_type", "enum"})
"""What it finds of a field whose value is null, which is the same as left out."""
_METHODS: Final = ("GET", "POST")


class Refused(errors.RingpostError):
    """A request that breaks a rule of HTTP or of this API, before anyone looked at what it wants."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def problem(
    code: str,
    message: str,
    *,
    detail: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for one error."""
    return _answer(CODES[code].status, [_item(code, message, detail)], headers)


def from_error(error: errors.RingpostError) -> Response:
    """The answer for one of our errors."""
    if isinstance(error, errors.Invalid):
        items = [_item("VALIDATE_FAILED", one.message, _field_detail(one)) for one in error.errors]
        return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, items)
    if isinstance(error, Refused):
        code = error.code
    else:
        code = next((code for kind, code in _BY_ERROR.items() if isinstance(error, kind)), "INTERNAL")
    message = CODES[code].example if code == "INTERNAL" else error.message
    return problem(code, message, detail=_detail(error), headers=_headers(error, code))


def internal() -> Response:
    """The answer for a fault of ours. What it was stands in the log."""
    return problem("INTERNAL", CODES["INTERNAL"].example)


def install(app: FastAPI) -> None:
    """Have every error of `app` answered in the one way."""
    app.add_exception_handler(errors.RingpostError, _ours)
    app.add_exception_handler(RequestValidationError, _wrong_fields)
    app.add_exception_handler(HTTPException, _http)


async def _ours(_request: Request, error: Exception) -> Response:
    return from_error(error) if isinstance(error, errors.RingpostError) else internal()


async def _wrong_fields(_request: Request, error: Exception) -> Response:
    """What pydantic found. Its `input` is left out: it may be a secret."""
    faults: Sequence[Mapping[str, Any]] = error.errors() if isinstance(error, RequestValidationError) else ()
    by_field: dict[str, Any] = {}
    for fault in faults:
        field = _path(fault["loc"])
        by_field.setdefault(field, _item("VALIDATE_FAILED", _plainly(fault), {"field": field}))
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, list(by_field.values()))


async def _http(request: Request, error: Exception) -> Response:
    cause = error.__cause__
    if isinstance(cause, errors.RingpostError):  # FastAPI wraps what reading the body raised
        return from_error(cause)
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = allowed_methods(request)
        return problem("METHOD_NOT_ALLOWED", f"This path takes {allow}.", headers={"Allow": allow})
    code = _BY_STATUS.get(status, "INTERNAL")
    return problem(code, CODES[code].example)


def allowed_methods(request: Request) -> str:
    """Every method that some route takes at this path."""
    methods = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return ", ".join(("GET, HEAD" if method == "GET" else method) for method in methods)


def _item(code: str, message: str, detail: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"code": code, "message": message, "detail": None if detail is None else dict(detail)}


def _answer(status: int, items: list[dict[str, Any]], headers: Mapping[str, str] | None = None) -> Response:
    body = msgspec.json.encode({"errors": items})
    return Response(body, status, headers, "application/json")


def _detail(error: errors.RingpostError) -> dict[str, Any] | None:
    match error:
        case errors.MailServerFailed():
            return error.detail
        case errors.PasswordRequired():
            return {"field": error.field}
        case _:
            return None


def _headers(error: errors.RingpostError, code: str) -> dict[str, str]:
    if isinstance(error, errors.RateLimited):
        return {"Retry-After": str(max(1, error.retry_after))}
    return _HEADERS.get(code, {})


def _field_detail(error: errors.FieldError) -> dict[str, str]:
    return {"field": error.field} | ({} if error.item is None else {"item": error.item})


def _plainly(fault: Mapping[str, Any]) -> str:
    kind = fault["type"]
    if kind in _OF_VALUES and fault.get("input", "") is None:
        return _REQUIRED
    message = _IN_PLAIN_WORDS.get(kind)
    if message is None:
        return str(fault["msg"]).removeprefix("Value error, ").rstrip(".") + "."
    given: Mapping[str, Any] = fault.get("ctx") or {}
    for name, value in given.items():
        message = message.replace(f"{{{name}}}", str(value).replace("'", ""))
    return message


def _path(location: Sequence[str | int]) -> str:
    """`("body", "events", 3, "id")` as `events[3].id`."""
    path = ""
    for part in location[1:] or location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
