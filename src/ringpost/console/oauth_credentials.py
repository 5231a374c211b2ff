"""Signing in to Microsoft 365 and Gmail without a password: what to make there, and where it goes here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import Response

from ringpost.console.forms import Form, Posted, refused
from ringpost.console.languages import N_
from ringpost.console.levels import Level, Saved
from ringpost.console.mail_server import at_both_levels
from ringpost.console.meanwhile import SEEN_FIELD, SavedMeanwhile, mark_of, refuse_unseen
from ringpost.console.rendering import render
from ringpost.console.visit import Visit
from ringpost.domain.credentials import Cloud
from ringpost.domain.mail_servers import ServerType
from ringpost.domain.oauth import Method, OAuthProvider, oauth_to_json
from ringpost.errors import FieldError, Invalid, PasswordRequired

PROVIDERS: Final = {
    Method.CLIENT_SECRET: OAuthProvider.MS365,
    Method.CERTIFICATE: OAuthProvider.MS365,
    Method.SERVICE_ACCOUNT: OAuthProvider.GMAIL,
    Method.REFRESH_TOKEN: OAuthProvider.GMAIL,
}
_OF_MICROSOFT: Final = {"tenant": "directory", "client_id": "client_id", "cloud": "cloud"}
"""Field of the API -> field of the form."""
_OF_GOOGLE: Final = {"client_id": "google_client_id", "client_secret": "google_client_secret"}
_SHOWN: Final = ("method", "directory", "client_id", "cloud", "secret_expires_at", "google_client_id")
"""What is shown again of what was typed: everything but secrets."""
_NAMES: Final = {
    "method": N_("Provider and way"),
    "directory": N_("Directory (tenant) ID"),
    "client_id": N_("Application (client) ID"),
    "cloud": N_("Microsoft's cloud"),
    "secret_expires_at": N_("Ends on (the column Expires)"),
    "google_client_id": N_("Client ID"),
}
_CHOICES: Final = {
    Method.CLIENT_SECRET.value: N_("Microsoft 365: client secret"),
    Method.CERTIFICATE.value: N_("Microsoft 365: certificate"),
    Method.SERVICE_ACCOUNT.value: N_("Gmail: service account"),
    Method.REFRESH_TOKEN.value: N_("Gmail: one user's consent"),
    Cloud.GLOBAL.value: N_("The usual one"),
    Cloud.US_GOVERNMENT.value: N_("US Government"),
    Cloud.CHINA.value: N_("China (21Vianet)"),
}

_PASTE = N_("Paste it here. What is stored is of another kind, or for another organisation, and cannot be kept.")


async def show_oauth(level: Level, visit: Visit) -> Response:
    """The form as it was saved."""
    return await _page(level, visit)


async def save_oauth(level: Level, visit: Visit) -> Response:
    """Save it, unless somebody else was faster; a secret that was left empty stays."""
    posted = visit.posted
    method, typed = _method(posted.text("method")), {name: posted.text(name) for name in _SHOWN}

    def edited(saved: Saved) -> Mapping[str, Any]:
        refuse_unseen(posted, _values(saved))
        return _fields(posted, method, saved)

    try:
        await level.save_credentials(visit, edited)
    except (Invalid, PasswordRequired) as reason:
        return await _page(level, visit, _refused(typed, method, reason), status=422)
    except SavedMeanwhile:
        now = await level.saved(visit)
        clash, seen = _saved_otherwise(visit, now, typed), mark_of(_values(now))
        return await _page(level, visit, Form(typed), status=409, clash=clash, seen=seen)
    return visit.redirect(f"{level.path}/oauth", done="saved")


async def remove_oauth(level: Level, visit: Visit) -> Response:
    """Forget them, secrets and all, unless somebody else has saved others meanwhile."""

    def edited(saved: Saved) -> None:
        if saved.credentials:
            refuse_unseen(visit.posted, _values(saved))

    try:
        await level.save_credentials(visit, edited)
    except SavedMeanwhile:
        seen = mark_of(_values(await level.saved(visit)))
        return await _page(level, visit, status=409, seen=seen, not_removed=True)
    return visit.redirect(f"{level.path}/oauth", done="removed")


async def _page(level: Level, visit: Visit, form: Form | None = None, *, status: int = 200, **more: Any) -> Response:
    saved = await level.saved(visit)
    known: dict[str, Any] = {"clash": None, "not_removed": False}
    known["seen"] = visit.posted.text(SEEN_FIELD) or mark_of(_values(saved))
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
        **known | more,
    )


def _values(saved: Saved) -> dict[str, Any]:
    stored = saved.credentials
    if stored is None or stored.method is None:
        google = saved.own is not None and saved.own.type is ServerType.GMAIL
        return {"method": Method.SERVICE_ACCOUNT if google else Method.CLIENT_SECRET, "cloud": Cloud.GLOBAL.value}
    own = "client_id" if stored.provider is OAuthProvider.MS365 else "google_client_id"
    return {
        "method": stored.method.value,
        "directory": stored.directory,
        "cloud": stored.cloud.value,
        "secret_expires_at": _day(stored.secret_expires_at),
        own: stored.client_id,
    }


def _saved_otherwise(visit: Visit, saved: Saved, typed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """In words, what is stored of the fields in which it is not what was typed; nothing when nothing is stored."""
    if saved.credentials is None:
        return []
    stored = {name: str(value or "") for name, value in _values(saved).items()}
    different = {name: stored.get(name, "") for name in _SHOWN if stored.get(name, "") != typed[name]}
    return [
        (visit.say(_NAMES[name]), visit.say(_CHOICES.get(value, value)) if value else "\N{EN DASH}")
        for name, value in different.items()
    ]


def _fields(posted: Posted, method: Method, saved: Saved) -> dict[str, Any]:
    """The fields of the API that the form comes to. Raises Invalid when a secret of another kind is needed."""
    fields: dict[str, Any] = {"provider": PROVIDERS[method].value}
    if PROVIDERS[method] is OAuthProvider.MS365:
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
    names = _OF_MICROSOFT if PROVIDERS[method] is OAuthProvider.MS365 else _OF_GOOGLE
    return Form(values, {names.get(name, name): message for name, message in form.errors.items()})


def _method(text: str) -> Method:
    return Method(text) if text in Method.__members__.values() else Method.CLIENT_SECRET


def _day(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}"


routes = at_both_levels(
    (("GET", "/oauth", show_oauth), ("POST", "/oauth", save_oauth), ("POST", "/oauth/remove", remove_oauth))
)
