"""POST /events and GET /events/{id}. The first is the hot path: a plain Starlette route, and see `express`."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from ringpost.api import problems
from ringpost.api.authentication import authenticate, may_send_events
from ringpost.api.json_routes import require_json
from ringpost.api.metrics import count_events
from ringpost.domain.access import Principal
from ringpost.domain.catalogue import SECRET_VARIABLES, canonical_name
from ringpost.domain.events import Event, parse_event
from ringpost.domain.strict_json import check_text, is_usable, loads_any_text, may_hold_bad_text
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.domain.times import rfc3339
from ringpost.errors import FieldError, Invalid, NotFound, RingpostError
from ringpost.storage import events as event_rows
from ringpost.storage import tenants as tenant_rows
from ringpost.storage.sealing import Place, SealBroken, Sealer
from ringpost.usecases.accept_events import Receipt, accept_events
from ringpost.usecases.room import Room
from ringpost.usecases.trace import Trace

MOST_EVENTS = 1000
TURN_S = 0.01
"""How long a list is read before others on the same thread get their turn; names of domains take their time."""
LARGEST_WITHOUT_ATTACHMENTS = 1024 * 1024
_OF_FILES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \\"
"""Octets that an attachment may be made of in JSON: base64, slashes and line breaks escaped. Others are not."""
NO_SUCH_EVENT = "There is no such event."

Fields = Mapping[str, Any]


class Accepted(NamedTuple):
    """The answer to events that were taken; of a list, also to those that were not."""

    body: bytes
    repeated: bool = False
    """The one event of the request had been accepted before."""

    def response(self) -> Response:
        """As the framework has it."""
        headers = {"Idempotent-Replayed": "true"} if self.repeated else None
        return Response(self.body, 202, headers, "application/json")


async def post_events(request: Request) -> Response:
    """Accept one event, or a list of them. 202 means: on disk, will be sent or its failure shown."""
    principal = may_send_events(await authenticate(request))
    require_json(request)
    return (await accept_body(request.app.state.room, principal, await request.body())).response()


async def accept_body(room: Room, principal: Principal, body: bytes) -> Accepted:
    """Accept what a body says, for somebody who may. Raises RingpostError when none of it is taken."""
    large = len(body) > LARGEST_WITHOUT_ATTACHMENTS
    if large and len(body.translate(None, _OF_FILES)) > LARGEST_WITHOUT_ATTACHMENTS:
        raise _too_large()  # without reading it, which nobody else could be served during
    fields = loads_any_text(body)
    if not isinstance(fields, dict):
        raise Invalid(FieldError("body", "The body must be one event, or an object with a list of them in events."))
    posted = cast("dict[str, Any]", fields)
    listed = posted.get("events") if "type" not in posted else None
    items = [posted] if listed is None else _checked_list(listed)
    if large:
        _refuse_large(body, items)
    try:
        results = await _accept(room, principal, items, check=may_hold_bad_text(body))
    except RingpostError as refusal:
        count_events([refusal] * len(items))
        raise
    count_events(results)
    if listed is None:
        return _one(results[0])
    return Accepted(msgspec.json.encode({"results": [_result(result) for result in results]}))


async def get_event(request: Request) -> Response:
    """One event: what was sent because of it, or why nothing was.

    Who may send events with a token of the system may read those of a tenant, named as in POST by `tenant`.
    """
    principal = await authenticate(request)
    room: Room = request.app.state.room
    owner, named = principal.tenant, request.query_params.get("tenant")
    if owner == SYSTEM and named is not None:
        may_send_events(principal)
        owner = (await room.database.read(tenant_rows.by_name, [named])).get(named)
    if owner is None:
        raise NotFound(NO_SUCH_EVENT)
    return _json(await room.database.read(_show, room.sealer, owner, request.path_params["id"]), 200)


class RouteOfAnEvent(Route):
    """Ids are the sender's and may hold slashes; but there is none without a character."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is this route's."""
        match, found = super().matches(scope)
        return (match, found) if found.get("path_params", {}).get("id") else (Match.NONE, {})


routes = [
    Route("/events", post_events, methods=["POST"]),
    RouteOfAnEvent("/events/{id:path}", get_event, methods=["GET"]),
]


async def _accept(
    room: Room, principal: Principal, items: Sequence[object], *, check: bool
) -> list[Receipt | RingpostError]:
    tenants = await _tenants(room, principal, items)
    results: list[Receipt | RingpostError | None] = []
    wanted: list[Event] = []
    began = time.monotonic()
    for item in items:
        if time.monotonic() - began > TURN_S:
            await asyncio.sleep(0)
            began = time.monotonic()
        try:
            if check:
                check_text(item)
            wanted.append(_parse(principal, item, tenants))
            results.append(None)
        except RingpostError as error:
            results.append(error)
    receipts = await accept_events(room, wanted) if wanted else []
    if room.trace is not None:
        _trace(room.trace, wanted, receipts)
    accepted = iter(receipts)
    return [next(accepted) if result is None else result for result in results]


def _trace(trace: Trace, wanted: Sequence[Event], receipts: Sequence[Receipt | RingpostError]) -> None:
    for event, receipt in zip(wanted, receipts, strict=True):
        if isinstance(receipt, Receipt) and not receipt.repeated:
            trace.accepted(event, [delivery for delivery, _ in receipt.deliveries], receipt.skipped)


def _parse(principal: Principal, item: object, tenants: Mapping[str, TenantId]) -> Event:
    if not isinstance(item, dict):
        raise Invalid(FieldError("events", "Every item must be an object."))
    fields = cast("Fields", item)
    if principal.tenant != SYSTEM:
        return parse_event(principal.tenant, fields)
    name, kind = fields.get("tenant"), fields.get("type")
    if name is None and isinstance(kind, str) and kind in SYSTEM_CATALOGUE:
        return parse_event(SYSTEM, fields)
    if not isinstance(name, str) or name not in tenants:
        raise Invalid(
            FieldError(
                "tenant",
                "This must be the id or the domain of a tenant, because the token is the system's. "
                "Only events of the system level have none.",
            )
        )
    return parse_event(tenants[name], fields)


async def _tenants(room: Room, principal: Principal, items: Sequence[object]) -> Mapping[str, TenantId]:
    """Which tenants the events of a system token name; of a tenant's token, none is asked."""
    if principal.tenant != SYSTEM:
        return {}
    names = (cast("Fields", item).get("tenant") for item in items if isinstance(item, dict))
    usable = {name for name in names if isinstance(name, str) and is_usable(name)}
    return await room.database.read(tenant_rows.by_name, sorted(usable))


def _checked_list(listed: object) -> list[object]:
    if not isinstance(listed, list):
        raise Invalid(FieldError("events", "This must be a list of events."))
    items = cast("list[object]", listed)
    if not 1 <= len(items) <= MOST_EVENTS:
        raise Invalid(FieldError("events", f"This must be a list of 1 to {MOST_EVENTS} events."))
    return items


def _refuse_large(body: bytes, items: Sequence[object]) -> None:
    """Attachments have a limit of their own; what else there is must keep to that of every body."""
    attached = 0
    for item in items:
        files = cast("Fields", item).get("attachments") if isinstance(item, dict) else None
        if isinstance(files, list):
            contents = (
                cast("Fields", file).get("content") for file in cast("list[object]", files) if isinstance(file, dict)
            )
            attached += sum(len(content) for content in contents if isinstance(content, str))
    if len(body) - attached > LARGEST_WITHOUT_ATTACHMENTS:
        raise _too_large()


def _too_large() -> problems.Refused:
    return problems.Refused("TOO_LARGE", "The body is larger than 1 MiB, attachments not counted.")


def _one(result: Receipt | RingpostError) -> Accepted:
    if isinstance(result, RingpostError):
        raise result
    return Accepted(msgspec.json.encode(result.to_json()), result.repeated)


def _result(result: Receipt | RingpostError) -> dict[str, Any]:
    if isinstance(result, Receipt):
        return {"status": 202, "event": result.to_json(), "errors": None}
    answer = problems.from_error(result)
    return {"status": answer.status_code, "event": None, **json.loads(bytes(answer.body))}


def _show(connection: Connection, sealer: Sealer, tenant: TenantId, event_id: str) -> dict[str, Any]:
    row = event_rows.show(connection, tenant, event_id)
    if row is None:
        raise NotFound(NO_SUCH_EVENT)
    made = event_rows.delivered_to(connection, [row.key]).get(row.key, [])
    return {
        "id": row.id,
        "type": row.type,
        "occurred_at": rfc3339(row.occurred_at),
        "accepted_at": rfc3339(row.accepted_at),
        "variables": _variables(sealer, row),
        "template": {"custom": row.template is not None, "revision": row.template_number},
        "unknown_variables": row.unknown_variables.split(", ") if row.unknown_variables else [],
        "deliveries": [{"id": delivery, "recipient": recipient} for delivery, recipient in made],
        "skipped": row.skip_reason,
    }


def _variables(sealer: Sealer, row: Any) -> dict[str, Any] | None:
    """As they came, but for secrets; None when they were erased, or their key is gone."""
    if row.variables is None:
        return None
    try:
        stored = json.loads(sealer.unseal(Place(row.tenant, "events", row.key, "variables"), row.variables))
    except SealBroken:
        return None
    return {name: "***" if canonical_name(name) in SECRET_VARIABLES else value for name, value in stored.items()}


def _json(content: object, status: int) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
