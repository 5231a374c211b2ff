"""Where an event stands in traces follows from its key, so that every process knows it and nothing has to be stored."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, TraceFlags

_key: ContextVar[str | None] = ContextVar("event_key", default=None)


def ids_of(key: str) -> tuple[int, int]:
    """Trace id (128 bits) and id of the root span (64 bits) of the event with this key.

    Spread like random ones, which samplers that go by a share of trace ids rely on.
    """
    digest = sha256(key.encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1  # 0 is no id


def root_of(key: str, *, sampled: bool) -> SpanContext:
    """The root span of an event, whichever process has made it."""
    trace, span = ids_of(key)
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if sampled else 0))


class EventIds(RandomIdGenerator):
    """Random ids, but for a root span that is started under `of`."""

    @contextmanager
    def of(self, key: str | None) -> Generator[None]:
        """The root span that is started now is that of the event with this key; None for just any."""
        token = _key.set(key)
        try:
            yield
        finally:
            _key.reset(token)

    def generate_trace_id(self) -> int:
        """The trace of the event, or a new one."""
        key = _key.get()
        return super().generate_trace_id() if key is None else ids_of(key)[0]

    def generate_span_id(self) -> int:
        """The root span of the event, or a new one."""
        key = _key.get()
        return super().generate_span_id() if key is None else ids_of(key)[1]
