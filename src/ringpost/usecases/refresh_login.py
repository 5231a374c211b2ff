"""Refresh a login: the next pair of tokens for a refresh token, which works once.

A refresh token that comes a second time is in two hands, and nobody knows whose are the right ones: the whole session
ends (RFC 9700 4.14.2). A client whose answer was lost on the way has to log in anew.
"""

import structlog
from sqlalchemy import Connection

from ringpost.domain.access import Token, TokenKind, TokenPair, hash_token
from ringpost.domain.secrets import Secret
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Unauthorized
from ringpost.storage import access, audit, tenants
from ringpost.storage.access import UNKNOWN_TOKEN
from ringpost.usecases.log_in import SessionTokens
from ringpost.usecases.room import Room

_log = structlog.get_logger("ringpost.access")


async def refresh_login(room: Room, refresh_token: Secret) -> TokenPair:
    """Use up the refresh token for a new pair of the same session. Raises Unauthorized."""
    now = room.clock()
    tokens = SessionTokens.make()
    if not await room.database.write(_rotate, hash_token(refresh_token.reveal()), tokens, now):
        raise Unauthorized(UNKNOWN_TOKEN)
    return tokens.as_pair()


def _rotate(connection: Connection, token_hash: bytes, tokens: SessionTokens, now: int) -> bool:
    """False when refused: an exception would undo the end of the session."""
    used = access.find_token(connection, token_hash)
    if used is None or used.kind is not TokenKind.REFRESH or used.user_id is None or used.session is None:
        return False
    if used.expires_at is None or used.expires_at <= now:
        return False
    if used.revoked_at is None:
        user, _ = access.lock_user(connection, used.tenant, used.user_id) or (None, "")
        if user is None or not user.enabled or not _is_awake(connection, used.tenant):
            return False
        if access.use_up(connection, used, now):
            tokens.add(connection, user, used.session, now)
            return True
    _end_session(connection, used, used.session, now)
    return False


def _is_awake(connection: Connection, tenant: TenantId) -> bool:
    return tenant == SYSTEM or tenants.show(connection, tenant).enabled


def _end_session(connection: Connection, used: Token, session: str, now: int) -> None:
    if access.revoke_session(connection, used.tenant, session, now):
        _log.warning("refresh_token_used_twice", tenant=used.tenant, user=used.name, session=session)
        audit.record(connection, used.tenant, audit.Entry(now, used.name, "end_session_after_reuse", session))
