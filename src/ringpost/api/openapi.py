"""The OpenAPI document: what FastAPI knows of the routes, and what holds for all of them."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

import ringpost
from ringpost.api.openapi_examples import Schemas, example_of
from ringpost.api.problems import CODES, Problem

Responses = dict[int | str, dict[str, Any]]

PUBLIC: Final = frozenset(
    {"/login", "/auth/refresh_token", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"}
)
"""Paths that need no token."""

_DESCRIPTION = """\
The mail room of a phone system: events in, the right mail out.

Settings, templates and test mails follow the notification API of the phone system, so its clients work unchanged. Every
path is served here and under `/api`. Only GET, HEAD and POST; JSON in, JSON out; a field without a value is `null`.

Every error has one body: `{"errors": [{"code", "message", "detail"}]}`. Programs go by `code`; `message` is for
people; with `VALIDATE_FAILED` there is one entry for each wrong field, and `detail.field` names it. A request that
fails with 4xx has changed nothing.
"""
_TAGS = (
    ("Events", "What happened in the phone system."),
    ("Deliveries", "What became of each mail."),
    ("Notification settings", "A tenant's mail server, recipients and switches."),
    ("Default templates", "What mails look like unless a tenant says otherwise."),
    ("Custom templates", "What a tenant says otherwise."),
    ("Export and import", "A tenant's settings and templates as one file, to move them to another Ringpost."),
    ("Sessions", "Logging in and out."),
    ("Tenants", "For system administrators."),
    ("System", "The system level's own mail server, for system administrators."),
    ("System templates", "What mails about the whole system look like, for system administrators."),
    ("Operation", "For monitoring."),
)
_ALWAYS = ("BAD_REQUEST", "TOO_LARGE", "HEADERS_TOO_LARGE", "INTERNAL", "STORAGE_UNAVAILABLE")
_WITH_TOKEN = ("UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED")
_WITH_BODY = ("MALFORMED_JSON", "TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATE_FAILED")
_EXTRA_DETAIL: Final[dict[str, dict[str, Any]]] = {
    "VALIDATE_FAILED": {"field": "port"},
    "PASSWORD_REQUIRED": {"field": "password"},
    "MAIL_SERVER_FAILED": {
        "stage": "greeting",
        "code": None,
        "enhanced_code": None,
        "reply": None,
        "hint": "Port 465 speaks TLS from the first byte; turn enable_tls_ssl on.",
        "finding": "GREETING_TIMEOUT",
        "steps": [{"name": "connect", "status": "ok"}, {"name": "greeting", "status": "failed"}],
    },
}
_bodies: list[type[BaseModel]] = []


def errors(*which: int | str) -> Responses:
    """For `responses=` of a route: error answers by status (all its codes) or by code."""
    by_status: dict[int, list[str]] = {}
    for one in which:
        names = [one] if isinstance(one, str) else [code.name for code in CODES.values() if code.status == one]
        for name in names:
            by_status.setdefault(CODES[name].status, []).append(name)
    return {int(status): _error_answer(status, names) for status, names in by_status.items()}


def no_content(description: str) -> Responses:
    """For `responses=` of a route that answers 200 without a body."""
    return {200: {"description": description}}


def body_of(*models: type[BaseModel]) -> dict[str, Any]:
    """For `openapi_extra=` of a route that reads its body itself: it is one of these."""
    _bodies.extend(models)
    schemas = [_reference(model) for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def build(app: FastAPI, documented: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document. `documented`: routes that stand for plain ones, which FastAPI cannot see."""
    document = get_openapi(
        title="Ringpost",
        version=ringpost.__version__,
        description=_DESCRIPTION,
        routes=[*app.routes, *documented],
        tags=[{"name": name, "description": description} for name, description in _TAGS],
        servers=[{"url": "/"}, {"url": "/api"}],
        separate_input_output_schemas=False,
    )
    schemas = document["components"]["schemas"]
    named = models_json_schema([(model, "validation") for model in (*_bodies, Problem)], ref_template=_PATH)[1]
    for name, schema in named["$defs"].items():
        schemas.setdefault(name, schema)
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    bearer = {"type": "http", "scheme": "bearer", "description": "A token from POST /login, or an API key."}
    document["components"]["securitySchemes"] = {"bearer": bearer}
    for path, operation in _operations(document):
        _complete(path, operation)
        _exemplify(operation, schemas)
    return document


_PATH: Final = "#/components/schemas/{model}"


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add what holds for every operation of its kind."""
    operation["security"] = [] if path in PUBLIC else [{"bearer": []}]
    codes = [*_ALWAYS, *(() if path in PUBLIC else _WITH_TOKEN)]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        codes += _WITH_BODY
        if "$ref" in body["schema"] or "anyOf" in body["schema"]:
            body["schema"] = {key: body["schema"][key] for key in ("$ref", "anyOf") if key in body["schema"]}
    responses: dict[str, Any] = operation["responses"]
    if not body and all(one["in"] == "path" for one in operation.get("parameters", [])):
        responses.pop("422", None)  # FastAPI puts it there for every parameter, but a path is found or it is not
    for status, answer in responses.items():
        if int(status) >= 400:
            codes += [code.name for code in CODES.values() if code.status == int(status) and not _names_a_code(answer)]
            codes += [code for code in CODES if f"`{code}`" in answer.get("description", "")]
    for status, answer in errors(*dict.fromkeys(codes)).items():
        before: dict[str, Any] = responses.get(str(status), {})
        responses[str(status)] = _with_schema(answer, before)
    operation["responses"] = dict(sorted(responses.items()))


def _exemplify(operation: dict[str, Any], schemas: Schemas) -> None:
    """Show a whole body for what goes in and what comes out when all is well."""
    answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    for answer in answers:
        if answer["description"] == "Successful Response":
            answer["description"] = "All is well."
    for place in [operation.get("requestBody", {}), *answers]:
        content = place.get("content", {}).get("application/json", {})
        if content.get("schema", {}).keys() & {"$ref", "anyOf"}:
            content["example"] = example_of(content["schema"], schemas)


def _names_a_code(answer: dict[str, Any]) -> bool:
    return any(f"`{code}`" in answer.get("description", "") for code in CODES)


def _with_schema(answer: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    content = answer["content"]["application/json"]
    merged: dict[str, Any] = {"description": answer["description"]}
    if "headers" in answer:
        merged["headers"] = answer["headers"]
    if before.get("description", "").count(" ") > answer["description"].count(" "):
        merged["description"] = before["description"]  # it says more than the codes
    return merged | {"content": {"application/json": {"schema": _reference(Problem), **content}}}


def _error_answer(status: int, names: Sequence[str]) -> dict[str, Any]:
    examples = {
        name: {"value": {"errors": [{"code": name, "message": CODES[name].example, "detail": _EXTRA_DETAIL.get(name)}]}}
        for name in dict.fromkeys(names)
    }
    answer: dict[str, Any] = {
        "model": Problem,
        "description": ", ".join(f"`{name}`" for name in examples),
        "content": {"application/json": {"examples": examples}},
    }
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    if status == HTTPStatus.UNAUTHORIZED:
        answer["headers"] = {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}}}
    return answer


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _PATH.format(model=model.__name__)}
