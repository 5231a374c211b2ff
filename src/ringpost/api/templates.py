"""Default and custom e-mail templates (docs/api.md#templates), and the check of a draft."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ringpost.api.authentication import TenantEditor, TenantReader
from ringpost.api.json_routes import JsonRoute
from ringpost.api.openapi import errors, no_content
from ringpost.api.schemas import (
    TEMPLATE_NAMES,
    CheckAnswer,
    Created,
    CustomTemplateAnswer,
    CustomTemplateList,
    DraftRequest,
    NewTemplate,
    TemplateAnswer,
    TemplateList,
    TemplateParts,
)
from ringpost.api.template_answers import check_answer, custom_answer, default_answer, parts_of
from ringpost.domain.catalogue import CATALOGUE
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.storage import templates
from ringpost.usecases.check_template import Draft, Values, check_template
from ringpost.usecases.edit_template import create_template, destroy_template, update_template
from ringpost.usecases.room import Room
from ringpost.usecases.show_default_templates import show_default_templates

router = APIRouter(route_class=JsonRoute)

Name = Annotated[
    str,
    Path(
        description="Name of the template, which is a type of event.",
        examples=["QUEUE_SLA"],
        json_schema_extra={"enum": TEMPLATE_NAMES},
    ),
]
_DEFAULTS = "Default templates"
_CUSTOM = "Custom templates"


@router.get(
    "/default_email_templates", tags=[_DEFAULTS], summary="List the default templates", responses=errors(401, 403)
)
async def list_defaults(request: Request, principal: TenantReader) -> TemplateList:
    """All of them, in the order of the types of events, in the language of the tenant's locale."""
    found = await show_default_templates(request.app.state.room, principal.tenant)
    return TemplateList(items=[default_answer(template) for template in found.values()])


@router.get(
    "/default_email_templates/{name}",
    tags=[_DEFAULTS],
    summary="Show a default template",
    responses=errors(401, 403, 404),
)
async def show_default(request: Request, name: Name, principal: TenantReader) -> TemplateAnswer:
    """One default template."""
    return default_answer((await show_default_templates(request.app.state.room, principal.tenant))[_known(name)])


@router.get("/custom_email_templates", tags=[_CUSTOM], summary="List the custom templates", responses=errors(401, 403))
async def list_custom(request: Request, principal: TenantReader) -> CustomTemplateList:
    """Only those that this tenant has customised."""
    room: Room = request.app.state.room
    found = {one.name: one for one in await room.database.read(templates.list_custom, principal.tenant)}
    return CustomTemplateList(items=[custom_answer(found[name]) for name in CATALOGUE if name in found])


@router.post(
    "/custom_email_templates",
    tags=[_CUSTOM],
    summary="Customise a template",
    status_code=201,
    responses=errors(401, 403, "ALREADY_EXISTS", "VALIDATE_FAILED"),
)
async def create(request: Request, principal: TenantEditor, body: NewTemplate) -> Created:
    """Write an own version of a default template. A part that is left out or null stays the default's."""
    if body.name not in CATALOGUE:
        raise Invalid(FieldError("name", f"This must be one of {', '.join(CATALOGUE)}, in upper case."))
    await create_template(request.app.state.room, principal, body.name, parts_of(body))
    return Created(id=body.name)


@router.get(
    "/custom_email_templates/{name}",
    tags=[_CUSTOM],
    summary="Show a custom template",
    responses=errors(401, 403, 404),
)
async def show_custom(request: Request, name: Name, principal: TenantReader) -> CustomTemplateAnswer:
    """One custom template; 404 when the tenant uses the default."""
    room: Room = request.app.state.room
    return custom_answer(await room.database.read(templates.get, principal.tenant, _known(name)))


@router.post(
    "/custom_email_templates/{name}",
    tags=[_CUSTOM],
    summary="Change a custom template",
    response_class=Response,
    responses={**no_content("Saved."), **errors(401, 403, 404, "VALIDATE_FAILED")},
)
async def update(request: Request, name: Name, principal: TenantEditor, body: TemplateParts) -> Response:
    """Replace `from`, `subject`, `body` and `text_body`. Mail that was accepted before is sent as it was."""
    await update_template(request.app.state.room, principal, _known(name), parts_of(body))
    return Response()


@router.post(
    "/custom_email_templates/{name}/destroy",
    tags=[_CUSTOM],
    summary="Go back to the default template",
    status_code=204,
    responses=errors(401, 403, 404),
)
async def destroy(request: Request, name: Name, principal: TenantEditor) -> None:
    """Remove the tenant's version."""
    await destroy_template(request.app.state.room, principal, _known(name))


@router.post(
    "/email_templates/{name}/check",
    tags=[_CUSTOM],
    summary="Check a template before it is saved",
    responses=errors(401, 403, 404, "VALIDATE_FAILED"),
)
async def check(request: Request, name: Name, principal: TenantEditor, body: DraftRequest) -> CheckAnswer:
    """Which variables are unknown or missing, and how the mail would look. Saves nothing."""
    draft = Draft(_known(name), parts_of(body))
    return check_answer(
        await check_template(request.app.state.room, principal.tenant, draft, body.values or Values.SAMPLES)
    )


def _known(name: str) -> str:
    if name not in CATALOGUE:
        raise NotFound("There is no template of this name.")
    return name
