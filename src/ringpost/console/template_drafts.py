"""What can be done with a template before it is saved: look at it, have it checked, compare it, send it."""

from typing import Final

from starlette.responses import Response

from ringpost.console.forms import Form
from ringpost.console.frames import frame, mail_text, words_in_frame
from ringpost.console.mail_trials import try_mail
from ringpost.console.rendering import render
from ringpost.console.template_editor import (
    MOST_DIFFERENCES,
    Editing,
    chosen_values,
    editor_page,
    look_at,
    posted_draft,
    posted_values,
)
from ringpost.console.template_levels import TemplateLevel, TemplateView
from ringpost.console.visit import Visit
from ringpost.domain.addresses import Address
from ringpost.domain.differences import compare_templates
from ringpost.domain.templates import Parts, customise
from ringpost.errors import Invalid
from ringpost.storage import templates as rows
from ringpost.usecases.aside import aside
from ringpost.usecases.check_template import Draft, check_template
from ringpost.usecases.send_draft import send_draft
from ringpost.usecases.show_default_templates import show_default_templates


async def show_saved(visit: Visit, level: TemplateLevel) -> Response:
    """The mail of what is in force, or of `?revision=`, for a frame."""
    kind, asked = level.kind(visit), visit.request.query_params
    number = asked.get("revision", "")
    if number.isascii() and number.isdigit() and len(number) < 10:
        revision = await visit.room.database.read(rows.numbered, level.owner(visit), kind.name, int(number))
    else:
        revision = await visit.room.database.read(rows.show, level.owner(visit), kind.name)
    parts = Parts() if revision is None else revision.parts
    return await _frame(visit, level, Draft(kind.name, parts), asked.get("values", ""), asked.get("view", ""))


async def show_draft(visit: Visit, level: TemplateLevel) -> Response:
    """The mail of the draft, for a frame."""
    posted = visit.posted
    return await _frame(visit, level, posted_draft(visit, level), posted.text("values"), posted.text("view"))


async def check(visit: Visit, level: TemplateLevel) -> Response:
    """Sender and subject as they will be, and what is wrong with the draft."""
    if not visit.wants_fragment:
        return await editor_page(visit, level, Editing(Form(posted_values(visit))))
    draft = posted_draft(visit, level)
    looked = await look_at(visit, level, draft, chosen_values(visit.posted.text("values")))
    return render(visit, "template_check.html", looked=looked, asked=visit.posted.text("values"))


async def show_difference(visit: Visit, level: TemplateLevel) -> Response:
    """From the default to the draft."""
    draft = posted_draft(visit, level)
    default = (await show_default_templates(visit.room, level.owner(visit)))[draft.name]
    differences = await aside(level.owner(visit), compare_templates, default, customise(default, draft.parts))
    if visit.wants_fragment:
        return render(visit, "template_difference.html", differences=differences, most=MOST_DIFFERENCES)
    return await editor_page(visit, level, Editing(Form(posted_values(visit)), differences=differences))


async def send_test(visit: Visit, level: TemplateLevel) -> Response:
    """Send the draft to one address."""
    draft, values = posted_draft(visit, level), chosen_values(visit.posted.text("values"))

    async def send(recipient: Address) -> None:
        await send_draft(visit.room, level.principal(visit), draft, values, recipient)

    told = await try_mail(visit, level.owner(visit), visit.posted.text("to"), send)
    if visit.wants_fragment:
        return render(visit, "sample_result.html", kind=told.kind, text=told.text)
    return await editor_page(visit, level, Editing(Form(posted_values(visit)), told=told))


async def _frame(visit: Visit, level: TemplateLevel, draft: Draft, values: str, view: str) -> Response:
    try:
        mail = (await check_template(visit.room, level.owner(visit), draft, chosen_values(values))).preview
    except Invalid as reason:
        wrong = visit.say("This cannot be shown yet. %(why)s", why=visit.say(reason.errors[0].message))
        return words_in_frame(draft.name, wrong)
    html = None if view == "text" else mail.html_for_preview
    return frame(mail_text(mail.subject, mail.text) if html is None else html)


VIEWS_OF_DRAFTS: Final = (
    TemplateView("/{name}/preview", show_saved, reads=True),
    TemplateView("/{name}/preview", show_draft),
    TemplateView("/{name}/check", check),
    TemplateView("/{name}/difference", show_difference),
    TemplateView("/{name}/test", send_test),
)
