"""Prepare a template once, and keep it: revisions never change, so a prepared one is good for ever.

To take a large one apart takes a second. That is done on threads of its own, so that neither the database nor a mail
waits for it, and for each tenant one after the other, so that none has them all.
"""

import asyncio
import io
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import segno
from cachetools import LRUCache, cached

from ringpost.domain.catalogue import EventType
from ringpost.domain.events import LONGEST_QR_TEXT, Value
from ringpost.domain.rendering import PreparedTemplate, prepare
from ringpost.domain.templates import customise
from ringpost.domain.tenants import TenantId
from ringpost.errors import RateLimited
from ringpost.storage.default_templates import default_template
from ringpost.storage.templates import Revision

MOST_KEPT: Final = 64 << 20
"""Octets of memory, about, for prepared templates: one with a picture in it may take a megabyte, most take 20 kB."""

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

_Key = tuple[EventType, str | None, str]


def _key(kind: EventType, revision: Revision | None, language: str) -> _Key:
    return kind, revision and revision.id, language


def _size(template: PreparedTemplate) -> int:
    return template.size


@cached(LRUCache[_Key, PreparedTemplate](MOST_KEPT, getsizeof=_size), key=_key, lock=Lock())
def prepared(kind: EventType, revision: Revision | None, language: str) -> PreparedTemplate:
    """The template in force for an event type: the custom revision over the language's default, part by part."""
    default = default_template(kind, language)
    return prepare(default if revision is None else customise(default, revision.parts), kind)


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


def qr_code(variables: Mapping[str, Value]) -> bytes | None:
    """The PNG of the event's QR_CODE text; None when it has none, or more than a QR code can show."""
    text = str(variables.get("QR_CODE") or variables.get("QR_CODE_URL") or "")
    if not text.strip() or len(text.encode()) > LONGEST_QR_TEXT:
        return None
    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="png", scale=5, border=4)
    return picture.getvalue()
