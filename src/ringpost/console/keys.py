"""API keys of a tenant and of the system level: made and shown once, listed, revoked."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.languages import N_
from ringpost.console.levels import LEVELS, Level
from ringpost.console.rendering import render
from ringpost.console.routing import get, post
from ringpost.console.visit import Visit
from ringpost.domain.access import Role, Scope, Token
from ringpost.domain.secrets import Secret
from ringpost.errors import FieldError, Invalid
from ringpost.storage import access
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.revoke_token import revoke_token


@dataclass(frozen=True, slots=True)
class Use:
    """What a key is for. Texts are English, to be translated."""

    name: str
    title: str
    allows: str
    scopes: frozenset[Scope]
    role: Role


_EVENTS = frozenset({Scope.EVENTS_WRITE})
_SETTINGS = frozenset({Scope.SETTINGS})
_ADMIN = frozenset({Scope.ADMIN})

OF_TENANT: Final = (
    Use(
        "events",
        N_("Send events"),
        N_("What a phone system needs: it reports what happened, and may ask what became of its own mails."),
        _EVENTS,
        Role.TENANT_ADMIN,
    ),
    Use(
        "settings",
        N_("Change settings"),
        N_("Mail server, notifications and templates; test mails; retry and cancel mails. It sends no events."),
        _SETTINGS,
        Role.TENANT_ADMIN,
    ),
    Use("both", N_("Send events and change settings"), N_("Both of these."), _EVENTS | _SETTINGS, Role.TENANT_ADMIN),
    Use(
        "look",
        N_("Only look"),
        N_("Reads settings, templates and mails, such as for a dashboard, and changes nothing."),
        frozenset(),
        Role.READ_ONLY,
    ),
)
OF_SYSTEM: Final = (
    Use(
        "events",
        N_("Send events"),
        N_("Events of the system itself, and of every tenant: for a phone system that serves them all."),
        _EVENTS,
        Role.SYSTEM_ADMIN,
    ),
    Use(
        "admin",
        N_("Administer"),
        N_("Everything at the system level: tenants, the system's mail server and notifications, and events."),
        _ADMIN | _EVENTS,
        Role.SYSTEM_ADMIN,
    ),
)
SCOPES: Final = (
    (Scope.ADMIN, N_("Administer")),
    (Scope.EVENTS_WRITE, N_("Send events")),
    (Scope.SETTINGS, N_("Change settings")),
)
"""What each scope allows, for keys of the command line whose scopes are no use's."""
DAYS: Final = (30, 90, 365, 730)
"""After how many days a key may end; or it does not end by itself."""


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was made just now; its text is never to be had again."""

    token: Token
    secret: Secret


async def show_keys(level: Level, visit: Visit) -> Response:
    """All of them, and the form for another."""
    return await _page(visit, level, Form(_BLANK))


async def make_key(level: Level, visit: Visit) -> Response:
    """Create one, and show it: this once, so the answer is the page itself and no way to another."""
    posted = visit.posted
    chosen = {name: posted.text(name) for name in ("name", "use", "days")}
    try:
        new = _new_key(level, chosen)
        token, secret = await create_token(visit.room, level.owner(visit), new, level.principal(visit))
    except Invalid as reason:
        return await _page(visit, level, refused(chosen, reason), status=422)
    return await _page(visit, level, Form(_BLANK), made=Made(token, secret))


async def end_key(level: Level, visit: Visit) -> Response:
    """Revoke one."""
    await revoke_token(visit.room, level.owner(visit), visit.request.path_params["key"], level.principal(visit))
    return visit.redirect(f"{level.prefix}/keys", done="revoked")


_BLANK = {"use": "events", "days": ""}


def _new_key(level: Level, chosen: dict[str, str]) -> NewKey:
    use = next((use for use in _uses(level) if use.name == chosen["use"]), None)
    if use is None:
        raise Invalid(FieldError("use", "Choose what the key may do."))
    if chosen["days"] not in ("", *map(str, DAYS)):
        raise Invalid(FieldError("days", "Choose when the key ends."))
    seconds = int(chosen["days"]) * 86_400 if chosen["days"] else None
    return NewKey(chosen["name"], use.scopes, use.role, seconds)


def _uses(level: Level) -> tuple[Use, ...]:
    return OF_SYSTEM if level.is_system else OF_TENANT


def _titles(level: Level, key: Token) -> tuple[str, ...]:
    """What the key may do, in words."""
    for use in _uses(level):
        if (use.scopes, use.role) == (key.scopes, key.role):
            return (use.title,)
    return tuple(title for scope, title in SCOPES if scope in key.scopes) or (OF_TENANT[-1].title,)


async def _page(visit: Visit, level: Level, form: Form, *, status: int = 200, made: Made | None = None) -> Response:
    keys = await visit.room.database.read(access.list_keys, level.owner(visit))
    titles = {key.id: _titles(level, key) for key in keys}
    return render(
        visit,
        "keys.html",
        status=status,
        form=form,
        level=level,
        keys=keys,
        made=made,
        uses=_uses(level),
        titles=titles,
        days=DAYS,
        now=visit.room.clock(),
    )


routes = tuple(
    route
    for level in LEVELS
    for route in (
        get(f"{level.prefix}/keys", partial(show_keys, level), level.to_see),
        post(f"{level.prefix}/keys", partial(make_key, level), level.to_change),
        post(f"{level.prefix}/keys/{{key}}/revoke", partial(end_key, level), level.to_change),
    )
)
