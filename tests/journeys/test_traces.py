"""Traces: where an event has been, as a collector of OpenTelemetry sees it."""

import asyncio
import re
import signal
import socket
import sys
from hashlib import sha256
from pathlib import Path

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.journeys.collector import Collector, attributes, collector
from tests.journeys.running import Service, mailbox, new_tenant, service
from tests.journeys.test_worker_process import worker_process
from tests.patience import patience

CALLER = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
"""Spans are sent when a process ends, and not before."""
SECRET = [
    b"@example",
    b"lead",
    b"manager",
    b"Complaints",
    b"Northwind",
    b"Name of a sender",
    b"id-of-the-sender",
    b"pbx.example.com",
    b"rp_key",
]
"""What stands in the settings, the event and its mail, and must not stand in a span."""


async def test_an_event_is_followed_from_its_request_to_its_attempts_in_another_process(tmp_path: Path) -> None:
    async with mailbox() as box, collector() as seen:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=made-up", **AT_THE_END}
        async with service(tmp_path / "data", RINGPOST_WORKERS="0", **traced) as running:
            async with (
                worker_process(running, OTEL_SERVICE_NAME="mail-room-worker") as worker,
                new_tenant(running, box.port, from_name="Name of a sender") as tenant,
            ):
                deliveries = await two_mails(tenant)
                worker.send_signal(signal.SIGTERM)
                async with patience(60):
                    assert await worker.wait() == 0
            assert await running.stop() == 0

    request = is_the_request(seen)
    accepted = is_the_event(seen, request, key=deliveries[0].rpartition("-")[0])
    are_the_attempts(seen, accepted, deliveries)
    assert len(seen.named("POST /events")) == 2, "the repetition is a request, and no second event"
    assert len(seen.named("GET /events/{id:path}")) == 1
    assert len(seen.named("GET /deliveries/{id}")) > 1
    assert [span.name for span in seen.spans if "health" in span.name or "ready" in span.name] == []
    senders = [attributes(one.resource.attributes) for message in seen.requests for one in message.resource_spans]
    assert {sender["service.name"] for sender in senders} == {"ringpost", "mail-room-worker"}
    assert all("x-key: made-up" in head for head in seen.heads)
    assert [word for word in SECRET if word in b"".join(seen.raw)] == []


async def two_mails(tenant: httpx.AsyncClient) -> list[str]:
    """Post an event twice, the first time as a caller with a trace; the ids of its deliveries, once they have ended."""
    event = {
        "type": "QUEUE_SLA",
        "id": "id-of-the-sender",
        "variables": {"QUEUE_NAME": "Complaints", "QUEUE_NUMBER": "8001"},
        "recipients": ["lead@example.org"],
    }
    answer = await tenant.post("/api/events", json=event, headers={"traceparent": f"00-{CALLER}-{CALLERS_SPAN}-01"})
    assert answer.status_code == 202
    assert (await tenant.post("/events", json=event)).headers["Idempotent-Replayed"] == "true"
    assert (await tenant.get("/events/id-of-the-sender")).status_code == 200
    deliveries = [one["id"] for one in answer.json()["deliveries"]]
    async with patience(60):
        for delivery in deliveries:
            while not (await tenant.get(f"/deliveries/{delivery}")).json()["ended_at"]:
                await asyncio.sleep(0.05)
    return deliveries


def is_the_request(seen: Collector) -> Span:
    """It goes on from the caller's span."""
    (request,) = [span for span in seen.named("POST /events") if span.trace_id.hex() == CALLER]
    assert request.kind == Span.SPAN_KIND_SERVER
    assert request.parent_span_id.hex() == CALLERS_SPAN
    assert attributes(request.attributes) == {
        "http.request.method": "POST", "url.scheme": "http", "http.route": "/events", "http.response.status_code": 202,
    }  # fmt: skip
    return request


def is_the_event(seen: Collector, request: Span, key: str) -> Span:
    """It has a trace of its own; it and the request link to each other."""
    (accepted,) = seen.named("event QUEUE_SLA")
    assert accepted.trace_id != request.trace_id
    assert accepted.trace_id == sha256(key.encode()).digest()[:16], "as docs/operating.md has it"
    assert accepted.parent_span_id == b""
    assert accepted.kind == Span.SPAN_KIND_PRODUCER
    assert [(link.trace_id, link.span_id) for link in accepted.links] == [(request.trace_id, request.span_id)]
    assert [(link.trace_id, link.span_id) for link in request.links] == [(accepted.trace_id, accepted.span_id)]
    said = attributes(accepted.attributes)
    assert said.pop("ringpost.tenant.id")
    assert said == {
        "ringpost.event.type": "QUEUE_SLA",
        "ringpost.event.class": "normal",
        "ringpost.event.deliveries": 2,
        "ringpost.event.key": key,
    }
    return accepted


def are_the_attempts(seen: Collector, accepted: Span, deliveries: list[str]) -> None:
    """One for each delivery, below the event."""
    tried = seen.named("attempt")
    assert sorted(str(attributes(span.attributes)["ringpost.delivery.id"]) for span in tried) == sorted(deliveries)
    for span in tried:
        assert (span.trace_id, span.parent_span_id) == (accepted.trace_id, accepted.span_id)
        assert span.kind == Span.SPAN_KIND_CLIENT
        assert accepted.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        said = attributes(span.attributes)
        assert said["ringpost.attempt.number"] == 1
        assert said["ringpost.attempt.verdict"] == said["ringpost.delivery.state"] == "sent"
        assert said["ringpost.attempt.stage"] == "accepted"
        assert said["ringpost.attempt.code"] == 250
        assert said["ringpost.attempt.duration_ms"] == (span.end_time_unix_nano - span.start_time_unix_nano) // 10**6


async def test_a_failed_attempt_says_whose_failure_it_was_and_an_event_without_mail_why(tmp_path: Path) -> None:
    async with collector() as seen:
        traced = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{seen.url}/v1/traces", **AT_THE_END}
        async with service(tmp_path / "data", **traced) as running:
            nobody_listens = 9
            async with new_tenant(running, nobody_listens, notify_queue_call_lost=False) as tenant:
                events = [{"type": "DISK_LOW", "variables": {"FREE_SIZE": "1 GB"}}, {"type": "QUEUE_CALL_LOST"}]
                answer = await tenant.post("/events", json={"events": events})
                taken, skipped = (one["event"] for one in answer.json()["results"])
                assert skipped["skipped"] == "NOTIFICATION_OFF"
                async with patience(60):
                    story = f"/deliveries/{taken['deliveries'][0]['id']}"
                    while not (await tenant.get(story)).json()["all_attempts"]:
                        await asyncio.sleep(0.05)
            assert await running.stop() == 0

    (request,) = seen.named("POST /events")
    failed = seen.named("attempt")[0]
    said = attributes(failed.attributes)
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert said["ringpost.attempt.verdict"] == "retry"
    assert said["ringpost.attempt.stage"] == "connect"
    assert said["ringpost.attempt.party"] in ("mail_server", "network")
    assert said["ringpost.delivery.state"] == "queued"
    (unsent,) = seen.named("event QUEUE_CALL_LOST")
    assert attributes(unsent.attributes)["ringpost.event.skipped"] == "NOTIFICATION_OFF"
    assert attributes(unsent.attributes)["ringpost.event.deliveries"] == 0
    assert unsent.links[0].span_id == request.span_id
    assert b"127.0.0.1" not in b"".join(seen.raw)


async def test_a_collector_that_never_answers_stops_neither_mails_nor_the_end(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hasty = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
        async with mailbox() as box, service(tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=url, **hasty) as running:
            async with new_tenant(running, box.port) as tenant:
                events = [{"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": f"Q{number}"}} for number in range(50)]
                assert (await tenant.post("/events", json={"events": events})).status_code == 202
                await box.holds(50, within_s=60)
            assert await running.stop() == 0
    assert "Queue full" in running.log.read_text(), "the queue is bounded"


async def test_traces_that_cannot_be_made_are_an_error_at_the_start(tmp_path: Path) -> None:
    without = "import sys; sys.modules['opentelemetry.sdk'] = None; from ringpost.cli import main; main()"
    running = Service(tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", without, "serve", "--port", "0", env=running.environment, cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()

    assert process.returncode == 78
    assert re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT asks for traces.*pip install 'ringpost\[telemetry\]'", said.decode())


async def test_a_propagator_that_there_is_not_is_an_error_at_the_start(tmp_path: Path) -> None:
    running = Service(
        tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_PROPAGATORS="tracecontex"
    )
    await running.launch("serve", "--port", "0")
    assert await running.ended() == 78
    said = running.log.read_text()
    assert "tracecontex" in said
    assert "listens on" not in said
