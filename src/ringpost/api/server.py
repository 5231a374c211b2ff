"""The HTTP server: uvicorn, with bounds on what a client may send and how long it may take before a request begins."""

from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from collections.abc import Awaitable
from functools import partial
from math import inf
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ringpost.api import problems
from ringpost.api.express import Answer, Express, Octets
from ringpost.api.http_rules import MAX_HEADERS

HEAD_S: Final = 30.0
"""How long a client may take to send the head of a request."""
BODY_S: Final = 120.0
"""How long it may then take to send the body."""
IDLE_S: Final = 65
"""How long a connection is kept between requests; longer than what load balancers keep theirs (60 s)."""


JOINED: Final = 1 << 16
"""Octets of an answer that wait for the end of a turn."""


class _Joining:
    """A transport that writes once in a turn of the loop: the head of an answer goes out with its body.

    Each write is a call to the system, and wakes the client up.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []
        self._octets = 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn; at once what is much, so that the transport can say that it is too much."""
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
        """Close after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            pieces, self._pieces, self._octets = self._pieces, [], 0
            self._transport.write(b"".join(pieces))


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 as soon as a head grows over the limit, and hangs up on requests that do not come to an end.

    What may go by `Express` is not begun before its body is there; while it is being answered, its cycle stands where
    that of every request stands, so that what comes behind it on the connection waits.
    """

    def __init__(self, *args: Any, express: Express | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._express = express
        self._held: tuple[RequestResponseCycle, Answer] | None = None
        self._in_head = True
        self._head_octets = 0
        self._ends_at = inf
        self._timer: TimerHandle | None = None
        self._out: _Joining | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """A client came."""
        self._out = _Joining(cast("Transport", transport), self.loop)
        super().connection_made(cast("Transport", self._out))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
        if self._held is not None:  # the ordinary way knows what to say of clients that hang up
            (cycle, _), self._held = self._held, None
            super()._start_asgi_task(cycle, cast("Any", self).app)

    def data_received(self, data: bytes) -> None:
        """Octets of a head or a body. A head that begins in the middle of `data` is counted from the next on."""
        if self._in_head:
            self._head_octets += len(data)
        super().data_received(data)
        if self._in_head and self._head_octets > MAX_HEADERS and not self.transport.is_closing():
            limit = f"The headers are larger than {MAX_HEADERS >> 10} KiB."
            self._refuse("HEADERS_TOO_LARGE", limit)

    def on_message_begin(self) -> None:
        """The first octet of a request."""
        super().on_message_begin()
        if not self._in_head:
            self._head_octets = 0
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head came to its end."""
        self._in_head = False
        self._allow(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request came to its end."""
        self._ends_at = inf
        super().on_message_complete()
        if self._held is not None:
            held, self._held = self._held, None
            self._begin(*held)
        elif self.cycle.response_complete:  # the answer was out before the end of the request
            self._allow(IDLE_S)

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

    def send_400_response(self, msg: str) -> None:
        """The request is not HTTP."""
        self._refuse("BAD_REQUEST", msg)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        answer = self._express.admit(cycle.scope) if self._express else None
        if answer is None:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._held = cycle, answer
        else:
            self._begin(cycle, answer)

    def _begin(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Answer a request that is there as a whole."""
        task = self.loop.create_task(self._answer(cycle, answer(bytes(cycle.body))))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, cycle: RequestResponseCycle, answering: Awaitable[Octets]) -> None:
        octets = await answering
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected or self._out is None or self._out.is_closing():
            return
        more = b"".join(b"%b: %b\r\n" % header for header in cycle.default_headers)
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        self._out.write_whole(b"%b%b%b\r\n%b" % (octets.head, more, close, octets.body))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self._out.close()
        cycle.on_response()

    def _await_head(self) -> None:
        self._in_head = True
        self._allow(HEAD_S)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: there are no WebSockets here, and what uvicorn advises to install is not missing."""

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

    def _look_at_the_time(self) -> None:
        self._timer = None
        if self.loop.time() >= self._ends_at:
            self.transport.close()
        elif self._ends_at < inf:
            self._timer = self.loop.call_at(self._ends_at, self._look_at_the_time)

    def _refuse(self, code: str, message: str) -> None:
        response = problems.problem(code, message, headers={"Connection": "close"})
        cycle = cast("Any", self.cycle)
        if cycle is None or cycle.response_complete:  # else the answer would stand in the middle of another
            status = problems.CODES[code].status
            head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
            head += [name + b": " + value for name, value in response.raw_headers]
            self.transport.write(b"\r\n".join([*head, b"", bytes(response.body)]))
        self.transport.close()


def server(
    app: ASGIApp, host: str, port: int, *, trusted_proxies: str = "", express: Express | None = None
) -> uvicorn.Server:
    """A server, ready to `serve()`.

    `trusted_proxies`: whose X-Forwarded-For is believed, comma-separated. `express`: who answers what it takes, past
    `app`.
    """
    config = uvicorn.Config(
        app,
        host,
        port,
        http=cast("type[BoundedProtocol]", partial(BoundedProtocol, express=express)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies or None,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=30,
    )
    return uvicorn.Server(config)
