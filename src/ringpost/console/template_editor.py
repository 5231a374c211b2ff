"""The editor of one template: as it is in force, as somebody is writing it, and saving it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.mail_trials import Trial
from ringpost.console.rendering import render
from ringpost.console.template_levels import TemplateLevel, TemplateView
from ringpost.console.visit import Visit
from ringpost.domain.catalogue import ALIASES, EventType, Variable
from ringpost.domain.differences import PartDifference, compare_templates
from ringpost.domain.templates import Parts, Place, Template, UnknownVariable, customise, places_of
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.storage import templates as rows
from ringpost.storage.templates import Revision
from ringpost.usecases.aside import aside
from ringpost.usecases.check_template import Checked, Draft, Values, check_template
from ringpost.usecases.edit_template import destroy_template
from ringpost.usecases.save_template import ChangedMeanwhile, Edited, save_template
from ringpost.usecases.show_default_templates import show_default_templates

PARTS: Final = ("from", "subject", "body", "text_body")
MOST_DIFFERENCES: Final = 1500
"""Lines of a difference that a page shows of one part."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What there is to say of a draft."""

    checked: Checked | None
    """None when it could not even be saved."""
    errors: tuple[FieldError, ...]
    unknown: tuple[tuple[UnknownVariable, tuple[Place, ...]], ...] = ()
    """What the type does not know, and where it stands."""
    missing: tuple[Variable, ...] = ()
    """What its reader would need and it does not say."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody else has saved meanwhile."""

    now: Revision | None
    """What is in force; None: the default."""
    differences: tuple[PartDifference, ...]
    """What the draft changes of that."""


@dataclass(frozen=True, slots=True)
class Editing:
    """What an editor's page shows beside what is in force. Nothing: the page as it was opened."""

    form: Form | None = None
    """The draft."""
    told: Trial | None = None
    """What became of a test mail."""
    differences: tuple[PartDifference, ...] | None = None
    """What the draft changes of the default."""
    clash: Clash | None = None


async def show_editor(visit: Visit, level: TemplateLevel) -> Response:
    """The template as it is in force."""
    return await editor_page(visit, level, Editing())


async def save(visit: Visit, level: TemplateLevel) -> Response:
    """Put it in force, unless somebody else was faster."""
    kind, draft = level.kind(visit), posted_draft(visit, level)
    edited = Edited(kind.name, draft.parts, visit.posted.text("seen"))
    try:
        await save_template(visit.room, level.principal(visit), edited)
    except Invalid as reason:
        return await editor_page(visit, level, Editing(refused(posted_values(visit), reason)), status=422)
    except ChangedMeanwhile as reason:
        clash = Clash(reason.now, await _differences_to(visit, level, reason.now, draft))
        return await editor_page(visit, level, Editing(Form(posted_values(visit)), clash=clash), status=409)
    return visit.redirect(f"{level.path}/{kind.name}", done="saved")


async def reset(visit: Visit, level: TemplateLevel) -> Response:
    """Go back to the default."""
    kind = level.kind(visit)
    with suppress(NotFound):  # somebody else has done it
        await destroy_template(visit.room, level.principal(visit), kind.name)
    return visit.redirect(f"{level.path}/{kind.name}", done="reset")


async def editor_page(visit: Visit, level: TemplateLevel, editing: Editing, *, status: int = 200) -> Response:
    """The page, with the draft that is being edited or what is in force."""
    kind = level.kind(visit)
    default = (await show_default_templates(visit.room, level.owner(visit)))[kind.name]
    current = await visit.room.database.read(rows.show, level.owner(visit), kind.name)
    form = editing.form or Form(_saved_values(visit, current, default))
    draft = Draft(kind.name, parts_of(form.values))
    saved = await level.level.saved(visit)
    return render(
        visit,
        "template_editor.html",
        status=status,
        level=level,
        kind=kind,
        default=default,
        current=current,
        form=form,
        editing=editing,
        looked=await look_at(visit, level, draft, chosen_values(str(form.value("values")))),
        aliases=_aliases(kind),
        recipients=[one.spec for one in saved.settings.recipients],
        most=MOST_DIFFERENCES,
    )


async def look_at(visit: Visit, level: TemplateLevel, draft: Draft, values: Values) -> Looked:
    """Check a draft, with where everything stands."""
    try:
        checked = await check_template(visit.room, level.owner(visit), draft, values)
    except Invalid as reason:
        return Looked(None, reason.errors)
    places, variables = places_of(draft.parts), {one.name: one for one in level.catalogue[draft.name].variables}
    findings = checked.findings
    return Looked(
        checked,
        (),
        tuple((one, places.get(one.name, ())[:20]) for one in findings.unknown_variables),
        tuple(variables[name] for name in findings.missing_variables),
    )


def posted_values(visit: Visit) -> dict[str, Any]:
    """What stands in the editor's fields, to be shown again."""
    return {name: visit.posted.text(name) for name in (*PARTS, "values", "view", "to")}


def posted_draft(visit: Visit, level: TemplateLevel) -> Draft:
    """The template as it stands in the editor. Raises NotFound."""
    return Draft(level.kind(visit).name, parts_of(posted_values(visit)))


def parts_of(values: Any) -> Parts:
    """What was written; a field with nothing in it is the default's part."""
    return Parts(*(text if (text := str(values.get(name) or "")).strip() else None for name in PARTS))


def chosen_values(word: str) -> Values:
    """Where the values of a preview come from."""
    return Values.LAST_EVENT if word == Values.LAST_EVENT else Values.SAMPLES


async def _differences_to(
    visit: Visit, level: TemplateLevel, now: Revision | None, draft: Draft
) -> tuple[PartDifference, ...]:
    owner = level.owner(visit)
    default = (await show_default_templates(visit.room, owner))[draft.name]
    pair = customise(default, now.parts if now else Parts()), customise(default, draft.parts)
    return await aside(owner, compare_templates, *pair)


def _saved_values(visit: Visit, current: Revision | None, default: Template) -> dict[str, Any]:
    """The fields as they were saved; `?start=body` has the default's HTML to start from."""
    parts = current.parts if current else Parts()
    asked = visit.request.query_params
    values = {"from": parts.from_, "subject": parts.subject, "body": parts.body, "text_body": parts.text_body}
    for part, text in (("body", default.body), ("text_body", default.text_body)):
        if asked.get("start") == part and not values[part]:
            values[part] = text
    return {**values, "values": asked.get("values"), "view": asked.get("view")}


def _aliases(kind: EventType) -> dict[str, list[str]]:
    """Other names of a type's variables, by variable."""
    return {one.name: [alias for alias, name in ALIASES.items() if name == one.name] for one in kind.variables}


VIEWS_OF_EDITOR: Final = (
    TemplateView("/{name}", show_editor, reads=True),
    TemplateView("/{name}", save),
    TemplateView("/{name}/reset", reset),
)
