"""Default and custom e-mail templates (contract, sections 3 and 4), and the check of a draft."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from ringpost.api.authentication import TenantEditor, TenantReader
from ringpost.api.http_rules import JsonRoute
from ringpost.api.openapi import errors, no_content
from ringpost.api.schemas import (
    TEMPLATE_NAMES,
    CheckAnswer,
    Created,
    CustomTemplateAnswer,
    CustomTemplateList,
    DraftRequest,
    NewTemplate,
    Preview,
    TemplateAnswer,
    TemplateList,
    TemplateParts,
    UnknownVariable,
)
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.templates import Template
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.storage import templates
from ringpost.storage.default_templates import default_templates
from ringpost.storage.templates import Parts, Revision
from ringpost.usecases.check_template import Checked, Draft, check_template
from ringpost.usecases.edit_template import create_template, destroy_template, update_template
from ringpost.usecases.room import Room

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
async def list_defaults(_principal: TenantReader) -> TemplateList:
    """All fourteen, in the order of the types of events."""
    return TemplateList(items=[_default(template) for template in default_templates().values()])


@router.get(
    "/default_email_templates/{name}",
    tags=[_DEFAULTS],
    summary="Show a default template",
    responses=errors(401, 403, 404),
)
async def show_default(name: Name, _principal: TenantReader) -> TemplateAnswer:
    """One default template."""
    return _default(default_templates()[_known(name)])


@router.get("/custom_email_templates", tags=[_CUSTOM], summary="List the custom templates", responses=errors(401, 403))
async def list_custom(request: Request, principal: TenantReader) -> CustomTemplateList:
    """Only those that this tenant has customised."""
    room: Room = request.app.state.room
    found = {one.name: one for one in await room.database.read(templates.list_custom, principal.tenant)}
    return CustomTemplateList(items=[_custom(found[name]) for name in CATALOGUE if name in found])


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
    await create_template(request.app.state.room, principal, body.name, _parts(body))
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
    return _custom(await room.database.read(templates.get, principal.tenant, _known(name)))


@router.post(
    "/custom_email_templates/{name}",
    tags=[_CUSTOM],
    summary="Change a custom template",
    response_class=Response,
    responses={**no_content("Saved."), **errors(401, 403, 404, "VALIDATE_FAILED")},
)
async def update(request: Request, name: Name, principal: TenantEditor, body: TemplateParts) -> Response:
    """Replace `from`, `subject`, `body` and `text_body`. Mail that was accepted before is sent as it was."""
    await update_template(request.app.state.room, principal, _known(name), _parts(body))
    return Response()


@router.post(
    "/custom_email_templates/{name}/destroy",
    tags=[_CUSTOM],
    summary="Go back to the default template",
    status_code=204,
    responses=errors(401, 403, 404),
)
async def destroy(request: Request, name: Name, principal: TenantEditor) -> None:
    """Remove the tenant's version. Beyond the contract."""
    await destroy_template(request.app.state.room, principal, _known(name))


@router.post(
    "/email_templates/{name}/check",
    tags=[_CUSTOM],
    summary="Check a template before it is saved",
    responses=errors(401, 403, 404, "VALIDATE_FAILED"),
)
async def check(request: Request, name: Name, principal: TenantEditor, body: DraftRequest) -> CheckAnswer:
    """Which variables are unknown or missing, and how the mail would look. Saves nothing. Beyond the contract."""
    draft = Draft(_known(name), _parts(body))
    return _checked(await check_template(request.app.state.room, principal.tenant, draft, body.values))


def _known(name: str) -> str:
    if name not in CATALOGUE:
        raise NotFound("There is no template of this name.")
    return name


def _parts(body: TemplateParts) -> Parts:
    return Parts(body.from_, body.subject, body.body, body.text_body)


def _default(template: Template) -> TemplateAnswer:
    return TemplateAnswer.model_validate(
        {
            "name": template.name,
            "from": template.from_,
            "subject": template.subject,
            "body": template.body,
            "text_body": template.text_body,
        }
    )


def _custom(revision: Revision) -> CustomTemplateAnswer:
    parts = revision.parts
    return CustomTemplateAnswer.model_validate(
        {
            "name": revision.name,
            "from": parts.from_,
            "subject": parts.subject,
            "body": parts.body,
            "text_body": parts.text_body,
        }
    )


def _checked(checked: Checked) -> CheckAnswer:
    rendered = checked.preview
    preview = {
        "from": rendered.from_name,
        "subject": rendered.subject,
        "html": rendered.html_for_preview,
        "text": rendered.text,
        "values": checked.values,
    }
    return CheckAnswer(
        unknown_variables=[
            UnknownVariable(name=one.name, nearest=one.nearest) for one in checked.findings.unknown_variables
        ],
        missing_variables=list(checked.findings.missing_variables),
        preview=Preview.model_validate(preview),
    )
