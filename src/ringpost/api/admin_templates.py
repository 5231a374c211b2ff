"""The templates of the system level: as those of tenants (docs/api.md#templates), under /admin."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from ringpost.api.authentication import SystemAdmin
from ringpost.api.json_routes import JsonRoute
from ringpost.api.openapi import errors, no_content
from ringpost.api.schemas import (
    SYSTEM_TEMPLATE_NAMES,
    CheckAnswer,
    Created,
    CustomTemplateAnswer,
    DraftRequest,
    NewSystemTemplate,
    SystemCustomTemplateAnswer,
    SystemCustomTemplateList,
    SystemTemplateAnswer,
    SystemTemplateList,
    TemplateAnswer,
    TemplateParts,
)
from ringpost.api.template_answers import check_answer, custom_answer, default_answer, parts_of
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.storage import templates
from ringpost.usecases.check_template import Draft, Values, check_template
from ringpost.usecases.edit_template import create_template, destroy_template, update_template
from ringpost.usecases.room import Room
from ringpost.usecases.show_default_templates import show_default_templates

router = APIRouter(prefix="/admin", route_class=JsonRoute, tags=["System templates"])

Name = Annotated[
    str,
    Path(
        description="Name of the template, which is a type of event of the system level.",
        examples=["CPU_EXCEEDED"],
        json_schema_extra={"enum": SYSTEM_TEMPLATE_NAMES},
    ),
]


@router.get(
    "/default_email_templates",
    summary="List the system's default templates",
    response_model=SystemTemplateList,
    responses=errors(401, 403),
)
async def list_system_defaults(request: Request, principal: SystemAdmin) -> Any:
    """All of them, in the order of the types of events."""
    found = await show_default_templates(request.app.state.room, principal.tenant)
    return {"items": [_shown(default_answer(template)) for template in found.values()]}


@router.get(
    "/default_email_templates/{name}",
    summary="Show a default template of the system",
    response_model=SystemTemplateAnswer,
    responses=errors(401, 403, 404),
)
async def show_system_default(request: Request, name: Name, principal: SystemAdmin) -> Any:
    """One default template."""
    found = await show_default_templates(request.app.state.room, principal.tenant)
    return _shown(default_answer(found[_known(name)]))


@router.get(
    "/custom_email_templates",
    summary="List the system's custom templates",
    response_model=SystemCustomTemplateList,
    responses=errors(401, 403),
)
async def list_system_custom(request: Request, principal: SystemAdmin) -> Any:
    """Only those that were customised."""
    room: Room = request.app.state.room
    found = {one.name: one for one in await room.database.read(templates.list_custom, principal.tenant)}
    return {"items": [_shown(custom_answer(found[name])) for name in SYSTEM_CATALOGUE if name in found]}


@router.post(
    "/custom_email_templates",
    summary="Customise a template of the system",
    status_code=201,
    responses=errors(401, 403, "ALREADY_EXISTS", "VALIDATE_FAILED"),
)
async def create_system_custom(request: Request, principal: SystemAdmin, body: NewSystemTemplate) -> Created:
    """Write an own version of a default template. A part that is left out or null stays the default's."""
    if body.name not in SYSTEM_CATALOGUE:
        raise Invalid(FieldError("name", f"This must be one of {', '.join(SYSTEM_CATALOGUE)}, in upper case."))
    await create_template(request.app.state.room, principal, body.name, parts_of(body))
    return Created(id=body.name)


@router.get(
    "/custom_email_templates/{name}",
    summary="Show a custom template of the system",
    response_model=SystemCustomTemplateAnswer,
    responses=errors(401, 403, 404),
)
async def show_system_custom(request: Request, name: Name, principal: SystemAdmin) -> Any:
    """One custom template; 404 when the default is in use."""
    room: Room = request.app.state.room
    return _shown(custom_answer(await room.database.read(templates.get, principal.tenant, _known(name))))


@router.post(
    "/custom_email_templates/{name}",
    summary="Change a custom template of the system",
    response_class=Response,
    responses={**no_content("Saved."), **errors(401, 403, 404, "VALIDATE_FAILED")},
)
async def update_system_custom(request: Request, name: Name, principal: SystemAdmin, body: TemplateParts) -> Response:
    """Replace `from`, `subject`, `body` and `text_body`. Mail that was accepted before is sent as it was."""
    await update_template(request.app.state.room, principal, _known(name), parts_of(body))
    return Response()


@router.post(
    "/custom_email_templates/{name}/destroy",
    summary="Go back to the system's default template",
    status_code=204,
    responses=errors(401, 403, 404),
)
async def destroy_system_custom(request: Request, name: Name, principal: SystemAdmin) -> None:
    """Remove the own version."""
    await destroy_template(request.app.state.room, principal, _known(name))


@router.post(
    "/email_templates/{name}/check",
    summary="Check a template of the system before it is saved",
    responses=errors(401, 403, 404, "VALIDATE_FAILED"),
)
async def check_system(request: Request, name: Name, principal: SystemAdmin, body: DraftRequest) -> CheckAnswer:
    """Which variables are unknown or missing, and how the mail would look. Saves nothing."""
    draft = Draft(_known(name), parts_of(body))
    return check_answer(
        await check_template(request.app.state.room, principal.tenant, draft, body.values or Values.SAMPLES)
    )


def _known(name: str) -> str:
    if name not in SYSTEM_CATALOGUE:
        raise NotFound("There is no template of this name.")
    return name


def _shown(answer: TemplateAnswer | CustomTemplateAnswer) -> dict[str, Any]:
    return answer.model_dump(by_alias=True)
