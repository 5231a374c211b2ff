"""People and tokens: the rows of `users` and `tokens`, and which principal a token stands for."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, text, update

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role, Scope, Token, TokenKind, User
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import AlreadyExists, Forbidden, NotFound, Unauthorized
from ringpost.storage.tables import AnyRow, console_sessions, tenants, tokens, users

UNKNOWN_TOKEN = "The token is missing, unknown or has ended."  # noqa: S105
"""One text for all of it: nobody learns which tokens there were."""

# People -------------------------------------------------------------------------------------------------------------


def add_user(connection: Connection, user: User, password_hash: str) -> None:
    """Add a person to `user.tenant`. Raises AlreadyExists."""
    taken = select(users.c.id).where(users.c.tenant == user.tenant, users.c.username == user.username)
    if connection.execute(taken).first() is not None:
        raise AlreadyExists(f"There is a user {user.username} already.")
    connection.execute(
        insert(users).values(
            id=user.id,
            tenant=user.tenant,
            username=user.username,
            password_hash=password_hash,
            role=user.role,
            enabled=user.enabled,
            created_at=user.created_at,
        )
    )


def find_user(connection: Connection, tenant: TenantId, username: str) -> tuple[User, str] | None:
    """A person and the hash of the password."""
    row = connection.execute(select(users).where(users.c.tenant == tenant, users.c.username == username)).first()
    return None if row is None else (_user(row), row.password_hash)


def show_user(connection: Connection, tenant: TenantId, user_id: str) -> User:
    """One person. Raises NotFound."""
    row = connection.execute(select(users).where(users.c.tenant == tenant, users.c.id == user_id)).first()
    if row is None:
        raise NotFound("There is no such user.")
    return _user(row)


def lock_user(connection: Connection, tenant: TenantId, user_id: str) -> tuple[User, str] | None:
    """A person and the hash of the password, which stay so until the transaction ends; None when the person is gone.

    Whoever begins a session asks for it, so that what ends all sessions meets those that are just beginning.
    """
    mine = select(users).where(users.c.tenant == tenant, users.c.id == user_id)
    row = connection.execute(mine.with_for_update(key_share=True)).first()
    return None if row is None else (_user(row), row.password_hash)


def list_users(connection: Connection, tenant: TenantId) -> list[User]:
    """The people of one tenant, by name."""
    return [
        _user(row)
        for row in connection.execute(select(users).where(users.c.tenant == tenant).order_by(users.c.username))
    ]


def page_of_users(connection: Connection, tenant: TenantId, top: int, after: str = "") -> list[User]:
    """The people whose names come after this one, by name."""
    later = select(users).where(users.c.tenant == tenant, users.c.username > after)
    return [_user(row) for row in connection.execute(later.order_by(users.c.username).limit(top))]


def change_user(connection: Connection, tenant: TenantId, user_id: str, values: dict[str, object]) -> None:
    """Set columns of one person: `password_hash`, `role`, `enabled`."""
    connection.execute(update(users).where(users.c.tenant == tenant, users.c.id == user_id).values(**values))


def remove_user(connection: Connection, tenant: TenantId, user_id: str) -> None:
    """Remove a person, with all the person's sessions."""
    for table in (tokens, console_sessions):
        connection.execute(delete(table).where(table.c.tenant == tenant, table.c.user_id == user_id))
    connection.execute(delete(users).where(users.c.tenant == tenant, users.c.id == user_id))


# Tokens -------------------------------------------------------------------------------------------------------------


def add_token(connection: Connection, token: Token, token_hash: bytes) -> None:
    """Add a token of `token.tenant`."""
    connection.execute(
        insert(tokens).values(
            id=token.id,
            token_hash=token_hash,
            tenant=token.tenant,
            kind=token.kind,
            name=token.name,
            user_id=token.user_id,
            session=token.session,
            role=token.role,
            scopes=" ".join(sorted(token.scopes)),
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
        )
    )


def list_keys(connection: Connection, tenant: TenantId) -> list[Token]:
    """A tenant's API keys, revoked ones too, the newest first."""
    keys = select(tokens).where(tokens.c.tenant == tenant, tokens.c.kind == TokenKind.KEY).order_by(tokens.c.id.desc())
    return [_token(row) for row in connection.execute(keys)]


def find_token(connection: Connection, token_hash: bytes) -> Token | None:
    """The token with this hash, of whichever tenant and state."""
    row = connection.execute(select(tokens).where(tokens.c.token_hash == token_hash)).first()
    return None if row is None else _token(row)


def revoke_key(connection: Connection, tenant: TenantId, token_id: str, now: int) -> Token:
    """End an API key; one that has ended stays as it is. Raises NotFound."""
    mine = (tokens.c.tenant == tenant, tokens.c.id == token_id, tokens.c.kind == TokenKind.KEY)
    row = connection.execute(select(tokens).where(*mine)).first()
    if row is None:
        raise NotFound("There is no such API key.")
    connection.execute(update(tokens).where(*mine, tokens.c.revoked_at.is_(None)).values(revoked_at=now))
    return _token(row)


def use_up(connection: Connection, token: Token, now: int) -> bool:
    """End one token of a session: a refresh token works once. False when it has ended, just now in another process."""
    alive = (tokens.c.tenant == token.tenant, tokens.c.id == token.id, tokens.c.revoked_at.is_(None))
    return connection.execute(update(tokens).where(*alive).values(revoked_at=now)).rowcount > 0


def revoke_session(connection: Connection, tenant: TenantId, session: str, now: int) -> bool:
    """End all tokens of one login; False when all had ended."""
    alive = (tokens.c.tenant == tenant, tokens.c.session == session, tokens.c.revoked_at.is_(None))
    return connection.execute(update(tokens).where(*alive).values(revoked_at=now)).rowcount > 0


def revoke_sessions_of(connection: Connection, tenant: TenantId, user_id: str, now: int) -> None:
    """End all logins of one person, at the console too."""
    alive = (tokens.c.tenant == tenant, tokens.c.user_id == user_id, tokens.c.revoked_at.is_(None))
    connection.execute(update(tokens).where(*alive).values(revoked_at=now))
    at_console = (console_sessions.c.tenant == tenant, console_sessions.c.user_id == user_id)
    connection.execute(delete(console_sessions).where(*at_console))


def forget_ended_tokens(connection: Connection, before: int, rows: int = 1000) -> bool:
    """Remove tokens that expired or keys that were revoked before this time; True when there may be more.

    A used refresh token stays until it would have expired, so that its second use is noticed. Passes over what another
    worker is removing.
    """
    expired = select(tokens.c.id).where(tokens.c.expires_at < before)
    revoked = select(tokens.c.id).where(text("kind = 'key'"), tokens.c.revoked_at < before)
    found: list[str] = []
    for ended in (expired, revoked):  # each has an index
        found += connection.execute(ended.limit(rows).with_for_update(skip_locked=True)).scalars()
    if found:
        connection.execute(delete(tokens).where(tokens.c.id.in_(found)))
    return bool(found)


# Who is it ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """A principal, and when its token ends by itself (milliseconds since 1970, UTC)."""

    principal: Principal
    expires_at: int | None


def find_principal(connection: Connection, token_hash: bytes, now: int) -> Known:
    """Who the token stands for: an access token or an API key, nothing else.

    Raises Unauthorized when it is unknown, has expired, was revoked, or its user is disabled or gone; Forbidden when
    its tenant is disabled, which only the holder of a good token learns.
    """
    row = connection.execute(
        select(tokens, users.c.role.label("user_role"), users.c.enabled.label("user_enabled"), tenants.c.enabled)
        .select_from(
            tokens.outerjoin(users, users.c.id == tokens.c.user_id).outerjoin(tenants, tenants.c.id == tokens.c.tenant)
        )
        .where(tokens.c.token_hash == token_hash)
    ).first()
    if row is None or not _is_alive(row, now):
        raise Unauthorized(UNKNOWN_TOKEN)
    if row.tenant != SYSTEM and not row.enabled:
        raise Forbidden("This tenant is disabled.")
    return Known(_principal(row), row.expires_at)


def _is_alive(row: AnyRow, now: int) -> bool:
    if row.kind == TokenKind.REFRESH or row.revoked_at is not None:
        return False
    if row.expires_at is not None and row.expires_at <= now:
        return False
    return row.user_id is None or bool(row.user_enabled)


def _principal(row: AnyRow) -> Principal:
    """What a person may do is asked anew each time; what a key may do was settled when it was made."""
    role = Role(row.user_role or row.role)
    scopes = SCOPES_OF_ROLE[role] if row.user_id is not None else _scopes(row.scopes) & SCOPES_OF_ROLE[role]
    return Principal(TenantId(row.tenant), role, scopes, row.name, row.id, row.session)


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in text.split())


def _user(row: AnyRow) -> User:
    return User(row.id, TenantId(row.tenant), row.username, Role(row.role), row.enabled, row.created_at)


def _token(row: AnyRow) -> Token:
    return Token(
        id=row.id,
        tenant=TenantId(row.tenant),
        kind=TokenKind(row.kind),
        name=row.name,
        role=Role(row.role),
        scopes=_scopes(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        user_id=row.user_id,
        session=row.session,
    )
