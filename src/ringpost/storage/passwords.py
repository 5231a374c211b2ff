"""Passwords of people: argon2id (RFC 9106), on threads of its own.

19 MiB, 2 passes, 1 lane: the parameters that OWASP's Password Storage Cheat Sheet recommends for argon2id; some 25 ms
on a small machine. A hash carries its parameters, so they can be raised here and hashes are renewed at the next login.
Two threads bound what many logins at once can take from the rest: two cores and 38 MiB.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ringpost.domain.secrets import Secret

_PASSES, _MEMORY_KIB, _LANES = 2, 19 * 1024, 1
_hasher = PasswordHasher(_PASSES, _MEMORY_KIB, _LANES, hash_len=32, salt_len=16)
_threads = ThreadPoolExecutor(2, thread_name_prefix="ringpost-password")

_NOBODY = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${'A' * 22}${'A' * 43}"
"""Verified when there is no such user, so that the answer takes as long as for one that there is. No password is known
that has this hash."""


async def hash_password(password: Secret) -> str:
    """What is stored of a password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password.reveal())


async def verify_password(password: Secret, stored: str | None) -> bool:
    """Whether it is the password of this hash. Without a hash it takes as long, and is False."""
    right = await asyncio.get_running_loop().run_in_executor(_threads, _verify, password.reveal(), stored or _NOBODY)
    return right and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _verify(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
