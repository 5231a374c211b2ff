"""How many file descriptors this process has, and for whom. Each mail server that is waited for takes one."""

import resource
import sys
from typing import Final

MOST: Final = 65_536
"""How many are asked for, where the hard limit allows that; the usual soft limit of 1,024 is soon used up."""
OTHERS: Final = 64
"""Those that are neither for mail servers nor for clients: the database, files, what is listened on."""


def raise_limit() -> None:
    """Have as many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def for_clients() -> int:
    """How many clients of the API may be connected: nearly half of all, so that mail has the other."""
    limit = _limit()
    return max(limit // 2 - OTHERS, limit // 4)


def for_mail() -> int:
    """How many connections to mail servers this process may have; the rest is for clients, the database and files."""
    limit = _limit()
    return max(limit // 2, limit - 2048)


def _limit() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
