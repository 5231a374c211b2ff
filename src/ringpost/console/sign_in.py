"""Signing in and out."""

from typing import Final

from starlette.responses import Response

from ringpost.console.forms import Form
from ringpost.console.guard import drop_session, keep_session, own_path, session_secret
from ringpost.console.languages import N_
from ringpost.console.rendering import render
from ringpost.console.routing import Access, get, post
from ringpost.console.visit import ROOT, Visit
from ringpost.console.waiting import told_to_wait, when_to_try_again
from ringpost.domain.secrets import Secret
from ringpost.errors import RateLimited, Unauthorized
from ringpost.limits import address_of
from ringpost.usecases.log_in import Login
from ringpost.usecases.sign_in import sign_in
from ringpost.usecases.sign_out import sign_out

NO_DOMAIN: Final = N_("Only system administrators leave this empty. Everybody else types their company's domain.")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


async def show_sign_in(visit: Visit) -> Response:
    """The form; whoever is signed in already goes on."""
    target = own_path(visit.request.query_params.get("next", ""))
    if visit.session is not None:
        return visit.redirect(target.removeprefix(ROOT))
    return _page(visit, Form({"next": target, "domain": visit.request.query_params.get("domain", "")}))


async def do_sign_in(visit: Visit) -> Response:
    """Check the password, and begin a session with a new id."""
    posted = visit.posted
    target = own_path(posted.text("next"))
    domain = posted.text("domain").strip()
    login = Login(posted.text("username"), Secret(posted.text("password")), domain or None)
    account, address = login.account, address_of(visit.request)
    values = {"username": posted.text("username"), "domain": domain, "next": target}
    try:
        visit.limits.logins.begin(account, address)
        secret = await sign_in(
            visit.room, login, visit.request.headers.get("user-agent", ""), session_secret(visit.request)
        )
    except RateLimited as limit:
        return told_to_wait(_page(visit, Form(values, {"password": when_to_try_again(visit, limit)}), 429), limit)
    except Unauthorized as wrong:
        forgotten = {} if domain else {"domain": NO_DOMAIN}
        return _page(visit, Form(values, {"password": wrong.message, **forgotten}), status=422)
    visit.limits.logins.succeeded(account, address)
    response = visit.redirect(target.removeprefix(ROOT))
    keep_session(response, secret)
    return response


async def do_sign_out(visit: Visit) -> Response:
    """End this session."""
    if visit.session is not None:
        await sign_out(visit.room, visit.user, visit.session.id)
    response = visit.redirect("/sign-in", done="signed-out")
    drop_session(response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    url = visit.request.url
    in_clear = url.scheme == "http" and (url.hostname or "") not in _LOOPBACK
    return render(visit, "sign_in.html", status=status, form=form, in_clear=in_clear)


routes = (
    get("/sign-in", show_sign_in, Access.PUBLIC),
    post("/sign-in", do_sign_in, Access.PUBLIC),
    post("/sign-out", do_sign_out, Access.SIGNED_IN),
)
