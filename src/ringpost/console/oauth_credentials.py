"""Signing in to Microsoft 365 and Gmail without a password: what to make there, and where it goes here."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from ringpost.console.forms import Form, Posted, refused
from ringpost.console.languages import N_
from ringpost.console.levels import Level, Saved
from ringpost.console.mail_server import at_both_levels
from ringpost.console.rendering import render
from ringpost.console.visit import Visit
from ringpost.domain.credentials import Cloud
from ringpost.domain.mail_servers import ServerType
from ringpost.domain.oauth import Method, Provider, oauth_to_json
from ringpost.errors import FieldError, Invalid, PasswordRequired
from ringpost.usecases.change_oauth import change_oauth, destroy_oauth

PROVIDERS: Final = {
    Method.CLIENT_SECRET: Provider.MS365,
    Method.CERTIFICATE: Provider.MS365,
    Method.SERVICE_ACCOUNT: Provider.GMAIL,
    Method.REFRESH_TOKEN: Provider.GMAIL,
}
_OF_MICROSOFT: Final = {"tenant": "directory", "client_id": "client_id", "cloud": "cloud"}
"""Field of the API -> field of the form."""
_OF_GOOGLE: Final = {"client_id": "google_client_id", "client_secret": "google_client_secret"}
_SHOWN: Final = ("method", "directory", "client_id", "cloud", "secret_expires_at", "google_client_id")
"""What is shown again of what was typed: everything but secrets."""

_PASTE = N_("Paste it here. What is stored is of another kind, or for another organisation, and cannot be kept.")


async def show_oauth(level: Level, visit: Visit) -> Response:
    """The form as it was saved."""
    return await _page(level, visit)


async def save_oauth(level: Level, visit: Visit) -> Response:
    """Save it; a secret that was left empty stays."""
    posted, saved = visit.posted, await level.saved(visit)
    method = _method(posted.text("method"))
    try:
        await change_oauth(visit.room, level.principal(visit), _fields(posted, method, saved))
    except (Invalid, PasswordRequired) as reason:
        values = {name: posted.text(name) for name in _SHOWN}
        return await _page(level, visit, _refused(values, method, reason), status=422)
    return visit.redirect(f"{level.path}/oauth", done="saved")


async def remove_oauth(level: Level, visit: Visit) -> Response:
    """Forget them, secrets and all."""
    await destroy_oauth(visit.room, level.principal(visit))
    return visit.redirect(f"{level.path}/oauth", done="removed")


async def _page(level: Level, visit: Visit, form: Form | None = None, *, status: int = 200) -> Response:
    saved = await level.saved(visit)
    shown = oauth_to_json(saved.credentials, visit.room.clock())
    return render(
        visit,
        "oauth.html",
        status=status,
        level=level,
        form=form or Form(_values(saved)),
        saved=saved,
        shown=shown,
        fixed=not level.may_edit(visit),
        is_used=saved.own is not None and saved.own.type == shown["provider"],
        clouds=tuple(cloud.value for cloud in Cloud),
    )


def _values(saved: Saved) -> dict[str, Any]:
    stored = saved.credentials
    if stored is None or stored.method is None:
        google = saved.own is not None and saved.own.type is ServerType.GMAIL
        return {"method": Method.SERVICE_ACCOUNT if google else Method.CLIENT_SECRET, "cloud": Cloud.GLOBAL.value}
    own = "client_id" if stored.provider is Provider.MS365 else "google_client_id"
    return {
        "method": stored.method.value,
        "directory": stored.directory,
        "cloud": stored.cloud.value,
        "secret_expires_at": _day(stored.secret_expires_at),
        own: stored.client_id,
    }


def _fields(posted: Posted, method: Method, saved: Saved) -> dict[str, Any]:
    """The fields of the API that the form comes to. Raises Invalid when a secret of another kind is needed."""
    fields: dict[str, Any] = {"provider": PROVIDERS[method].value}
    if PROVIDERS[method] is Provider.MS365:
        fields |= {name: posted.text(field) for name, field in _OF_MICROSOFT.items()}
        fields["secret_expires_at"] = posted.text("secret_expires_at") if method is Method.CLIENT_SECRET else None
    elif method is Method.REFRESH_TOKEN:
        fields |= {name: posted.text(field) or None for name, field in _OF_GOOGLE.items()}
    secret = posted.text(method.value).strip()
    if secret:
        fields[method.value] = secret
    elif saved.credentials is None or saved.credentials.method is not method:
        # Else what is stored would stay, of the other kind, without a word.
        raise Invalid(*_lacks(posted, method))
    return fields


def _lacks(posted: Posted, method: Method) -> list[FieldError]:
    """The required fields that are empty."""
    needed = {
        Method.CLIENT_SECRET: ("directory", "client_id", "client_secret"),
        Method.CERTIFICATE: ("directory", "client_id", "certificate"),
        Method.SERVICE_ACCOUNT: ("service_account",),
        Method.REFRESH_TOKEN: ("google_client_id", "google_client_secret", "refresh_token"),
    }[method]
    return [FieldError(name, "This field is required.") for name in needed if not posted.text(name).strip()]


def _refused(values: dict[str, Any], method: Method, reason: Invalid | PasswordRequired) -> Form:
    """Errors at the fields of the form: the API has one name for those that two providers have."""
    if isinstance(reason, PasswordRequired):
        return Form(values, {method.value: _PASTE})
    form = refused(values, reason)
    names = _OF_MICROSOFT if PROVIDERS[method] is Provider.MS365 else _OF_GOOGLE
    return Form(values, {names.get(name, name): message for name, message in form.errors.items()})


def _method(text: str) -> Method:
    return Method(text) if text in Method.__members__.values() else Method.CLIENT_SECRET


def _day(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


routes = at_both_levels(
    (("GET", "/oauth", show_oauth), ("POST", "/oauth", save_oauth), ("POST", "/oauth/remove", remove_oauth))
)
