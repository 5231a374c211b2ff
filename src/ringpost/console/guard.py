"""At the door of the console: whose session it is, whether it may go there, and whether it meant to.

**Sessions.** The cookie holds a random secret; the database its hash. It is looked up at every request, so a person or
tenant that was disabled, and a session that was ended elsewhere, are out at once. Signing in always makes a new one.

**Cookies** are HttpOnly, SameSite=Lax and Secure, always: browsers take Secure cookies from a loopback address without
TLS too, and behind a proxy that ends TLS nothing else would be right. `/console` is their path.

**Forged requests.** A POST needs the token that goes with its session, in the form or in the header that htmx sends,
and has to come from our own pages: `Sec-Fetch-Site` says so in every browser of today, `Origin` in the others. Before
anybody is signed in, a cookie of the visit takes the session's place, so nobody is signed in to a stranger's account.
A token also proves to whom and for which tenant the page was given, so that what was typed before a session ended can
be saved in the next one of the same person. That part is keyed and good until the end of the next day (UTC), which no
session outlives. Who goes from tenant to tenant changes what is a tenant's only with that part: the session goes as a
whole, and a page of the tenant before may still be open in another tab.
"""

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ringpost.console.forms import CSRF_FIELD
from ringpost.console.languages import choose_language
from ringpost.console.routing import Access
from ringpost.console.visit import ROOT, THEMES, Visit
from ringpost.domain.access import Role, hash_token
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, Tenant, TenantId
from ringpost.errors import Forbidden, NotFound, Unauthorized, WrongState
from ringpost.limits import Limits
from ringpost.storage import sessions, tenants
from ringpost.storage.sessions import ConsoleSession
from ringpost.usecases.room import Room

SESSION_COOKIE: Final = "ringpost_session"
VISIT_COOKIE: Final = "ringpost_visit"
LANGUAGE_COOKIE: Final = "ringpost_language"
THEME_COOKIE: Final = "ringpost_theme"
CSRF_HEADER: Final = "x-csrf-token"
RENEWAL_HEADER: Final = "x-renewal"
"""Sent by pages that renew themselves: nobody has done anything."""

SEEN_EVERY_S: Final = 60
"""When a person was last seen is written at most this often."""
DAY_S: Final = 24 * 3600
YEAR_S: Final = 365 * DAY_S

_LONGEST_COOKIE: Final = 200


class NotSignedIn(Unauthorized):
    """Nobody is, or the session has ended: to be answered with the page to sign in."""


class Forged(Forbidden):
    """A form that did not come from our own pages, or is older than its session."""


class TenantLeft(WrongState):
    """What a page of a tenant has sent after its visitor went elsewhere in another tab."""


async def begin_visit(request: Request, room: Room, limits: Limits) -> Visit:
    """Who comes, before anything is decided."""
    now = room.clock()
    secret = session_secret(request)
    session = tenant = None
    if secret is not None:
        session, tenant = await room.database.read(_find, hash_token(secret.reveal()), now)
    by_itself = RENEWAL_HEADER in request.headers
    if session is not None and not by_itself and now - session.seen_at >= SEEN_EVERY_S * 1000:
        await room.database.write(sessions.touch, session.id, now)
    bound = secret.reveal() if session and secret else _visit_secret(request)
    return _visit(request, room, limits, bound, session, tenant)


def unknown_visit(request: Request, room: Room, limits: Limits) -> Visit:
    """Who comes when nobody can be looked up. What they send from the page is good once their session is found."""
    secret = session_secret(request)
    return _visit(request, room, limits, secret.reveal() if secret else _visit_secret(request))


def _visit(
    request: Request,
    room: Room,
    limits: Limits,
    bound: str,
    session: ConsoleSession | None = None,
    tenant: Tenant | None = None,
) -> Visit:
    language = choose_language(
        (request.cookies.get(LANGUAGE_COOKIE), tenant.locale if tenant else None),
        request.headers.get("accept-language", ""),
    )
    theme = request.cookies.get(THEME_COOKIE, "")
    return Visit(
        request=request,
        room=room,
        limits=limits,
        csrf=".".join((_csrf_token(bound), *(_proofs(room, session)[:1] if session else ()))),
        language=language,
        theme=theme if theme in THEMES else THEMES[0],
        session=session,
        tenant=tenant,
    )


def admit(visit: Visit, access: Access) -> None:
    """Let the visitor in, or raise NotSignedIn or Forbidden."""
    if access is Access.PUBLIC:
        return
    if visit.session is None:
        raise NotSignedIn("Sign in first.")
    if access is Access.SYSTEM and not visit.is_system_admin:
        raise Forbidden(visit.say("This page is for system administrators."))
    if access.of_tenant and visit.tenant is None:
        raise Forbidden(visit.say("This page belongs to a tenant. Choose the tenant to work in first."))
    if access is Access.EDITOR and visit.principal.role is Role.READ_ONLY:
        raise Forbidden(visit.say("You may look at everything here but change nothing. Ask an administrator."))


def refuse_forgery(visit: Visit) -> None:
    """Raise Forged when a POST did not come from a page of ours, given to this very visitor."""
    token, _, proof = _token_sent(visit).partition(".")
    of_session = hmac.compare_digest(token.encode(), visit.csrf.partition(".")[0].encode())
    if not of_session and not _is_proven(visit, proof):
        raise Forged(
            visit.say(
                "The page was open for too long, it was given to another person or for another tenant, "
                "or your browser sends no cookies."
            )
        )


def refuse_left_tenant(visit: Visit) -> None:
    """Raise TenantLeft when a page of ours has sent this, and the visitor is not any more where it was given to them.

    Only system administrators go from one to another. Who opens a page by its address sends no token, and is where they
    are; what a page asks for by itself has one.
    """
    token = _token_sent(visit)
    if visit.is_system_admin and token and not _is_proven(visit, token.partition(".")[2]):
        raise TenantLeft("The tenant of this page was left in another tab.")


def refuse_strangers(visit: Visit) -> None:
    """Raise Forged when another site sent this, going by what the browser says. Before the body is read."""
    headers = visit.request.headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:
        origin = headers.get("origin")
        ours = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not ours:
        raise Forged(visit.say("Another site has sent this form."))


def own_path(target: str) -> str:
    """`target` when it is a path of the console, else its start: nobody is sent elsewhere after signing in."""
    plain = (
        target.isascii()
        and target.isprintable()
        and "\\" not in target
        and not any(part in target for part in ("//", ".."))
    )
    return target if plain and (target == ROOT or target.startswith(f"{ROOT}/")) else f"{ROOT}/"


def session_secret(request: Request) -> Secret | None:
    """The session's secret as the cookie has it, whether it is good or not."""
    value = request.cookies.get(SESSION_COOKIE, "")
    return Secret(value) if 0 < len(value) <= _LONGEST_COOKIE else None


def keep_session(response: Response, secret: Secret) -> None:
    """Give the browser its session. It goes with the browser's window, and the server's clock ends it in any case."""
    _set(response, SESSION_COOKIE, secret.reveal())
    response.delete_cookie(VISIT_COOKIE, ROOT, secure=True, httponly=True, samesite="lax")


def drop_session(response: Response) -> None:
    """Take the cookie back, and what else the browser keeps of these pages."""
    response.delete_cookie(SESSION_COOKIE, ROOT, secure=True, httponly=True, samesite="lax")


def keep_choice(response: Response, cookie: str, value: str) -> None:
    """Keep a preference of this browser for a year."""
    _set(response, cookie, value, max_age=YEAR_S)


def keep_visit(visit: Visit, response: Response) -> None:
    """Give somebody who is not signed in what forms are bound to."""
    if visit.session is None and VISIT_COOKIE not in visit.request.cookies:
        _set(response, VISIT_COOKIE, _visit_secret(visit.request))


def _set(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, path=ROOT, secure=True, httponly=True, samesite="lax")


def _visit_secret(request: Request) -> str:
    """The cookie's secret, or a fresh one, the same for as long as the request lasts."""
    known = request.cookies.get(VISIT_COOKIE, "")
    if 0 < len(known) <= _LONGEST_COOKIE:
        return known
    if not hasattr(request.state, "visit_secret"):
        request.state.visit_secret = urlsafe_b64encode(os.urandom(24)).decode()
    secret: str = request.state.visit_secret
    return secret


def _token_sent(visit: Visit) -> str:
    return visit.request.headers.get(CSRF_HEADER) or visit.posted.text(CSRF_FIELD)


def _is_proven(visit: Visit, proof: str) -> bool:
    """Whether the page was given to this person, where they are now."""
    proofs = _proofs(visit.room, visit.session) if visit.session else ()
    return any(hmac.compare_digest(proof.encode(), good.encode()) for good in proofs)


def _csrf_token(bound: str) -> str:
    """Whoever reads the token cannot get back to the secret that it is bound to."""
    digest = hashlib.sha256(b"ringpost console form\0" + bound.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _proofs(room: Room, session: ConsoleSession) -> tuple[str, str]:
    """That a page was given to this person in this tenant today, or yesterday. Nobody makes them without our key."""
    today = room.clock() // (DAY_S * 1000)
    person = (session.user.tenant, session.user.id, session.acting_for or "")
    texts = ("\0".join(("ringpost console form", *person, str(day))) for day in (today, today - 1))
    now, before = (urlsafe_b64encode(room.sealer.fingerprint(text.encode())).decode().rstrip("=") for text in texts)
    return now, before


def _find(connection: Connection, token_hash: bytes, now: int) -> tuple[ConsoleSession | None, Tenant | None]:
    """The session, and the tenant in view."""
    session = sessions.find(connection, token_hash, now)
    if session is None:
        return None, None
    wanted = session.acting_for or session.user.tenant
    return session, _tenant(connection, wanted)


def _tenant(connection: Connection, wanted: TenantId) -> Tenant | None:
    if wanted == SYSTEM:
        return None
    try:
        return tenants.show(connection, wanted)
    except NotFound:  # removed while a system administrator worked in it
        return None
