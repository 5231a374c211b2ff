"""Who is calling, and whether they may: bearer tokens (RFC 6750) and the rules of every route.

    who may                                              dependency      Principal needs
    ---------------------------------------------------  --------------  -----------------------------------------------
    read own events and what became of their mail        Follower        tenant or system; any role and scope
    read a tenant's settings and templates               TenantReader    a tenant; read_only, or scope settings or admin
    change them, send a test mail, retry, cancel         TenantEditor    a tenant; role tenant_admin, scope settings
    post events                                          may_send_events scope events:write or admin; tenant or system
    everything under /admin and /tenants                 SystemAdmin     system level; role system_admin, scope admin
    log out                                              SignedIn        any token

A login has all scopes of its role; a key has those it was made with. A read_only principal may only GET. The tenant is
the principal's, never taken from path, query or body; a principal of the system level has none, so what tenants read
and change answers it 403. A disabled user's token is unknown (401); a disabled tenant's token is known but answers 403.

The answer to a missing, unknown, expired and revoked token is one and the same. Tokens are found by their SHA-256
through an index, so time tells nothing about their text. What a token stands for is remembered for 3 s and asked again
after that: a revocation is in force within 5 s in every process. Tokens that are no good are not remembered.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Request

from ringpost.api.problems import Refused
from ringpost.domain.access import Principal, Role, Scope, hash_token
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM
from ringpost.errors import Forbidden, Unauthorized
from ringpost.limits import Clock, Limits, address_of
from ringpost.storage.access import UNKNOWN_TOKEN, find_principal
from ringpost.usecases.room import Room

NO_TOKEN = f"{UNKNOWN_TOKEN} Send the header Authorization: Bearer TOKEN."
"""One text for all: the answer does not tell what is wrong with a token."""
REMEMBERED_S = 3.0
MOST_REMEMBERED = 10_000
LONGEST_TOKEN = 512
"""Bytes; ours have under 60. Keeps what strangers send from being hashed at length."""

_NO_TOKENS_IN_THE_QUERY = frozenset({"access_token", "token", "api_key", "authorization"})


class Authenticator:
    """Finds the principal of a request. One for each API process, at `app.state.authenticator`."""

    def __init__(
        self, room: Room, limits: Limits, admin_token: Secret | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._room = room
        self._limits = limits
        self._clock = clock
        self._admin_hash = hash_token(admin_token.reveal()) if admin_token else None
        self._remembered: dict[bytes, tuple[float, Principal]] = {}
        self._asked: dict[bytes, asyncio.Task[Principal]] = {}

    def known(self, token_hash: bytes) -> Principal | None:
        """Whom the token with this hash stands for, if that was found out lately."""
        remembered = self._remembered.get(token_hash)
        return remembered[1] if remembered is not None and self._clock() < remembered[0] else None

    async def authenticate(self, request: Request) -> Principal:
        """The principal of this request. Raises Unauthorized, Forbidden, RateLimited, Refused."""
        token_hash = _token_hash(request)
        if token_hash is not None:
            if (known := self.known(token_hash)) is not None:
                return known
        elif not any(name == b"authorization" for name, _ in request.scope["headers"]):
            raise Unauthorized(NO_TOKEN)  # nothing was tried, so nothing is counted
        try:
            return await self._ask(token_hash)
        except Unauthorized:
            self._limits.bad_tokens.hit(address_of(request))
            raise Unauthorized(NO_TOKEN) from None

    def forget(self) -> None:
        """Ask anew about every token: something was revoked here, so this process need not wait."""
        self._remembered.clear()

    async def _ask(self, token_hash: bytes | None) -> Principal:
        """Ask the database, once for all requests that want to know the same at the same time."""
        if token_hash is None:
            raise Unauthorized(NO_TOKEN)
        if self._admin_hash is not None and hmac.compare_digest(token_hash, self._admin_hash):
            return BOOTSTRAP
        task = self._asked.get(token_hash)
        if task is None:
            task = self._asked[token_hash] = asyncio.create_task(self._look_up(token_hash))
            task.add_done_callback(lambda done: self._answered(token_hash, done))
        return await asyncio.shield(task)

    def _answered(self, token_hash: bytes, task: asyncio.Task[Principal]) -> None:
        del self._asked[token_hash]
        if not task.cancelled():
            task.exception()  # all who asked may be gone; asyncio complains when nobody looks

    async def _look_up(self, token_hash: bytes) -> Principal:
        asked_at, now = self._clock(), self._room.clock()
        known = await self._room.database.read(find_principal, token_hash, now)
        lives_s = REMEMBERED_S if known.expires_at is None else min(REMEMBERED_S, (known.expires_at - now) / 1000)
        self._remembered.pop(token_hash, None)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.pop(next(iter(self._remembered)))
        self._remembered[token_hash] = (asked_at + lives_s, known.principal)
        return known.principal


BOOTSTRAP = Principal(SYSTEM, Role.SYSTEM_ADMIN, frozenset(Scope), "RINGPOST_ADMIN_TOKEN", "bootstrap")
"""Who the token from the operator's environment stands for. It is stored nowhere, and ends when it is taken out."""


def set_up(app: FastAPI, room: Room, admin_token: Secret | None = None, clock: Clock = time.monotonic) -> None:
    """Give an app its authenticator and its limits: `app.state.authenticator`, `app.state.limits`."""
    app.state.limits = Limits.start(clock)
    app.state.authenticator = Authenticator(room, app.state.limits, admin_token, clock)


async def authenticate(request: Request) -> Principal:
    """The principal of this request; also for routes that are not FastAPI's."""
    authenticator: Authenticator = request.app.state.authenticator
    return await authenticator.authenticate(request)


def may_read(principal: Principal) -> Principal:
    """See TenantReader. Raises Forbidden."""
    _must_be_a_tenants(principal)
    if principal.role is not Role.READ_ONLY and principal.scopes.isdisjoint((Scope.SETTINGS, Scope.ADMIN)):
        raise Forbidden("This needs the scope settings.")  # a key that only sends events need not see who is told
    return principal


def may_edit(principal: Principal) -> Principal:
    """See TenantEditor. Raises Forbidden."""
    _must_be_a_tenants(principal)
    if principal.role is not Role.TENANT_ADMIN:
        raise Forbidden("This needs the role tenant_admin.")
    if Scope.SETTINGS not in principal.scopes:
        raise Forbidden("This needs the scope settings.")
    return principal


def may_send_events(principal: Principal) -> Principal:
    """Asked by routes that are plain ones, without dependencies. Raises Forbidden."""
    if principal.scopes.isdisjoint((Scope.EVENTS_WRITE, Scope.ADMIN)):
        raise Forbidden("This needs the scope events:write.")
    return principal


def may_administer(principal: Principal) -> Principal:
    """See SystemAdmin. Raises Forbidden."""
    if principal.tenant != SYSTEM or principal.role is not Role.SYSTEM_ADMIN:
        raise Forbidden("This needs the role system_admin.")
    if Scope.ADMIN not in principal.scopes:
        raise Forbidden("This needs the scope admin.")
    return principal


def _must_be_a_tenants(principal: Principal) -> None:
    if principal.tenant == SYSTEM:
        raise Forbidden("This is for tenants; the token belongs to the system level.")


def _rule(check: Callable[[Principal], Principal]) -> Callable[[Request], Awaitable[Principal]]:
    async def dependency(request: Request) -> Principal:
        return check(await authenticate(request))

    return dependency


SignedIn = Annotated[Principal, Depends(authenticate)]
Follower = SignedIn
TenantReader = Annotated[Principal, Depends(_rule(may_read))]
TenantEditor = Annotated[Principal, Depends(_rule(may_edit))]
SystemAdmin = Annotated[Principal, Depends(_rule(may_administer))]


def _token_hash(request: Request) -> bytes | None:
    """The hash of the bearer token; None when there is none to be had. Raises Refused."""
    found: bytes | None = None
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            if found is not None:
                raise Refused("BAD_REQUEST", "The request has two Authorization headers. Send one.")
            found = value
    query: bytes = request.scope["query_string"]
    if query and any(name.lower() in _NO_TOKENS_IN_THE_QUERY for name, _ in parse_qsl(query.decode("latin-1"))):
        return None  # RFC 6750 5.3: queries end up in logs, so a token there is no token, whatever stands in the header
    return hash_of(found)


def hash_of(authorization: bytes | None) -> bytes | None:
    """The hash of the bearer token in an Authorization header; None when there is none in it."""
    if authorization is None or len(authorization) > LONGEST_TOKEN:
        return None
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token.strip():  # RFC 9110 11.1: schemes are case-insensitive
        return None
    return hash_token(token.strip().decode("latin-1"))
