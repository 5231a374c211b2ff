"""Templates as the API shows and takes them, for tenants and the system level alike."""

from ringpost.api.schemas import (
    CheckAnswer,
    CustomTemplateAnswer,
    Preview,
    TemplateAnswer,
    TemplateParts,
    UnknownVariable,
)
from ringpost.domain.templates import Parts, Template
from ringpost.storage.templates import Revision
from ringpost.usecases.check_template import Checked


def parts_of(body: TemplateParts) -> Parts:
    """What was posted."""
    return Parts(body.from_, body.subject, body.body, body.text_body)


def default_answer(template: Template) -> TemplateAnswer:
    """A whole template."""
    return TemplateAnswer.model_validate(
        {
            "name": template.name,
            "from": template.from_,
            "subject": template.subject,
            "body": template.body,
            "text_body": template.text_body,
        }
    )


def custom_answer(revision: Revision) -> CustomTemplateAnswer:
    """A template as it was customised."""
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


def check_answer(checked: Checked) -> CheckAnswer:
    """What a check found."""
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
