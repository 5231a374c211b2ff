"""What somebody sent and nothing was done of: it is kept, to be sent once more when that can be done."""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from ringpost.console.forms import CSRF_FIELD
from ringpost.console.frames import words_in_frame
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.visit import Visit


@dataclass(frozen=True, slots=True)
class NotDone:
    """Why nothing was done, and what leads on; texts are English, to be translated."""

    status: int
    title: str
    why: str
    path: str
    """Where to go before it can be done, without `/console`."""
    way: str
    """What leads there."""
    beside: str
    """The same where this page stays open, because there is something to come back for."""
    kept: str
    """What to do while what was sent is kept."""
    lost: str
    """What to do when it is not."""
    short: str
    """All of it where there is little room."""


SIGNED_OUT: Final = NotDone(
    status=401,
    title=N_("You are signed out"),
    why=N_("Your session had ended before this arrived, so nothing was saved or done."),
    path="/sign-in",
    way=N_("Sign in"),
    beside=N_("Sign in in another tab"),
    kept=N_("What you sent is still on this page. Sign in in another tab, then come back and send it from here."),
    lost=N_("Sign in, and do it once more. Passwords, keys and files are not kept here."),
    short=N_("You are signed out. Sign in in another tab, then go on here."),
)
TENANT_LEFT: Final = NotDone(
    status=409,
    title=N_("You have left the tenant of this page"),
    why=N_("In another tab you went elsewhere after this page had been opened, so nothing was saved or done."),
    path="/system/tenants",
    way=N_("Choose the tenant"),
    beside=N_("Choose the tenant in another tab"),
    kept=N_("What you sent is still on this page. Work in its tenant again, then come back and send it from here."),
    lost=N_("Work in its tenant again, and do it once more. Passwords, keys and files are not kept here."),
    short=N_("You have left the tenant of this page. Choose it in another tab, then go on here."),
)
SECRETS: Final = frozenset(
    {"password", "again", "current", "client_secret", "google_client_secret", "refresh_token"}
    | {"certificate", "service_account"}
)
"""Fields that no page gives back."""


def say_not_done(visit: Visit, reason: NotDone, leads_on: str) -> Response:
    """The page with what can be kept; its old token is good again once the visitor is where it was given to them.

    `leads_on`: the path to go to when nothing is kept, without `/console`.
    """
    if visit.request.headers.get("sec-fetch-dest") == "iframe":
        return words_in_frame(visit.say(reason.short), visit.say(reason.short), status=reason.status)
    if visit.wants_fragment:
        return render(visit, "not_done_fragment.html", status=reason.status, reason=reason)
    kept = _kept(visit)
    return render(visit, "not_done.html", status=reason.status, reason=reason, kept=kept, leads_on=leads_on)


def _kept(visit: Visit) -> list[tuple[str, str]]:
    """The fields of the form that was sent; none when it was only a button, or some of it may not be given back."""
    sent = [(name, value) for name, value in visit.posted.data.multi_items() if isinstance(value, str)]
    if any(name in SECRETS and value for name, value in sent) or any(map(visit.posted.file, visit.posted.data)):
        return []
    kept = [(name, value) for name, value in sent if name not in SECRETS]
    return kept if any(name != CSRF_FIELD for name, _ in kept) else []
