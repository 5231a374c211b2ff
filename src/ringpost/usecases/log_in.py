"""Log in: a username and a password for a pair of tokens."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from ringpost.domain.access import (
    ACCESS_TOKEN_S,
    REFRESH_TOKEN_S,
    SCOPES_OF_ROLE,
    TOKEN_BYTES,
    Token,
    TokenKind,
    TokenPair,
    User,
    hash_token,
    parse_attempt,
    parse_username,
    write_token,
)
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId, parse_domain
from ringpost.errors import Invalid, Unauthorized
from ringpost.storage import access, passwords, tenants
from ringpost.storage.identifiers import new_id
from ringpost.usecases.room import Room

WRONG = "The username or the password is wrong."
"""Also when there is no such user or tenant, or it is disabled: nobody learns who there is."""

Session = TypeVar("Session", TokenPair, Secret)

_log = structlog.get_logger("ringpost.access")


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody typed. `domain` names the tenant; without it, it is the system level."""

    username: str
    password: Secret
    domain: str | None = None

    @property
    def account(self) -> str:
        """The same text for all ways to write the same account; to count tries by."""
        return f"{_canonical(self.username, parse_username)}@{_canonical(self.domain or '', parse_domain)}"


@dataclass(frozen=True, slots=True)
class Proven:
    """A person whose password was right."""

    user: User
    stored_hash: str
    """What it was checked against."""
    renewed_hash: str | None
    """The password's hash as it is made today, when the stored one is older."""

    def still_holds(self, connection: Connection) -> bool:
        """Whether the password is still the same, in the write that begins the session; stores the renewed hash."""
        found = access.lock_user(connection, self.user.tenant, self.user.id)
        if found is None or not found[0].enabled or found[1] != self.stored_hash:
            return False
        if self.renewed_hash is not None:
            access.change_user(connection, self.user.tenant, self.user.id, {"password_hash": self.renewed_hash})
        return True


async def log_in(room: Room, login: Login) -> TokenPair:
    """Check the password and begin a session. Raises Unauthorized, after the same work whatever was wrong."""

    def store(connection: Connection, user: User) -> TokenPair:
        now, tokens = room.clock(), SessionTokens.make()
        tokens.add(connection, user, new_id(now), now)
        return tokens.as_pair()

    return await begin_proven(room, login, store)


async def begin_proven(room: Room, login: Login, begin: Callable[[Connection, User], Session]) -> Session:
    """Check the password and `begin` a session, while the password is the same. Raises Unauthorized.

    Checking takes its time. A password that is changed meanwhile ends all sessions, and must not miss this one; it is
    checked anew, because it may only have been hashed anew.
    """

    def store(connection: Connection, proven: Proven) -> Session | None:
        return begin(connection, proven.user) if proven.still_holds(connection) else None

    while (begun := await room.database.write(store, await check_password(room, login))) is None:
        pass
    return begun


async def check_password(room: Room, login: Login) -> Proven:
    """Whose password it is. Raises Unauthorized, after the same work whatever was wrong."""
    found = await room.database.read(_find, login)
    password = parse_attempt(login.password)
    right = await passwords.verify_password(password, None if found is None else found[1])
    if found is None or not right:
        # What was typed is not logged: people type passwords where usernames belong.
        _log.warning("login_refused", tenant=found and found[0].tenant, user=found and found[0].id)
        raise Unauthorized(WRONG)
    user, stored = found
    renewed = await passwords.hash_password(password) if passwords.is_outdated(stored) else None
    return Proven(user, stored, renewed)


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """A fresh access and refresh token of one session."""

    access: Secret
    refresh: Secret

    @classmethod
    def make(cls) -> "SessionTokens":
        """New tokens by chance."""
        return cls(
            write_token(TokenKind.ACCESS, os.urandom(TOKEN_BYTES)),
            write_token(TokenKind.REFRESH, os.urandom(TOKEN_BYTES)),
        )

    def add(self, connection: Connection, user: User, session: str, now: int) -> None:
        """Store both, for this user and from now on."""
        for kind, secret, lives_s in (
            (TokenKind.ACCESS, self.access, ACCESS_TOKEN_S),
            (TokenKind.REFRESH, self.refresh, REFRESH_TOKEN_S),
        ):
            token = Token(
                id=new_id(now),
                tenant=user.tenant,
                kind=kind,
                name=user.username,
                role=user.role,
                scopes=SCOPES_OF_ROLE[user.role],
                created_at=now,
                expires_at=now + lives_s * 1000,
                user_id=user.id,
                session=session,
            )
            access.add_token(connection, token, hash_token(secret.reveal()))

    def as_pair(self) -> TokenPair:
        """What the client gets."""
        return TokenPair(self.access, self.refresh, ACCESS_TOKEN_S)


def _find(connection: Connection, login: Login) -> tuple[User, str] | None:
    """The enabled user of an enabled tenant, and the hash of the password."""
    tenant, enabled = SYSTEM, True
    if login.domain:
        found = tenants.find_by_domain(connection, _canonical(login.domain, parse_domain))
        tenant, enabled = (TenantId(""), False) if found is None else (found.id, found.enabled)
    user = access.find_user(connection, tenant, _canonical(login.username, parse_username))
    return user if user is not None and user[0].enabled and enabled else None


def _canonical(text: str, parse: Callable[[str], str]) -> str:
    """As `parse` writes it; empty for what nobody can be called."""
    try:
        return parse(text)
    except (ValueError, Invalid):
        return ""
