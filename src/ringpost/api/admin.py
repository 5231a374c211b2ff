"""GET and POST /admin/notification, POST /admin/notification/test_email: the system level's own settings."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from ringpost.api.authentication import SystemAdmin
from ringpost.api.json_routes import JsonRoute, RawObject
from ringpost.api.notification import send_test_now
from ringpost.api.openapi import body_of, errors, no_content
from ringpost.api.schemas import SystemSettingsAnswer, SystemSettingsRequest, TestMailRequest
from ringpost.domain.settings import system_settings_to_json
from ringpost.storage import settings
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room

router = APIRouter(prefix="/admin/notification", route_class=JsonRoute, tags=["System"])


@router.get("", summary="Show the system's settings", response_model=SystemSettingsAnswer, responses=errors(401, 403))
async def show_system_settings(request: Request, _principal: SystemAdmin) -> Any:
    """All fields but the password; defaults and nulls before anything was saved."""
    room: Room = request.app.state.room
    return await room.database.read(_settings)


@router.post(
    "",
    summary="Replace the system's settings",
    response_class=Response,
    responses={**no_content("Saved."), **errors(401, 403, "VALIDATE_FAILED", "PASSWORD_REQUIRED")},
    openapi_extra=body_of(SystemSettingsRequest),
)
async def replace_system_settings(request: Request, principal: SystemAdmin, body: RawObject) -> Response:
    """Replace all of them: what is left out or null takes its default. The mail server may be in any network."""
    await change_settings(request.app.state.room, principal, body)
    return Response()


@router.post(
    "/test_email",
    summary="Send a test mail through the system's mail server",
    response_class=Response,
    responses={
        **no_content("The mail server has accepted the mail."),
        **errors(401, 403, 424, "VALIDATE_FAILED", "NOT_CONFIGURED"),
    },
    openapi_extra=body_of(TestMailRequest),
)
async def send_system_test(request: Request, principal: SystemAdmin, body: RawObject) -> Response:
    """Send a mail now and wait for the outcome, 30 s at most; five a minute."""
    await send_test_now(request, principal, body)
    return Response()


def _settings(connection: Connection) -> dict[str, object]:
    return system_settings_to_json(settings.show_system(connection))
