"""Whom a token stands for, for tests."""

from ringpost.domain.access import Principal, hash_token
from ringpost.domain.secrets import Secret
from ringpost.storage import access
from ringpost.usecases.room import Room


async def who(room: Room, token: Secret) -> Principal:
    known = await room.database.read(access.find_principal, hash_token(token.reveal()), room.clock())
    return known.principal
