"""HTTP as uvicorn speaks it, with bounds on what a client may send and how long it may take to send and to read."""

from asyncio import AbstractEventLoop, BaseTransport, CancelledError, TimerHandle, Transport
from collections.abc import Callable
from math import inf
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ringpost.api import problems
from ringpost.api.clients import Client, Clients
from ringpost.api.http_rules import MAX_HEADERS

HEAD_S: Final = 30.0
"""How long a client may take to send the head of a request."""
BODY_S: Final = 120.0
"""How long it may then take to send the body."""
IDLE_S: Final = 65
"""How long a connection is kept between requests; longer than what load balancers keep theirs (60 s)."""
READ_S: Final = 120.0
"""How long it may take to read on, where its answers are more than the system keeps for it."""
LINGER_S: Final = 5.0
"""How long a client may go on sending a request that has had its last answer before the connection is closed."""

JOINED: Final = 1 << 16
"""Octets of an answer that wait for the end of a turn."""


class Joining:
    """A transport that writes once in a turn of the loop: the head of an answer goes out with its body.

    Each write is a call to the system, and wakes the client up.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop, lingers: Callable[[], bool]) -> None:
        self._transport = transport
        self._loop = loop
        self._lingers = lingers
        self._ended = False
        self._pieces: list[bytes] = []
        self._octets = 0
        self._read_by: TimerHandle | None = None
        """Runs while a client that is hung up on has something to read."""

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's."""
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it takes nothing more."""
        return self._ended or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Write at the end of this turn; at once what is much, so that the transport can say that it is too much."""
        if self._ended:
            return
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._octets += len(data)
        if self._octets >= JOINED:
            self._flush()

    def write_whole(self, data: bytes) -> None:
        """Write at once what nothing is to be joined to."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        """Close after what was written; when it lingers, say that this is all, and close when asked once more."""
        if not self.is_closing() and self._lingers():
            self._flush()
            self._ended = True
            self._transport.write_eof()
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """Close, whatever the client has still to say. What it has not read by then waits for it a while."""
        self._flush()
        self._ended = True
        self._transport.close()
        if self._transport.get_write_buffer_size() and self._read_by is None:
            self._read_by = self._loop.call_later(READ_S, self.abort)

    def abort(self) -> None:
        """Close at once, whatever the client has still to read."""
        self._ended = True
        self._transport.abort()

    def gone(self) -> None:
        """The connection is no more: nothing is written to it, and nothing of it is left to close."""
        self._ended = True
        self._pieces.clear()
        if self._read_by is not None:
            self._read_by.cancel()

    def _flush(self) -> None:
        if self._pieces:
            pieces, self._pieces, self._octets = self._pieces, [], 0
            self._transport.write(b"".join(pieces))


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 as soon as a head grows over the limit, and hangs up on requests that do not come to an end."""

    def __init__(self, *args: Any, clients: Clients, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients = clients
        self.out: Joining | None = None
        """What answers are written to."""
        self.between = True
        """No octet of a request has come to the parser since the end of the last one."""
        self._refused = False
        self._over = False
        """What comes is not read any more; the connection ends with the answers that are due."""
        self._in_head = True
        self._head_octets = 0
        """Of a head; in a body, of what is none of it and has come since: sizes of chunks, and trailers."""
        self._ends_at = inf
        self._timer: TimerHandle | None = None
        self._unread: TimerHandle | None = None
        """Runs while the client has more to read than is kept for it."""

    @property
    def answering(self) -> bool:
        """A request has come of which the answer is not out yet."""
        cycle = cast("Any", self.cycle)
        return cycle is not None and not cycle.response_complete

    @property
    def idle(self) -> bool:
        """Nothing of a request has come since the last one, and no answer is due."""
        return self.between and not self.answering

    @property
    def _may_refuse(self) -> bool:
        """No other answer is due before, or has begun, or was all that this request gets."""
        if not self.answering:
            return self._in_head or self.between
        in_body = not (self._in_head or self.between or self.pipeline)
        return in_body and not cast("Any", self.cycle).response_started

    def connection_made(self, transport: BaseTransport) -> None:
        """A client came."""
        self.out = Joining(cast("Transport", transport), self.loop, self._lingers)
        super().connection_made(cast("Transport", self.out))
        self._await_head()
        self._clients.came(self, cast("set[Client]", self.connections), self.loop.time())

    def hang_up(self) -> None:
        """End the connection, whatever the client has still to say."""
        if self.out is not None:
            self.out.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_waiting_for_reader()
        if self.out is not None:
            self.out.gone()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        super().pause_writing()
        if self._unread is None and self.out is not None:
            self._unread = self.loop.call_later(READ_S, self.out.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Octets of a head or a body. A head that begins in the middle of `data` is counted from the next on."""
        if self._over or self.transport.is_closing():  # what is still on its way is not read
            return
        self._head_octets += len(data)
        self._parse(data)
        begun = self._in_head or not self.between
        if begun and self._head_octets > MAX_HEADERS and not self.transport.is_closing():
            limit = f"The headers are larger than {MAX_HEADERS >> 10} KiB."
            self._refuse("HEADERS_TOO_LARGE", limit)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as end_of_head:
            self._go_on_without_upgrade(data[end_of_head.args[0] :])

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the request once more as if it did not ask for another protocol; `rest` is what came after its head.

        Who speaks one protocol only ignores such a wish (RFC 9110 7.8), and some HTTP clients have it in each first
        request. The parser would take the body for something that is not HTTP.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self.send_400_response("There is nothing to connect to here.")
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                lines += [b"connection: %b" % word for word in value.split(b",") if word.strip().lower() != b"upgrade"]
            elif name != b"upgrade":
                lines.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._parse(b"\r\n".join([*lines, b"\r\n"]) + rest)

    def on_message_begin(self) -> None:
        """The first octet of a request."""
        super().on_message_begin()
        self.between = False
        if not self._in_head:
            self._head_octets = 0
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head. Those behind a body are trailers, which must not be taken for such (RFC 9110 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head came to its end; a request that asks for another protocol is read once more before it begins."""
        if self.parser.should_upgrade():
            return
        self._in_head = False
        self._allow(BODY_S)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._head_octets = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request came to its end."""
        if self.parser.should_upgrade():
            return
        self.between = True
        self._ends_at = inf
        super().on_message_complete()
        if self.cycle.response_complete:  # the answer was out before the end of the request
            self._allow(IDLE_S)

    def on_whole_request(self) -> None:
        """A request came to its end that the parser has not seen."""
        self._in_head = False
        self._ends_at = inf

    def on_response_complete(self) -> None:
        """Go on with the next request, or give the client time for one: with one timer for all that is waited for."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._in_head and self._ends_at == inf:
            self._allow(IDLE_S)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        async def unless_refused(*request: Any) -> None:
            if self._refused:  # what came with its head was no HTTP
                return
            try:
                await app(*request)
            except CancelledError:  # the server stops, and has waited long enough for this client
                cycle.disconnected = True
                self.hang_up()

        super()._start_asgi_task(cycle, unless_refused)

    def send_400_response(self, msg: str) -> None:
        """The request is not HTTP."""
        self._refuse("BAD_REQUEST", msg)

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _await_head(self) -> None:
        self._in_head = True
        self._allow(HEAD_S)

    def _allow(self, seconds: float) -> None:
        """Hang up in so many seconds, unless something else is allowed before.

        A timer that is due sooner is left to run, and looks again when it fires: most never have to be set.
        """
        self._ends_at = self.loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._ends_at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self.loop.call_at(self._ends_at, self._look_at_the_time)

    def _lingers(self) -> bool:
        """Whether what is being closed has to wait for the client, which has its answer and may be sending still.

        What came and was not read makes of a close a reset, which may take the answer away (RFC 9112 9.6).
        """
        if not self._over and (self._in_head or self.between or self.answering):
            return False
        self.flow.resume_reading()
        self._allow(LINGER_S)
        return True

    def _look_at_the_time(self) -> None:
        self._timer = None
        if self.loop.time() >= self._ends_at:
            self.hang_up()
        elif self._ends_at < inf:
            self._timer = self.loop.call_at(self._ends_at, self._look_at_the_time)

    def _refuse(self, code: str, message: str) -> None:
        self._over = True
        response = problems.problem(code, message, headers={"Connection": "close"})
        if self._may_refuse:
            status = problems.CODES[code].status
            head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
            head += [name + b": " + value for name, value in response.raw_headers]
            self.transport.write(b"\r\n".join([*head, b"", bytes(response.body)]))
            self._refused = True
            if self.answering:
                self.cycle.disconnected = True  # it hears no other answer
        elif self.answering and not self.cycle.more_body:  # what came before is whole, and gets its answer
            self.cycle.keep_alive = False
            self._ends_at = inf
            return
        self.transport.close()
