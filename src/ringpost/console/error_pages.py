"""Pages for what went wrong: what it is, and what to do now."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response

from ringpost.console.guard import Forged, NotSignedIn, TenantLeft, own_path
from ringpost.console.languages import N_
from ringpost.console.not_done import SIGNED_OUT, TENANT_LEFT, say_not_done
from ringpost.console.rendering import render
from ringpost.console.visit import ROOT, Visit
from ringpost.console.waiting import told_to_wait, when_to_try_again
from ringpost.errors import (
    AlreadyExists,
    Forbidden,
    NotFound,
    RateLimited,
    RingpostError,
    StorageUnavailable,
    Unauthorized,
    WrongState,
)

_log = structlog.get_logger("ringpost.console")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of error page; texts are English, to be translated."""

    status: int
    title: str
    advice: str


NO_PAGE: Final = Trouble(
    404,
    N_("There is nothing here"),
    N_("The address may be mistyped, or what was here is gone. The navigation leads on."),
)
TOO_LARGE: Final = Trouble(
    413, N_("That is too large"), N_("Send less at once: a form may have up to 2 MB with all its files.")
)
BAD_FORM: Final = Trouble(
    400, N_("That could not be read"), N_("Go back, reload the page, and send the form once more.")
)
FAULT: Final = Trouble(
    500,
    N_("Something is broken in Ringpost"),
    N_("It is not your fault, and it is in the log. Try again; if it stays, tell whoever runs Ringpost when it was."),
)

_TROUBLES: Final[tuple[tuple[type[RingpostError], Trouble], ...]] = (
    (Forged, Trouble(403, N_("Please send that once more"), N_("Go back, reload the page, and send the form again."))),
    (Forbidden, Trouble(403, N_("You cannot do that"), "")),
    (NotFound, NO_PAGE),
    (AlreadyExists, Trouble(409, N_("That exists already"), N_("Go back and choose another name."))),
    (WrongState, Trouble(409, N_("That is not possible any more"), N_("Go back and look at how things are now."))),
    (RateLimited, Trouble(429, N_("That was too often"), "")),
    (Unauthorized, Trouble(403, N_("You cannot do that"), "")),
    (
        StorageUnavailable,
        Trouble(503, N_("The data cannot be reached"), N_("Nothing was changed. Try again in a minute.")),
    ),
)


def answer_error(visit: Visit, error: Exception) -> Response:
    """The answer to a request that failed."""
    elsewhere = _elsewhere(visit, error)
    if elsewhere is not None:
        return elsewhere
    for kind, trouble in _TROUBLES:
        if isinstance(error, kind):
            if isinstance(error, RateLimited):
                return told_to_wait(show_trouble(visit, trouble, when_to_try_again(visit, error)), error)
            return show_trouble(visit, trouble, _said_by(error))
    if isinstance(error, ClientDisconnect):  # nobody is there to be answered, and nothing of ours has failed
        _log.info("client_hung_up", method=visit.request.method, path=visit.request.url.path)
        return Response(status_code=400)
    _log.error("console_failed", path=visit.request.url.path, exc_info=error)
    return show_trouble(visit, FAULT)


def show_trouble(visit: Visit, trouble: Trouble, message: str = "") -> Response:
    """An error page. `message` says more than the title, in English or the visitor's language."""
    template = "error_fragment.html" if visit.wants_fragment else "error.html"
    return render(visit, template, status=trouble.status, trouble=trouble, message=message)


def _elsewhere(visit: Visit, error: Exception) -> Response | None:
    """What leads to where the visitor can go on; None when nothing does."""
    if isinstance(error, NotSignedIn):
        return _to_sign_in(visit)
    if isinstance(error, TenantLeft):
        return _to_the_tenant(visit)
    if isinstance(error, Forged) and visit.session is not None and visit.path == f"{ROOT}/sign-in":
        return visit.redirect("/sign-in", next=visit.posted.text("next"))  # signed in by now, in another tab
    return None


def _said_by(error: Exception) -> str:
    """What an error says to people; of the database only the operator can do anything about it."""
    return "" if isinstance(error, StorageUnavailable) else str(error)


def _to_sign_in(visit: Visit) -> Response:
    """Come back here afterwards. What was sent is kept, and nothing takes a page away that somebody types in."""
    back = _page_of(visit)
    if visit.request.method == "POST" or visit.request.headers.get("sec-fetch-dest") == "iframe":
        return say_not_done(visit, SIGNED_OUT, f"/sign-in?next={quote(back)}")
    if visit.wants_fragment:  # htmx follows redirects by itself and would put the page into the page
        return Response(status_code=204, headers={"HX-Redirect": f"{ROOT}/sign-in?{urlencode({'next': back})}"})
    target = visit.request.url.path
    if visit.request.url.query:
        target += f"?{visit.request.url.query}"
    if visit.path.rstrip("/") == ROOT:
        return RedirectResponse(f"{ROOT}/sign-in", 303)
    return visit.redirect("/sign-in", next=target)


def _to_the_tenant(visit: Visit) -> Response:
    """What a page of another tenant has sent is kept; what it shows by itself is shown anew, as things are here."""
    if visit.request.method == "GET":
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return say_not_done(visit, TENANT_LEFT, TENANT_LEFT.path)


def _page_of(visit: Visit) -> str:
    """The page that a request came from, as the browser tells."""
    page = urlsplit(visit.request.headers.get("hx-current-url") or visit.request.headers.get("referer", ""))
    return own_path(f"{page.path}?{page.query}" if page.query else page.path)
