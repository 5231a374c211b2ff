"""Tenants, for system administrators."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ringpost.api.authentication import Authenticator, SystemAdmin
from ringpost.api.json_routes import JsonRoute
from ringpost.api.openapi import errors, no_content
from ringpost.api.queries import Whole
from ringpost.api.schemas import Created
from ringpost.domain.hosts import MAX_DOMAIN
from ringpost.domain.tenants import LOCALE, LONGEST_LOCALE, LONGEST_NAME, Tenant, TenantDraft, TenantId
from ringpost.domain.times import rfc3339
from ringpost.storage import tenants
from ringpost.usecases.change_tenant import change_tenant
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.destroy_tenant import destroy_tenant
from ringpost.usecases.room import Room

MOST_AT_ONCE: Final = 1000

router = APIRouter(prefix="/tenants", route_class=JsonRoute, tags=["Tenants"])

TenantPath = Annotated[str, Path(description="Id of the tenant.", examples=["018c2f9a5b0a1b2c3d4e5f60"])]


def _shaped(pattern: str, longest: int) -> Any:
    """Tells the shape of a text that the domain checks; empty is not given."""
    return Field(json_schema_extra={"pattern": f"^(?:{pattern})?$", "maxLength": longest})


class TenantRequest(BaseModel):
    """A tenant, as a client says it. What is left out or null takes its default."""

    model_config = ConfigDict(strict=True)

    name: Annotated[
        str,
        Field(
            description=f"1 to {LONGEST_NAME} characters, none of them control characters.",
            examples=["Acme Ltd."],
            json_schema_extra={
                "minLength": 1,
                "maxLength": LONGEST_NAME,
                "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
            },
        ),
    ]
    domain: Annotated[
        str,
        Field(
            description="A host name, its own.",
            examples=["acme.example"],
            json_schema_extra={"minLength": 1, "maxLength": MAX_DOMAIN},
        ),
    ]
    enabled: Annotated[
        bool | None, Field(description="Default true. Tokens of a disabled tenant answer 403, and it sends no mail.")
    ] = None
    timezone: Annotated[
        Annotated[str, _shaped("[A-Za-z0-9+_/-]+", 64)] | None,
        Field(description="A name of the IANA database. Default UTC.", examples=["Europe/Berlin"]),
    ] = None
    locale: Annotated[
        Annotated[str, _shaped(LOCALE, LONGEST_LOCALE)] | None,
        Field(
            description="BCP 47 tag of a language, with script, region and variants if need be; no extensions and no "
            "private tags. Default en.",
            examples=["de-CH"],
        ),
    ] = None

    def draft(self) -> TenantDraft:
        """With the defaults in place."""
        enabled = True if self.enabled is None else self.enabled
        return TenantDraft(self.name, self.domain, enabled, (self.timezone or "UTC"), (self.locale or "en"))


class TenantAnswer(BaseModel):
    """A tenant."""

    id: str
    name: Annotated[str, Field(examples=["Acme Ltd."])]
    domain: Annotated[str, Field(examples=["acme.example"])]
    enabled: bool
    timezone: Annotated[str, Field(examples=["Europe/Berlin"])]
    locale: Annotated[str, Field(examples=["de-CH"])]
    created_at: Annotated[str, Field(description="RFC 3339, UTC.", examples=["2026-01-31T12:00:00.000Z"])]


class TenantList(BaseModel):
    """Tenants in the order in which they were made."""

    items: list[TenantAnswer]


@router.get("", summary="List the tenants", response_model=TenantList, responses=errors(401, 403, "VALIDATE_FAILED"))
async def get_tenants(
    _principal: SystemAdmin,
    request: Request,
    top: Annotated[Whole, Query(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = MOST_AT_ONCE,
    skip: Annotated[Whole, Query(ge=0, le=1 << 31, description="How many to leave out first.")] = 0,
) -> TenantList:
    """All tenants, `top` of them at a time."""
    found = await _room(request).database.read(tenants.list_all, top, skip)
    return TenantList(items=[_answer(tenant) for tenant in found])


@router.post(
    "",
    summary="Create a tenant",
    response_model=Created,
    status_code=201,
    responses=errors(401, 403, "ALREADY_EXISTS", "VALIDATE_FAILED"),
)
async def post_tenants(body: TenantRequest, principal: SystemAdmin, request: Request) -> Created:
    """Create a tenant. It has no settings of its own, and the default templates."""
    return Created(id=await create_tenant(_room(request), body.draft(), principal))


@router.get("/{tenant}", summary="Show a tenant", response_model=TenantAnswer, responses=errors(401, 403, 404))
async def get_tenant(tenant: TenantPath, _principal: SystemAdmin, request: Request) -> TenantAnswer:
    """One tenant."""
    return _answer(await _room(request).database.read(tenants.show, TenantId(tenant)))


@router.post(
    "/{tenant}",
    summary="Change a tenant",
    response_class=Response,
    responses=no_content("Changed.") | errors(401, 403, 404, "ALREADY_EXISTS", "VALIDATE_FAILED"),
)
async def post_tenant(tenant: TenantPath, body: TenantRequest, principal: SystemAdmin, request: Request) -> Response:
    """Replace all that is said about a tenant."""
    await change_tenant(_room(request), TenantId(tenant), body.draft(), principal)
    _forget_tokens(request)
    return Response()


@router.post("/{tenant}/destroy", summary="Destroy a tenant", status_code=204, responses=errors(401, 403, 404))
async def post_tenant_destroy(tenant: TenantPath, principal: SystemAdmin, request: Request) -> Response:
    """Remove a tenant with all its settings, templates, users, tokens, events and mail. It cannot be undone."""
    await destroy_tenant(_room(request), TenantId(tenant), principal)
    _forget_tokens(request)
    return Response(status_code=204)


def _room(request: Request) -> Room:
    return request.app.state.room


def _forget_tokens(request: Request) -> None:
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget()


def _answer(tenant: Tenant) -> TenantAnswer:
    return TenantAnswer(
        id=tenant.id,
        name=tenant.name,
        domain=tenant.domain,
        enabled=tenant.enabled,
        timezone=tenant.timezone,
        locale=tenant.locale,
        created_at=rfc3339(tenant.created_at),
    )
