"""A mail server on loopback for thousands of connections: it reads everything, and answers mails when it is told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.closing import end


class SlowServer:
    """Speaks SMTP with PIPELINING. `mails` counts by sender what it took, `held` what it has not answered yet."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        """It accepts connections and never says a word."""
        self.port = 0
        self.connections = 0
        self.mails: Counter[bytes] = Counter()
        self.held: Counter[bytes] = Counter()
        self.each_takes_s = 0.0
        self.answers = asyncio.Event()
        """Cleared: whole mails are not answered."""
        self.answers.set()


class _Client(asyncio.Protocol):
    def __init__(self, server: SlowServer, transports: set[asyncio.Transport]) -> None:
        self._server = server
        self._transports = transports
        self._buffer = b""
        self._in_data = False
        self._sender = b""
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._transports.add(transport)
        self._server.connections += 1
        if not self._server.silent:
            transport.write(b"220 slow ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transports.discard(self._transport)
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answering is None and not self._server.silent:
            self._read_on()

    def _read_on(self) -> None:
        while True:
            if self._in_data:
                _, found, rest = self._buffer.partition(b"\r\n.\r\n")
                if found:
                    self._buffer, self._in_data = rest, False
                    self._answering = asyncio.create_task(self._answer())
                return
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                return
            self._buffer = rest
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._sender = line[line.index(b"<") + 1 : line.index(b">")]
        self._in_data = verb == b"DATA"
        answers = {b"EHLO": b"250-slow\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n"}
        self._transport.write(answers.get(verb, b"250 ok\r\n"))

    async def _answer(self) -> None:
        server, sender = self._server, self._sender
        server.held[sender] += 1
        try:
            await asyncio.sleep(server.each_takes_s)
            await server.answers.wait()
        finally:
            server.held[sender] -= 1
        server.mails[sender] += 1
        self._transport.write(b"250 taken\r\n")
        self._answering = None
        self._read_on()


@asynccontextmanager
async def slow_server(*, silent: bool = False) -> AsyncGenerator[SlowServer]:
    """Such a server for one test."""
    server, transports = SlowServer(silent=silent), set[asyncio.Transport]()
    listening = await asyncio.get_running_loop().create_server(
        lambda: _Client(server, transports), "127.0.0.1", 0, backlog=1024
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        await end(listening, list(transports))
