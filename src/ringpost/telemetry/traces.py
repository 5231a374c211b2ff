"""The spans of events and attempts.

An event has a trace of its own, which goes on for as long as its deliveries do, through every process that has them in
hand; it links to the request that brought it. Spans say what happened and whose failure it was, and never a name, an
address or a content.
"""

import asyncio
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, Status, StatusCode, Tracer

from ringpost import __version__
from ringpost.domain.deliveries import Verdict
from ringpost.domain.events import Event, SkipReason
from ringpost.domain.system_events import catalogue_of
from ringpost.storage.identifiers import event_of, made_at
from ringpost.storage.outcomes import Recorded
from ringpost.telemetry.event_ids import EventIds, ids_of, root_of

FLUSH_S: Final = 5.0
"""How long a stopping process waits for the collector to take the last spans."""
_NS: Final = 1_000_000
"""Nanoseconds in a millisecond."""

_log = structlog.get_logger("ringpost.telemetry")


class Traces:
    """The `Trace` of a room: spans into a bounded queue, and from there to a collector, on a thread of its own."""

    def __init__(self, provider: TracerProvider, ids: EventIds) -> None:
        self._provider = provider
        self._ids = ids
        self.tracer: Tracer = provider.get_tracer("ringpost", __version__)

    @classmethod
    def from_environment(cls) -> "Traces":
        """As the variables of the specification say: endpoint, headers, sampler, queue, resource.

        Raises ValueError for values that cannot be.
        """
        ids = EventIds()
        ours = Resource({"service.name": "ringpost", "service.version": __version__})
        resource = Resource.create().merge(ours).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, ids)

    @staticmethod
    def of_client(headers: Mapping[str, str]) -> Context:
        """Where the client's own trace stands, as the propagators say that the operator has chosen."""
        return propagate.extract(headers)

    async def close(self) -> None:
        """Send what is left, for `FLUSH_S` at most: a collector that does not answer stops nobody."""
        thread = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, FLUSH_S)
        if thread.is_alive():
            _log.warning("spans_left_behind", waited_s=FLUSH_S)

    def accepted(self, event: Event, deliveries: Sequence[str], skipped: SkipReason | None) -> None:
        """The root span of an event, from its key to now. One that sends nothing has no key that anybody asks for."""
        with _never_in_the_way():
            key = event_of(deliveries[0]) if deliveries else None
            request = trace.get_current_span()
            attributes = {
                "ringpost.tenant.id": event.tenant,
                "ringpost.event.type": event.type,
                "ringpost.event.class": catalogue_of(event.tenant)[event.type].urgency.word,
                "ringpost.event.deliveries": len(deliveries),
            }
            if skipped is not None:
                attributes["ringpost.event.skipped"] = skipped.value
            if key is not None:
                attributes["ringpost.event.key"] = key
            came_by = request.get_span_context()
            with self._ids.of(key):
                span = self.tracer.start_span(
                    f"event {event.type}",
                    Context(),
                    SpanKind.PRODUCER,
                    attributes,
                    [Link(came_by)] if came_by.is_valid else [],
                    made_at(key) * _NS if key else None,
                )
            request.add_link(span.get_span_context())
            span.end()

    def attempted(self, recorded: Recorded) -> None:
        """The span of an attempt, below the event's, whichever process has accepted that."""
        with _never_in_the_way():
            claimed, outcome = recorded.claimed, recorded.outcome
            root = NonRecordingSpan(root_of(claimed.event, sampled=self._is_sampled(claimed.event)))
            span = self.tracer.start_span(
                "attempt",
                trace.set_span_in_context(root, Context()),
                SpanKind.CLIENT,
                start_time=recorded.started_at * _NS,
            )
            if span.is_recording():
                said = {
                    "ringpost.tenant.id": claimed.tenant,
                    "ringpost.event.class": claimed.urgency.word,
                    "ringpost.delivery.id": claimed.id,
                    "ringpost.delivery.state": recorded.state.value,
                    "ringpost.attempt.number": claimed.attempts + 1,
                    "ringpost.attempt.duration_ms": recorded.duration_ms,
                    "ringpost.attempt.verdict": outcome.verdict.value,
                    "ringpost.attempt.stage": outcome.stage.value,
                    "ringpost.attempt.party": outcome.party.value if outcome.party else None,
                    "ringpost.attempt.code": outcome.code,
                    "ringpost.attempt.enhanced_code": outcome.enhanced_code,
                }
                span.set_attributes({name: value for name, value in said.items() if value is not None})
                if outcome.verdict is not Verdict.SENT:
                    span.set_status(Status(StatusCode.ERROR))
            span.end((recorded.started_at + recorded.duration_ms) * _NS)

    def _is_sampled(self, key: str) -> bool:
        """What the sampler of every process says of this event's trace, as all go by the trace id."""
        return self._provider.sampler.should_sample(Context(), ids_of(key)[0], "event").decision.is_sampled()


@contextmanager
def _never_in_the_way() -> Generator[None]:
    """No fault of tracing, or of what an operator has plugged into it, is one of the mail's."""
    try:
        yield
    except Exception:  # noqa: BLE001
        _log.exception("span_failed")
