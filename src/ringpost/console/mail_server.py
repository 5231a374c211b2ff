"""The mail server of a tenant, and the system's: a form, what is recognised while it is filled in, removing."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

from starlette.responses import Response

from ringpost.console.doctor_words import CHOICES, named
from ringpost.console.forms import Form, refused
from ringpost.console.levels import LEVELS, OF_TENANT, Level, Saved
from ringpost.console.meanwhile import SEEN_FIELD, SavedMeanwhile, mark_of, refuse_unseen
from ringpost.console.recognition import recognise
from ringpost.console.rendering import render
from ringpost.console.routing import Page, get, post
from ringpost.console.server_form import PORTS, fields_of, is_not_saved, refuse_number, values_of, values_posted
from ringpost.console.visit import Visit
from ringpost.domain.oauth import oauth_to_json
from ringpost.errors import Invalid, PasswordRequired

_MAY_BE_USED: Final = ("type", "server", "port", "tls", "auth")
_TOLD: Final = (*_MAY_BE_USED, "username", "reply_to")
"""Fields whose stored values are told to who has typed others."""
_LONGEST: Final = 2000
_ANSWERS_TO: Final = "answers_to"
"""The same as `reply_to` of the form of a mail server, where there is none."""

LevelView = Callable[[Level, Visit], Coroutine[Any, Any, Response]]


async def show_mail_server(level: Level, visit: Visit) -> Response:
    """The form as it was saved."""
    return await mail_server_page(level, visit)


async def save_mail_server(level: Level, visit: Visit) -> Response:
    """Save it, unless somebody else was faster; recipients and switches stay as they are."""
    posted, hosts = visit.posted, visit.room.options.provider_hosts

    def edited(saved: Saved) -> Mapping[str, Any]:
        refuse_unseen(posted, _shown(visit, saved))
        refuse_number(posted)
        return fields_of(posted, saved, hosts)

    try:
        await level.save(visit, edited)
    except (Invalid, PasswordRequired) as reason:
        return await mail_server_page(level, visit, is_not_saved(values_posted(posted), reason), status=422)
    except SavedMeanwhile:
        return await _clash_page(level, visit, await level.saved(visit), values_posted(posted))
    return visit.redirect(level.path, done="saved")


async def remove_mail_server(level: Level, visit: Visit) -> Response:
    """Forget it, password and all, unless somebody else has saved another meanwhile."""
    nothing = dict.fromkeys(("type", "server", "port", "reply_to", "username", "password", "auth"))

    def edited(saved: Saved) -> Mapping[str, Any]:
        if saved.own:
            refuse_unseen(visit.posted, _shown(visit, saved))
        return {**nothing, "enable_tls_ssl": None, "enable_starttls_auto": None}

    try:
        await level.save(visit, edited)
    except SavedMeanwhile:
        seen = mark_of(_shown(visit, await level.saved(visit)))
        return await mail_server_page(level, visit, status=409, seen=seen, not_removed=True)
    return visit.redirect(level.path, done="removed")


async def save_answers_to(level: Level, visit: Visit) -> Response:
    """Where answers go to mails that the system's mail server sends for the tenant, unless somebody was faster."""
    typed = visit.posted.text(_ANSWERS_TO)

    def edited(saved: Saved) -> Mapping[str, Any]:
        refuse_unseen(visit.posted, _shown(visit, saved))
        return {"reply_to": typed}

    try:
        await level.save(visit, edited)
    except Invalid as reason:
        here = Invalid(*(replace(fault, field=_ANSWERS_TO) for fault in reason.errors))
        return await mail_server_page(level, visit, status=422, answers=refused({_ANSWERS_TO: typed}, here))
    except SavedMeanwhile:
        now = await level.saved(visit)
        values = {**values_of(now, visit.room.options.provider_hosts), "reply_to": typed}
        return await _clash_page(level, visit, now, values, answers=Form({_ANSWERS_TO: typed}))
    return visit.redirect(level.path, done="saved")


async def tell_provider(level: Level, visit: Visit) -> Response:
    """What is recognised in the form as far as it is filled in."""
    values = values_posted(visit.posted)
    if visit.wants_fragment:
        return render(visit, "recognised.html", level=level, recognised=recognise(visit, values))
    return await mail_server_page(level, visit, Form(values))


async def use_suggestion(level: Level, visit: Visit) -> Response:
    """Put suggested values into the form, without scripts. Nothing is saved."""
    used = _used(visit.posted.text("use"))
    return await mail_server_page(level, visit, Form({**values_posted(visit.posted), **used}), used=used)


async def mail_server_page(
    level: Level, visit: Visit, form: Form | None = None, *, status: int = 200, **more: Any
) -> Response:
    """The page; with what is saved, unless `form` has something else. `more`: results to show."""
    saved = await level.saved(visit)
    form = form or Form(values_of(saved, visit.room.options.provider_hosts))
    known: dict[str, Any] = {"used": {}, "verdict": None, "steps": (), "tested": None, "to": _first(saved)}
    known |= {"clash": None, "not_removed": False}
    known["seen"] = visit.posted.text(SEEN_FIELD) or mark_of(_shown(visit, saved))
    known["answers"] = Form({_ANSWERS_TO: saved.fields["reply_to"]})
    known.update(more)
    return render(
        visit,
        "mail_server.html",
        status=status,
        level=level,
        form=form,
        fixed=not level.may_edit(visit),
        saved=saved,
        oauth=oauth_to_json(saved.credentials, visit.room.clock()),
        recognised=recognise(visit, form.values),
        choices=CHOICES,
        ports=PORTS,
        used_words=named(visit, known["used"]),
        **known,
    )


def at_both_levels(routes: Iterable[tuple[str, str, LevelView]]) -> tuple[Page, ...]:
    """Routes of pages that a tenant and the system have alike, by method and what follows the level's path."""
    made: list[Page] = []
    for level in LEVELS:
        for method, path, view in routes:
            page = get if method == "GET" else post
            access = level.to_see if method == "GET" else level.to_change
            made.append(page(f"{level.path}{path}", partial(view, level), access))
    return tuple(made)


def _shown(visit: Visit, saved: Saved) -> dict[str, Any]:
    """What the page shows of what is stored."""
    return {**values_of(saved, visit.room.options.provider_hosts), "password": saved.has_password}


async def _clash_page(level: Level, visit: Visit, now: Saved, typed: Mapping[str, Any], **more: Any) -> Response:
    """What was typed, what is stored instead, and the way to save all the same."""
    clash, seen = named(visit, _saved_otherwise(visit, now, typed)), mark_of(_shown(visit, now))
    return await mail_server_page(level, visit, Form(typed), status=409, clash=clash, seen=seen, **more)


def _saved_otherwise(visit: Visit, saved: Saved, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of the fields in which it is not what was typed."""
    stored = values_of(saved, visit.room.options.provider_hosts)
    return {name: stored[name] or "\N{EN DASH}" for name in _TOLD if str(stored[name] or "") != str(typed[name] or "")}


def _first(saved: Saved) -> str:
    """Whom a test mail is offered to."""
    return saved.settings.recipients[0].spec if saved.settings.recipients else ""


def _used(text: str) -> dict[str, str]:
    """The values of a button that puts them into the form; whatever else was sent is left out."""
    try:
        sent: object = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        sent = None
    values = cast("dict[str, object]", sent) if isinstance(sent, dict) else {}
    return {name: str(values[name]) for name in _MAY_BE_USED if isinstance(values.get(name), str | int)}


routes = (
    *at_both_levels(
        (
            ("GET", "", show_mail_server),
            ("POST", "", save_mail_server),
            ("POST", "/remove", remove_mail_server),
            ("POST", "/provider", tell_provider),
            ("POST", "/use", use_suggestion),
        )
    ),
    post(f"{OF_TENANT.path}/answers", partial(save_answers_to, OF_TENANT), OF_TENANT.to_change),
)
