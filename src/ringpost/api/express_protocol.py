"""HTTP with an express way: `Express` answers plain requests, past ASGI and, where that can be, past the parser."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ringpost.api.bounded_protocol import BoundedProtocol
from ringpost.api.express import Express, Octets, Plain
from ringpost.domain.access import Principal


class _Unparsed:
    """Stands where uvicorn has the cycle of a request, for one that its parser has not seen."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    body: Final = b""
    more_body: Final = False
    message_event: Final = asyncio.Event()

    def __init__(self) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False


class ExpressProtocol(BoundedProtocol):
    """What may go by `Express` is not begun before its body is there.

    While it is being answered, its cycle stands where that of every request stands, so that what comes behind it on the
    connection waits.
    """

    def __init__(self, *args: Any, express: Express, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._express = express
        self._held: tuple[RequestResponseCycle, Plain, Principal] | None = None
        self._piece = b""
        """What the parser is at, when it began at the beginning of a request."""

    def data_received(self, data: bytes) -> None:
        """A whole request, most of the time."""
        if not self.between or self._over:
            super().data_received(data)
        elif not self.answering and (answer := self._express.known(data)):
            self.on_whole_request()
            self.cycle = cast("RequestResponseCycle", _Unparsed())
            self._begin(self.cycle, answer)
        else:
            self._piece = data
            super().data_received(data)
            self._piece = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        super().connection_lost(exc)
        if self._held is not None:  # the ordinary way knows what to say of clients that hang up
            (cycle, _, _), self._held = self._held, None
            super()._start_asgi_task(cycle, cast("Any", self).app)

    def on_message_complete(self) -> None:
        """The request came to its end."""
        super().on_message_complete()
        if self._held is not None:
            held, self._held = self._held, None
            self._begin_parsed(*held)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        head = self._express.read(cycle.scope)
        principal = None if head is None else self._express.admit(head)
        if head is None or principal is None:
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._held = cycle, head, principal
        else:
            self._begin_parsed(cycle, head, principal)

    def _begin_parsed(self, cycle: RequestResponseCycle, head: Plain, principal: Principal) -> None:
        if self._piece and cycle.keep_alive:
            self._express.learn(self._piece, head)
        self._begin(cycle, self._express.answer(principal, bytes(cycle.body)))

    def _begin(self, cycle: RequestResponseCycle, answering: Awaitable[Octets]) -> None:
        """Answer a request that is there as a whole."""
        task = self.loop.create_task(self._answer(cycle, answering))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, cycle: RequestResponseCycle, answering: Awaitable[Octets]) -> None:
        octets = await answering
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected or self.out is None or self.out.is_closing():
            return
        more = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.out.write_whole(b"%b%b%b\r\n%b" % (octets.head, more, close, octets.body))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.out.close()
        self.on_response_complete()
