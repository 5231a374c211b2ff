"""A person's own account: password, sessions, language, light or dark."""

from starlette.responses import Response

from ringpost.console.browsers import browser_name
from ringpost.console.forms import Form, refused
from ringpost.console.guard import drop_session, keep_session
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import Visit
from ringpost.console.welcome import check_alike
from ringpost.domain.secrets import Secret
from ringpost.errors import FieldError, Invalid, Unauthorized
from ringpost.limits import address_of
from ringpost.storage import sessions
from ringpost.usecases.change_user import UserChange, change_user
from ringpost.usecases.log_in import Login, check_password
from ringpost.usecases.sign_in import sign_in
from ringpost.usecases.sign_out import sign_out, sign_out_everywhere

WRONG_NOW = N_("This is not your password.")


async def show_account(visit: Visit) -> Response:
    """The page."""
    return await _page(visit, Form())


async def change_password(visit: Visit) -> Response:
    """Set another password; all other sessions end, and this one is renewed."""
    posted, user = visit.posted, visit.user
    agent = visit.request.headers.get("user-agent", "")
    try:
        check_alike(posted.text("password"), posted.text("again"))
        await _check_current(visit)
        change = UserChange(password=posted.text("password"))
        await change_user(visit.room, user.tenant, user.id, change, visit.principal)
        fresh = _login(visit, "password")
        secret = await sign_in(visit.room, fresh, agent)
    except Invalid as reason:
        return await _page(visit, refused({}, reason), status=422)
    response = visit.redirect("/account", done="password")
    keep_session(response, secret)
    return response


async def end_session(visit: Visit) -> Response:
    """End one session, such as on a computer that was left behind."""
    session_id = visit.request.path_params["session"]
    await sign_out(visit.room, visit.user, session_id)
    return visit.redirect("/account", done="session")


async def end_all(visit: Visit) -> Response:
    """Sign out everywhere, here too."""
    await sign_out_everywhere(visit.room, visit.user)
    response = visit.redirect("/sign-in", done="everywhere")
    drop_session(response)
    return response


async def _check_current(visit: Visit) -> None:
    """Raises Invalid when the password of now is wrong, RateLimited after too many tries."""
    login, address = _login(visit, "current"), address_of(visit.request)
    visit.limits.logins.begin(login.account, address)
    try:
        await check_password(visit.room, login)
    except Unauthorized:
        raise Invalid(FieldError("current", WRONG_NOW)) from None
    visit.limits.logins.succeeded(login.account, address)


def _login(visit: Visit, field: str) -> Login:
    of_a_tenant = visit.tenant is not None and not visit.is_acting
    domain = visit.tenant.domain if visit.tenant and of_a_tenant else None
    return Login(visit.user.username, Secret(visit.posted.text(field)), domain)


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    found = await visit.room.database.read(sessions.list_of, visit.user, visit.room.clock())
    return render(visit, "account.html", status=status, form=form, sessions=found, browser_name=browser_name)


routes = (
    get("/account", show_account, Access.SIGNED_IN),
    post("/account/password", change_password, Access.SIGNED_IN),
    post("/account/sessions/{session}/end", end_session, Access.SIGNED_IN),
    post("/account/sign-out-everywhere", end_all, Access.SIGNED_IN),
)
