"""Work on a tenant's templates that takes its time: done aside, where nobody else waits for it.

To take a large template apart takes a second. That has threads of its own, so that neither the database nor a mail
waits for it, and is done for each tenant one after the other, so that none has all the threads.
"""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from ringpost.domain.tenants import TenantId
from ringpost.errors import RateLimited

MOST_IN_LINE: Final = 8
"""How much of a tenant's may wait for its turn; a person who writes waits for one or two things at a time."""

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(2, thread_name_prefix="ringpost-templates")


@dataclass(slots=True, weakref_slot=True)
class _Line:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


_lines = WeakValueDictionary[TenantId, _Line]()


async def aside(tenant: TenantId, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what takes its time with the tenant's templates when it is its turn, where nobody else waits for it."""
    line = _line_of(tenant)
    async with line.turn:
        return await asyncio.get_running_loop().run_in_executor(_threads, partial(work, *args, **kwargs))


@contextmanager
def place_in_line(tenant: TenantId) -> Generator[None]:
    """For what may be asked for again. Raises RateLimited when more than enough of the tenant's waits for its turn."""
    line = _line_of(tenant)
    if line.length >= MOST_IN_LINE:
        raise RateLimited("Too many tries. Wait, then try again.", 1)
    line.length += 1
    try:
        yield
    finally:
        line.length -= 1


def _line_of(tenant: TenantId) -> _Line:
    return _lines.setdefault(tenant, _Line())
