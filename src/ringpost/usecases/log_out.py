"""Log out: end the session that the token belongs to."""

from ringpost.domain.access import Principal
from ringpost.errors import Forbidden
from ringpost.storage import access
from ringpost.usecases.room import Room


async def log_out(room: Room, principal: Principal) -> None:
    """End all tokens of this login. Raises Forbidden for an API key, which is revoked and does not log out."""
    if principal.session is None:
        raise Forbidden("An API key does not log out; it is revoked.")
    await room.database.write(access.revoke_session, principal.tenant, principal.session, room.clock())
