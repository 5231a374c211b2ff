"""The end of a one-time link: set a password, and be signed in."""

from dataclasses import replace

from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.guard import keep_session
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.domain.access import hash_token
from ringpost.domain.secrets import Secret
from ringpost.errors import FieldError, Invalid, NotFound
from ringpost.limits import address_of
from ringpost.storage import invitations
from ringpost.usecases.accept_invitation import accept_invitation

NOT_ALIKE = N_("The two are not alike. Type the password once more.")


async def show_welcome(visit: Visit) -> Response:
    """The form, or that the link is over."""
    return await _page(visit, Form())


async def set_password(visit: Visit) -> Response:
    """Set it, and begin a session. Raises RateLimited: links that are no good count as bad tokens do."""
    posted = visit.posted
    try:
        check_alike(posted.text("password"), posted.text("again"))
        agent = visit.request.headers.get("user-agent", "")
        secret = await accept_invitation(visit.room, _secret(visit), posted.text("password"), agent)
    except Invalid as reason:
        return await _page(visit, refused({}, reason), status=422)
    except NotFound:
        visit.limits.bad_tokens.hit(address_of(visit.request))
        raise
    response = visit.redirect("/", done="welcome")
    keep_session(response, secret)
    return response


def check_alike(password: str, again: str) -> None:
    """Raises Invalid when a new password was not typed the same way twice."""
    if password != again:
        raise Invalid(FieldError("again", NOT_ALIKE))


def _secret(visit: Visit) -> Secret:
    return Secret(visit.request.path_params["secret"])


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    token_hash = hash_token(_secret(visit).reveal())
    invitation = await visit.room.database.read(invitations.find, token_hash, visit.room.clock())
    if invitation is None:
        status = 404
    outside = replace(visit, tenant=None)  # whoever is signed in here, the link is a stranger's, and its time UTC
    return render(outside, "welcome.html", status=status, form=form, invitation=invitation)


routes = (
    get("/welcome/{secret}", show_welcome, Access.PUBLIC),
    post("/welcome/{secret}", set_password, Access.PUBLIC),
)
