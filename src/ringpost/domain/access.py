"""Who may do what: roles of people, scopes of tokens, and the principal that a token stands for."""

import base64
import hashlib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import FieldError, Invalid

TOKEN_BYTES = 32
"""256 random bits: too many to guess, so a plain SHA-256 keeps them safe without a salt or a slow hash."""

ACCESS_TOKEN_S = 3600
REFRESH_TOKEN_S = 30 * 24 * 3600
"""A session ends when it was not refreshed for this long."""

CONSOLE_SESSION_S = 12 * 3600
"""A session at the console ends after a working day, whatever happens."""
CONSOLE_IDLE_S = 2 * 3600
"""And earlier, when nothing was asked of it for this long."""

INVITATION_S = 24 * 3600
"""How long a one-time link to set a password is good."""

SHORTEST_PASSWORD = 12
"""Characters, for people. NIST SP 800-63B asks for 8 at least, and advises against rules of composition."""
LONGEST_PASSWORD = 1024
"""Bytes of UTF-8: bounds the work that a stranger can give us."""

LONGEST_USERNAME = 128
_LONGEST_TYPED = 4 * LONGEST_USERNAME
"""Characters of a username before it is normalised: decomposed, one character is four at most (UAX 15, section 14)."""


class Role(StrEnum):
    """What a person, or the maker of an API key, may do."""

    SYSTEM_ADMIN = "system_admin"
    TENANT_ADMIN = "tenant_admin"
    READ_ONLY = "read_only"


class Scope(StrEnum):
    """What a token may be used for. A login has all that its role allows; an API key has what it was given."""

    EVENTS_WRITE = "events:write"
    SETTINGS = "settings"
    ADMIN = "admin"


SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    Role.SYSTEM_ADMIN: frozenset(Scope),
    Role.TENANT_ADMIN: frozenset({Scope.EVENTS_WRITE, Scope.SETTINGS}),
    Role.READ_ONLY: frozenset(),
}
"""All that a role allows; no key of that role has more."""


class TokenKind(StrEnum):
    """What a token is for. The prefix tells people and secret scanners what they found."""

    KEY = "key"
    ACCESS = "access"
    REFRESH = "refresh"


class SecretKind(StrEnum):
    """Secrets that are written like tokens and are none: no API takes them."""

    CONSOLE = "console"
    """The cookie of a session at the console."""
    WELCOME = "welcome"
    """The end of a one-time link."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for, and with that for which tenant."""

    tenant: TenantId
    """`SYSTEM` for the system level."""
    role: Role
    scopes: frozenset[Scope]
    name: str
    """For the audit log: the user's name or the API key's."""
    token_id: str
    session: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in. Times are milliseconds since 1970, UTC."""

    id: str
    tenant: TenantId
    username: str
    """As `parse_username` gives it."""
    role: Role
    enabled: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token without the token itself. Times are milliseconds since 1970, UTC."""

    id: str
    tenant: TenantId
    kind: TokenKind
    name: str
    role: Role
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None
    """None: it does not expire, which only keys may do."""
    revoked_at: int | None = None
    user_id: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whoever holds its secret may set this person's password, once. Times are milliseconds since 1970, UTC."""

    tenant: TenantId
    username: str
    role: Role
    """What a person who is new will be; one that there is keeps the role."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login gives: one token to work with, and one that gives the next pair (RFC 6749 1.5)."""

    access: Secret
    refresh: Secret
    expires_in: int
    """Seconds that the access token lives."""


def write_token(kind: TokenKind | SecretKind, chance: bytes) -> Secret:
    """The text of a token: `rp_key_...`, `rp_access_...` or `rp_refresh_...`; `chance` is TOKEN_BYTES of randomness."""
    if len(chance) != TOKEN_BYTES:
        raise ValueError(f"A token takes {TOKEN_BYTES} random bytes.")
    return Secret(f"rp_{kind}_{base64.urlsafe_b64encode(chance).decode().rstrip('=')}")


def hash_token(token: str) -> bytes:
    """What is stored of a token, and what it is found by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def parse_username(text: str) -> str:
    """A user's name, alike for all ways to write it: trimmed, NFKC, no case (RFC 8265 3.3). Raises Invalid."""
    # Sorting combining marks takes the square of their number, so what is long in any case is not normalised.
    typed = text.strip()
    name = unicodedata.normalize("NFKC", typed).casefold() if len(typed) <= _LONGEST_TYPED else ""
    if not 1 <= len(name) <= LONGEST_USERNAME:
        raise Invalid(FieldError("username", "A username has 1 to 128 characters."))
    if not name.isprintable():
        raise Invalid(FieldError("username", "A username has no control characters."))
    return name


def parse_password(text: str) -> Secret:
    """A new password of a person: NFC (RFC 8265 4.2), never trimmed. Raises Invalid."""
    try:
        password = text if len(text) > LONGEST_PASSWORD else unicodedata.normalize("NFC", text)  # as in `parse_attempt`
        size = len(password.encode())
    except UnicodeEncodeError:
        raise Invalid(FieldError("password", "A password is text without lone surrogates.")) from None
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(FieldError("password", f"A password has {SHORTEST_PASSWORD} characters or more."))
    if size > LONGEST_PASSWORD:
        raise Invalid(FieldError("password", f"A password has {LONGEST_PASSWORD} bytes at most."))
    return Secret(password)


def parse_attempt(password: Secret) -> Secret:
    """A password that somebody logs in with, written as `parse_password` does; one too long to be any becomes empty."""
    text = password.reveal()
    if len(text) > LONGEST_PASSWORD:
        return Secret("")
    return Secret(unicodedata.normalize("NFC", text))


def checked_role(tenant: TenantId, role: Role) -> Role:
    """The role, when people and keys of this tenant may have it. Raises Invalid."""
    if (tenant == SYSTEM) != (role is Role.SYSTEM_ADMIN):
        raise Invalid(FieldError("role", "system_admin is for the system level, the other roles are for tenants."))
    return role
