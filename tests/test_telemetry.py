"""When traces are kept, and that every process says the same of the same event."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from ringpost.domain.deliveries import Outcome, Stage, State, Urgency, Verdict
from ringpost.domain.events import Event
from ringpost.domain.tenants import TenantId
from ringpost.storage.identifiers import new_id
from ringpost.storage.outbox import Claimed
from ringpost.storage.outcomes import Recorded
from ringpost.telemetry import open_traces
from ringpost.telemetry.event_ids import EventIds
from ringpost.telemetry.traces import Traces

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
ACME = TenantId("acme")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "ringpost"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_there_are_no_traces_unless_they_are_asked_for(environment: dict[str, str]) -> None:
    assert open_traces(environment) is None


def test_another_protocol_than_http_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL is grpc.*4318"):
        open_traces({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_without_traces_nothing_of_their_sdk_is_imported(tmp_path: Path) -> None:
    script = """
import asyncio, sys
from ringpost import serving, wiring
from ringpost.config import Config

async def main():
    config = Config()
    async with wiring.open_room(config, traced=True) as room:
        assert room.trace is None
        serving.api_server(room, config), wiring.worker(room, config)

asyncio.run(main())
wanted = ("opentelemetry.sdk", "opentelemetry.exporter", "ringpost.telemetry.")
print(sorted(name for name in sys.modules if name.startswith(wanted)))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RINGPOST_"))}
    environment["RINGPOST_DATA_DIR"] = str(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_processes_that_sample_agree_about_each_event() -> None:
    accepting, working = InMemorySpanExporter(), InMemorySpanExporter()
    here, there = traces_into(accepting), traces_into(working)
    keys = [new_id(1_800_000_000_000 + number) for number in range(200)]

    for key in keys:
        here.accepted(Event(ACME, "QUEUE_SLA", None, None, {}, (), ()), [f"{key}-1"], None)
        there.attempted(sent(key))

    roots = {(span.context.trace_id, span.context.span_id) for span in accepting.get_finished_spans() if span.context}
    parents = {(span.parent.trace_id, span.parent.span_id) for span in working.get_finished_spans() if span.parent}
    assert roots == parents
    assert 20 < len(roots) < 180, "about half of them"


def test_a_span_that_cannot_be_made_is_no_fault_of_the_event() -> None:
    class Broken(ParentBased):
        """A sampler that an operator has plugged in."""

        def should_sample(self, *_args: object, **_more: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            raise RuntimeError("out of order")

    traces = Traces(TracerProvider(Broken(TraceIdRatioBased(1)), shutdown_on_exit=False), EventIds())

    traces.attempted(sent(new_id(0)))


def traces_into(exporter: InMemorySpanExporter) -> Traces:
    """Traces of one process, which keeps every other one."""
    ids = EventIds()
    provider = TracerProvider(ParentBased(TraceIdRatioBased(0.5)), id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(provider, ids)


def sent(key: str) -> Recorded:
    """An attempt at the first delivery of this event."""
    claimed = Claimed(
        f"{key}-1", ACME, key, "lead@example.org", Urgency.NORMAL, False, "acme", 0, 0, 0, 10**13, "w1-1.n"
    )
    outcome = Outcome(Verdict.SENT, Stage.ACCEPTED, code=250)
    return Recorded(claimed, outcome, "mx.example.com", 1_800_000_000_500, 20, State.SENT, 0, costs_retry=True)
