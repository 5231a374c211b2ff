"""People who may sign in, of a tenant and of the system level: invited by a link, changed, removed."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from ringpost.console.forms import Form, refused
from ringpost.console.levels import LEVELS, Level
from ringpost.console.rendering import render
from ringpost.console.routing import get, post
from ringpost.console.visit import ROOT, Visit
from ringpost.domain.access import Invitation, Role, User, parse_username
from ringpost.domain.tenants import TenantId
from ringpost.errors import FieldError, Invalid, WrongState
from ringpost.storage import access, invitations
from ringpost.usecases.change_user import UserChange, change_user
from ringpost.usecases.destroy_user import destroy_user
from ringpost.usecases.invite_user import Guest, invite_user
from ringpost.usecases.withdraw_invitation import withdraw_invitation

ON_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Invited:
    """A link that was made just now; it is never to be had again."""

    username: str
    link: str
    is_new: bool
    """False for somebody who is a user already and gets another password."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the people, by name."""

    users: list[User]
    newcomers: list[Invitation]
    """The invitations of those who are not users yet."""
    renewals: frozenset[str]
    """Names of users who have a link to set another password."""
    after: str
    """The name that the page begins behind; empty for the first page."""
    last: str | None
    """The last name, when there are more; None when there are not."""


async def show_people(level: Level, visit: Visit) -> Response:
    """All of them, a page at a time, and the form to invite somebody."""
    return await _page(visit, level, Form({"role": _roles(level)[0]}))


async def invite(level: Level, visit: Visit) -> Response:
    """Make a one-time link for somebody new, and show it this once."""
    chosen = {name: visit.posted.text(name) for name in ("username", "role")}
    try:
        invited = await _invite(visit, level, Guest(chosen["username"], _role(level, chosen["role"])))
    except Invalid as reason:
        return await _page(visit, level, refused(chosen, reason), status=422)
    return await _page(visit, level, Form({"role": _roles(level)[0]}), invited=invited)


async def renew(level: Level, visit: Visit) -> Response:
    """Make a link with which a user sets another password."""
    user = await _user(visit, level)
    invited = await _invite(visit, level, Guest(user.username, user.role))
    return await _page(visit, level, Form({"role": _roles(level)[0]}), invited=invited)


async def withdraw(level: Level, visit: Visit) -> Response:
    """Take a link back."""
    await withdraw_invitation(visit.room, level.owner(visit), visit.posted.text("username"), level.principal(visit))
    return _back(visit, level, "withdrawn")


async def change_role(level: Level, visit: Visit) -> Response:
    """Let somebody do more, or less."""
    try:
        role = _role(level, visit.posted.text("role"))
    except Invalid as reason:
        raise WrongState(visit.say(reason.errors[0].message)) from None
    await _change(visit, level, UserChange(role=role))
    return _back(visit, level, "role")


async def disable(level: Level, visit: Visit) -> Response:
    """Keep somebody out, at once."""
    await _change(visit, level, UserChange(enabled=False))
    return _back(visit, level, "disabled")


async def enable(level: Level, visit: Visit) -> Response:
    """Let somebody in again."""
    await _change(visit, level, UserChange(enabled=True))
    return _back(visit, level, "enabled")


async def destroy(level: Level, visit: Visit) -> Response:
    """Remove somebody."""
    user = await _somebody_else(visit, level)
    await destroy_user(visit.room, user.tenant, user.id, level.principal(visit))
    return _back(visit, level, "removed")


async def _change(visit: Visit, level: Level, change: UserChange) -> None:
    user = await _somebody_else(visit, level)
    await change_user(visit.room, user.tenant, user.id, change, level.principal(visit))


async def _somebody_else(visit: Visit, level: Level) -> User:
    """The user in the path. Nobody locks themselves out, so at least whoever does these things stays."""
    user = await _user(visit, level)
    if user.id == visit.user.id:
        raise WrongState(visit.say("This is you. Ask another administrator to do it."))
    return user


async def _user(visit: Visit, level: Level) -> User:
    user_id = visit.request.path_params["user"]
    return await visit.room.database.read(access.show_user, level.owner(visit), user_id)


async def _invite(visit: Visit, level: Level, guest: Guest) -> Invited:
    owner = level.owner(visit)
    secret = await invite_user(visit.room, owner, guest, level.principal(visit))
    username = parse_username(guest.username)
    known = await visit.room.database.read(access.find_user, owner, username)
    base = visit.request.base_url
    return Invited(username, f"{base.scheme}://{base.netloc}{ROOT}/welcome/{secret.reveal()}", known is None)


def _back(visit: Visit, level: Level, done: str) -> Response:
    return visit.redirect(f"{level.prefix}/people", done=done)


def _role(level: Level, name: str) -> Role:
    if name not in _roles(level):
        raise Invalid(FieldError("role", "Choose what the person may do."))
    return Role(name)


def _roles(level: Level) -> tuple[str, ...]:
    return (Role.SYSTEM_ADMIN,) if level.is_system else (Role.TENANT_ADMIN, Role.READ_ONLY)


async def _page(
    visit: Visit, level: Level, form: Form, *, status: int = 200, invited: Invited | None = None
) -> Response:
    after = visit.request.query_params.get("after", "")
    listed = await visit.room.database.read(_listed, level.owner(visit), after, visit.room.clock())
    values = {"level": level, "form": form, "listed": listed, "invited": invited}
    return render(visit, "people.html", status=status, **values)


def _listed(connection: Connection, owner: TenantId, after: str, now: int) -> Listed:
    users = access.page_of_users(connection, owner, ON_A_PAGE + 1, after)
    newcomers = invitations.page_of_newcomers(connection, owner, now, ON_A_PAGE + 1, after)
    names = sorted(one.username for one in (*users, *newcomers))
    if after and not names:
        return _listed(connection, owner, "", now)  # those who stood there are gone
    last = names[ON_A_PAGE - 1] if len(names) > ON_A_PAGE else None
    if last is not None:
        users = [one for one in users if one.username <= last]
        newcomers = [one for one in newcomers if one.username <= last]
    renewals = invitations.invited_among(connection, owner, now, [user.username for user in users])
    return Listed(users, newcomers, renewals, after, last)


routes = tuple(
    route
    for level in LEVELS
    for route in (
        get(f"{level.prefix}/people", partial(show_people, level), level.to_see),
        post(f"{level.prefix}/people", partial(invite, level), level.to_change),
        post(f"{level.prefix}/people/withdraw", partial(withdraw, level), level.to_change),
        post(f"{level.prefix}/people/{{user}}/invite", partial(renew, level), level.to_change),
        post(f"{level.prefix}/people/{{user}}/role", partial(change_role, level), level.to_change),
        post(f"{level.prefix}/people/{{user}}/disable", partial(disable, level), level.to_change),
        post(f"{level.prefix}/people/{{user}}/enable", partial(enable, level), level.to_change),
        post(f"{level.prefix}/people/{{user}}/destroy", partial(destroy, level), level.to_change),
    )
)
