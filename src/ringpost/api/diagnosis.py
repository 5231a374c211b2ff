"""POST /tenant/notification/diagnose and POST /admin/notification/diagnose: the mail doctor."""

from typing import Any

from fastapi import APIRouter, Request

from ringpost.api.authentication import SystemAdmin, TenantEditor
from ringpost.api.diagnosis_schemas import (
    DiagnoseInForce,
    DiagnoseSettings,
    DiagnoseSystemSettings,
    DiagnosisAnswer,
)
from ringpost.api.json_routes import JsonRoute, RawObject
from ringpost.api.openapi import body_of, errors
from ringpost.domain.access import Principal
from ringpost.domain.diagnosis import diagnosis_to_json
from ringpost.limits import Limits
from ringpost.usecases.diagnose import conclude, examine, plan_diagnosis
from ringpost.usecases.room import Room

router = APIRouter(route_class=JsonRoute)
_FAILURES = errors(401, 403, "VALIDATE_FAILED", "PASSWORD_REQUIRED", "NOT_CONFIGURED")


@router.post(
    "/tenant/notification/diagnose",
    tags=["Notification settings"],
    summary="Examine the mail server step by step",
    response_model=DiagnosisAnswer,
    responses=_FAILURES,
    openapi_extra=body_of(DiagnoseInForce, DiagnoseSettings),
)
async def diagnose_tenant(request: Request, principal: TenantEditor, body: RawObject) -> Any:
    """Say what works, what does not, and what to change. Nothing is sent, and nothing is saved.

    `{}` examines the mail server in force; settings in the body are examined without being saved, by the rules of
    saving them. A borrowed system server tells no more than a test mail. Takes 30 s at most; counts as a test mail.
    """
    return await _diagnose(request, principal, body)


@router.post(
    "/admin/notification/diagnose",
    tags=["System"],
    summary="Examine the system's mail server step by step",
    response_model=DiagnosisAnswer,
    responses=_FAILURES,
    openapi_extra=body_of(DiagnoseInForce, DiagnoseSystemSettings),
)
async def diagnose_system(request: Request, principal: SystemAdmin, body: RawObject) -> Any:
    """As for a tenant, with the system level's settings. The mail server may be in any network."""
    return await _diagnose(request, principal, body)


async def _diagnose(request: Request, principal: Principal, body: dict[str, Any]) -> dict[str, Any]:
    room: Room = request.app.state.room
    plan = await plan_diagnosis(room, principal, body)
    limits: Limits = request.app.state.limits
    limits.test_mails.hit(principal.tenant)
    return diagnosis_to_json(conclude(plan, [step async for step in examine(room, plan)]))
