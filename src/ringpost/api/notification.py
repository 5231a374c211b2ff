"""GET and POST /tenant/notification, POST /tenant/notification/test_email (docs/api.md#settings)."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from ringpost.api.authentication import TenantEditor, TenantReader
from ringpost.api.json_routes import JsonRoute, RawObject
from ringpost.api.openapi import body_of, errors, no_content
from ringpost.api.schemas import SettingsAnswer, SettingsRequest, TestMailRequest
from ringpost.domain.access import Principal
from ringpost.domain.settings import settings_to_json
from ringpost.domain.tenants import TenantId
from ringpost.limits import Limits
from ringpost.storage import settings
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room
from ringpost.usecases.send_test_mail import parse_test_mail, send_test_mail

router = APIRouter(prefix="/tenant/notification", route_class=JsonRoute, tags=["Notification settings"])


@router.get("", summary="Show the notification settings", response_model=SettingsAnswer, responses=errors(401, 403))
async def show_settings(request: Request, principal: TenantReader) -> Any:
    """All fields but the password; defaults and nulls before anything was saved."""
    room: Room = request.app.state.room
    return await room.database.read(_settings, principal.tenant)


@router.post(
    "",
    summary="Replace the notification settings",
    response_class=Response,
    responses={**no_content("Saved."), **errors(401, 403, "VALIDATE_FAILED", "PASSWORD_REQUIRED")},
    openapi_extra=body_of(SettingsRequest),
)
async def replace_settings(request: Request, principal: TenantEditor, body: RawObject) -> Response:
    """Replace all of them: what is left out or null takes its default. Read-only and unknown fields are ignored.

    Mail that waits for the mail server is tried again at once.
    """
    await change_settings(request.app.state.room, principal, body)
    return Response()


@router.post(
    "/test_email",
    summary="Send a test mail",
    response_class=Response,
    responses={
        **no_content("The mail server has accepted the mail."),
        **errors(401, 403, 424, "VALIDATE_FAILED", "NOT_CONFIGURED"),
    },
    openapi_extra=body_of(TestMailRequest),
)
async def send_test(request: Request, principal: TenantEditor, body: RawObject) -> Response:
    """Send a mail now, through the mail server in force (the tenant's own, or the system's), and wait for the outcome.

    Takes 30 s at most; five a minute. When the mail server fails, `detail` says at which `stage`, with its `code`,
    `enhanced_code` and `reply`, and a `hint` what to change. Through the system's server, only to own recipients.
    """
    await send_test_now(request, principal, body)
    return Response()


async def send_test_now(request: Request, principal: Principal, body: Mapping[str, object]) -> None:
    """For the tenant and the system level alike."""
    mail = parse_test_mail(body)
    limits: Limits = request.app.state.limits
    with limits.test_mail(principal.tenant):
        await send_test_mail(request.app.state.room, principal, mail)


def _settings(connection: Connection, tenant: TenantId) -> dict[str, object]:
    offered = settings.system_server_offered(connection)
    return settings_to_json(settings.show(connection, tenant), system_server_offered=offered)
