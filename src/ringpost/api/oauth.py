"""GET and POST /tenant/notification/oauth and /admin/notification/oauth: credentials for Microsoft 365 and Gmail."""

from enum import Enum
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from ringpost.api.authentication import SystemAdmin, TenantEditor, TenantReader
from ringpost.api.json_routes import JsonRoute, RawObject
from ringpost.api.oauth_schemas import OAuthAnswer, OAuthRequest
from ringpost.api.openapi import body_of, errors, no_content
from ringpost.domain.oauth import oauth_to_json
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.storage import oauth
from ringpost.usecases.change_oauth import change_oauth, destroy_oauth
from ringpost.usecases.room import Room

router = APIRouter(route_class=JsonRoute)

_TENANT = "/tenant/notification/oauth"
_SYSTEM = "/admin/notification/oauth"
_OF_TENANT: list[str | Enum] = ["Notification settings"]
_OF_SYSTEM: list[str | Enum] = ["System"]
_SAVED: Any = {**no_content("Saved."), **errors(401, 403, "VALIDATE_FAILED", "PASSWORD_REQUIRED")}


@router.get(
    _TENANT,
    tags=_OF_TENANT,
    summary="Show the OAuth credentials",
    response_model=OAuthAnswer,
    responses=errors(401, 403),
)
async def show_oauth(request: Request, principal: TenantReader) -> Any:
    """All but the secrets, with the date on which they end; nulls when there are none."""
    return await _shown(request, principal.tenant)


@router.post(
    _TENANT,
    tags=_OF_TENANT,
    summary="Replace the OAuth credentials",
    response_class=Response,
    responses=_SAVED,
    openapi_extra=body_of(OAuthRequest),
)
async def replace_oauth(request: Request, principal: TenantEditor, body: RawObject) -> Response:
    """Replace all of them: what is left out or null takes its default. A secret that is left out stays.

    They are used while the `type` of the mail server is their `provider`. Mail that waits is tried again at once.
    """
    await change_oauth(request.app.state.room, principal, body)
    return Response()


@router.post(
    f"{_TENANT}/destroy",
    tags=_OF_TENANT,
    summary="Remove the OAuth credentials",
    status_code=204,
    responses=errors(401, 403, 404),
)
async def remove_oauth(request: Request, principal: TenantEditor) -> None:
    """Forget them, secrets and all. Mail then goes by SMTP with the password, if there is one."""
    await destroy_oauth(request.app.state.room, principal)


@router.get(
    _SYSTEM,
    tags=_OF_SYSTEM,
    summary="Show the system's OAuth credentials",
    response_model=OAuthAnswer,
    responses=errors(401, 403),
)
async def show_system_oauth(request: Request, _principal: SystemAdmin) -> Any:
    """All but the secrets, with the date on which they end; nulls when there are none."""
    return await _shown(request, SYSTEM)


@router.post(
    _SYSTEM,
    tags=_OF_SYSTEM,
    summary="Replace the system's OAuth credentials",
    response_class=Response,
    responses=_SAVED,
    openapi_extra=body_of(OAuthRequest),
)
async def replace_system_oauth(request: Request, principal: SystemAdmin, body: RawObject) -> Response:
    """Replace all of them: what is left out or null takes its default. A secret that is left out stays."""
    await change_oauth(request.app.state.room, principal, body)
    return Response()


@router.post(
    f"{_SYSTEM}/destroy",
    tags=_OF_SYSTEM,
    summary="Remove the system's OAuth credentials",
    status_code=204,
    responses=errors(401, 403, 404),
)
async def remove_system_oauth(request: Request, principal: SystemAdmin) -> None:
    """Forget them, secrets and all."""
    await destroy_oauth(request.app.state.room, principal)


async def _shown(request: Request, tenant: TenantId) -> dict[str, object]:
    room: Room = request.app.state.room
    return await room.database.read(_read, room, tenant)


def _read(connection: Connection, room: Room, tenant: TenantId) -> dict[str, object]:
    return oauth_to_json(oauth.show(connection, tenant), room.clock())
