"""A collector of OpenTelemetry on loopback that remembers what it was sent."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.closing import end


class Collector:
    """Takes OTLP over HTTP, and answers everything with 200."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.heads: list[str] = []
        self.url = ""

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        """What came, decoded."""
        return [ExportTraceServiceRequest.FromString(body) for body in self.raw]

    @property
    def spans(self) -> list[Span]:
        """All spans that came, by the time when they began."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def named(self, name: str) -> list[Span]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                self.heads.append(head)
                self.raw.append(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def collector() -> AsyncGenerator[Collector]:
    """A collector for one test."""
    made = Collector()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await made.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        await end(server, [writer.transport for writer in writers])


def attributes(fields: Iterable[KeyValue]) -> dict[str, str | int]:
    """Attributes of a span or a resource, as plain values."""
    return {
        field.key: field.value.string_value if field.value.HasField("string_value") else field.value.int_value
        for field in fields
    }
