"""Accept an invitation: the person invited sets a password, and is signed in."""

from typing import Final

from sqlalchemy import Connection

from ringpost.domain.access import Invitation, User, hash_token, parse_password
from ringpost.domain.secrets import Secret
from ringpost.errors import NotFound
from ringpost.storage import access, audit, invitations, passwords
from ringpost.storage.identifiers import new_id
from ringpost.usecases.room import Room
from ringpost.usecases.sign_in import begin_session

GONE: Final = "This link has been used or has ended. Ask for a new one."


async def accept_invitation(room: Room, secret: Secret, password: str, agent: str) -> Secret:
    """Set the password of the person invited, and begin a session; the secret for the cookie.

    The link is used up, and all that was signed in before is signed out. Raises NotFound, Invalid (the password).
    """
    token_hash, now = hash_token(secret.reveal()), room.clock()
    await room.database.read(_find, token_hash, now)  # hashing a password is work that a stranger must not give us
    hashed = await passwords.hash_password(parse_password(password))

    def store(connection: Connection) -> Secret:
        invitation = _find(connection, token_hash, now)
        if not invitations.withdraw(connection, invitation.tenant, invitation.username):
            raise NotFound(GONE)
        user = _set_password(connection, invitation, hashed, now)
        entry = audit.Entry(now, user.username, "accept_invitation", user.id, ("password",))
        audit.record(connection, user.tenant, entry)
        return begin_session(connection, user, agent, now)

    return await room.database.write(store)


def _find(connection: Connection, token_hash: bytes, now: int) -> Invitation:
    """The invitation with this secret. Raises NotFound."""
    invitation = invitations.find(connection, token_hash, now)
    if invitation is None:
        raise NotFound(GONE)
    return invitation


def _set_password(connection: Connection, invitation: Invitation, hashed: str, now: int) -> User:
    found = access.find_user(connection, invitation.tenant, invitation.username)
    if found is None:
        role = invitation.role
        user = User(new_id(now), invitation.tenant, invitation.username, role, enabled=True, created_at=now)
        access.add_user(connection, user, hashed)
        return user
    user = found[0]
    if not user.enabled:
        raise NotFound(GONE)
    access.change_user(connection, user.tenant, user.id, {"password_hash": hashed})
    access.revoke_sessions_of(connection, user.tenant, user.id, now)
    return user
