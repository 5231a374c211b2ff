"""GET /tenant/export and POST /tenant/import, and the same under /admin: settings and templates as one file."""

from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from ringpost.api.authentication import SystemAdmin, TenantEditor, TenantReader
from ringpost.api.json_routes import JsonRoute, RawObject
from ringpost.api.openapi import body_of, errors
from ringpost.domain.access import Principal
from ringpost.domain.tenant_files import VERSION
from ringpost.usecases.export_tenant import export_tenant
from ringpost.usecases.import_tenant import import_tenant

router = APIRouter(route_class=JsonRoute)

_OF_TENANT: list[str | Enum] = ["Export and import"]
_OF_SYSTEM: list[str | Enum] = ["System"]
_FAILURES = errors(401, 403, "VALIDATE_FAILED")

_EXAMPLE = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "port": 587}

DryRun = Annotated[bool, Query(description="Only tell what would change.")]
Text = Annotated[str | list[str] | None, Field(description="Several lines are a list of them.")]


class PartsInFile(BaseModel):
    """What was customised of a template; null where the default's part stands."""

    from_: Annotated[Text, Field(alias="from", examples=["%%TENANT_NAME%%"])] = None
    subject: Annotated[Text, Field(examples=["Waiting too long in %%QUEUE_NAME%%"])] = None
    body: Annotated[Text, Field(examples=[["<p>%%QUEUE_NAME%%:", "callers are waiting.</p>"]])] = None
    text_body: Annotated[Text, Field(examples=[None])] = None


class FileContent(BaseModel):
    """Settings and templates. When it is imported, a section that is left out stays as it is."""

    version: Annotated[int, Field(ge=1, le=VERSION, examples=[VERSION])]
    secrets_left_out: Annotated[
        list[str] | None, Field(description="Which secrets these settings need.", examples=[["settings.password"]])
    ] = None
    settings: Annotated[
        dict[str, Any] | None,
        Field(description="As POST takes them.", examples=[_EXAMPLE]),
    ] = None
    oauth: Annotated[
        dict[str, Any] | None, Field(description="As POST takes them; null when there are none.", examples=[None])
    ] = None
    templates: Annotated[
        dict[str, PartsInFile] | None, Field(description="Those that are customised.", examples=[{}])
    ] = None


class TenantFileContent(FileContent):
    """A tenant's settings and templates."""

    format: Annotated[Literal["ringpost-tenant"], Field(examples=["ringpost-tenant"])]


class SystemFileContent(FileContent):
    """The system level's settings and templates."""

    format: Annotated[Literal["ringpost-system"], Field(examples=["ringpost-system"])]


class ChangeAnswer(BaseModel):
    """One difference between what there was and what the file says."""

    place: Annotated[str, Field(examples=["settings.port"])]
    before: Annotated[Any, Field(description="Texts are cut off; secrets are `***`.", examples=[25])]
    after: Annotated[Any, Field(examples=[587])]
    line: Annotated[int | None, Field(description="Of a text with several lines: the first that differs.")]


class MissingSecret(BaseModel):
    """A secret that is needed and that the file does not hold."""

    field: Annotated[str, Field(examples=["settings.password"])]
    message: str


class ImportAnswer(BaseModel):
    """What was changed, or would be."""

    dry_run: bool
    changes: list[ChangeAnswer]
    enter_again: list[MissingSecret]


@router.get(
    "/tenant/export",
    tags=_OF_TENANT,
    summary="Export settings and templates",
    response_model=TenantFileContent,
    responses=errors(401, 403),
)
async def export_own(request: Request, principal: TenantReader) -> Response:
    """One file, without secrets; `secrets_left_out` names those that have to be entered where it is imported."""
    return await _exported(request, principal)


@router.post(
    "/tenant/import",
    tags=_OF_TENANT,
    summary="Import settings and templates",
    response_model=ImportAnswer,
    responses=_FAILURES,
    openapi_extra=body_of(TenantFileContent),
)
async def import_own(request: Request, principal: TenantEditor, body: RawObject, dry_run: DryRun = False) -> Any:
    """Make the tenant be as the file says: all of it, or nothing when anything is wrong. 16 MiB at most.

    Each section of the file replaces what there is: a template that it does not name goes back to the default. Stored
    secrets stay where a POST of the settings would let them stay; `enter_again` names those that are needed now.
    """
    return await _imported(request, principal, body, dry_run=dry_run)


@router.get(
    "/admin/export",
    tags=_OF_SYSTEM,
    summary="Export the system's settings and templates",
    response_model=SystemFileContent,
    responses=errors(401, 403),
)
async def export_system(request: Request, principal: SystemAdmin) -> Response:
    """As for a tenant; tenants are not in it."""
    return await _exported(request, principal)


@router.post(
    "/admin/import",
    tags=_OF_SYSTEM,
    summary="Import the system's settings and templates",
    response_model=ImportAnswer,
    responses=_FAILURES,
    openapi_extra=body_of(SystemFileContent),
)
async def import_system(request: Request, principal: SystemAdmin, body: RawObject, dry_run: DryRun = False) -> Any:
    """As for a tenant."""
    return await _imported(request, principal, body, dry_run=dry_run)


async def _exported(request: Request, principal: Principal) -> Response:
    content = await export_tenant(request.app.state.room, principal.tenant)
    name = {"Content-Disposition": f'attachment; filename="{content["format"]}.json"'}
    return Response(msgspec.json.format(msgspec.json.encode(content)), headers=name, media_type="application/json")


async def _imported(
    request: Request, principal: Principal, body: dict[str, Any], *, dry_run: bool
) -> dict[str, object]:
    imported = await import_tenant(request.app.state.room, principal, body, dry_run=dry_run)
    return imported.to_json(dry_run=dry_run)
