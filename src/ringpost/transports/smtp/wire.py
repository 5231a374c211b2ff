"""One TCP connection that carries replies, with and without TLS. Knows nothing of what is said."""

import asyncio
import ssl
from typing import Protocol, cast

from ringpost.domain.traps import reaching
from ringpost.transports.smtp.replies import Garbage, Reply, ReplyParser


class Listener(Protocol):
    """Who hears what a wire brings once the conversation is open."""

    def replies_came(self, replies: list[Reply | Garbage], *, partial: bool) -> None:
        """Replies, or the beginning of one."""
        ...

    def wire_closed(self) -> None:
        """The other side is gone."""
        ...

    def wire_drained(self) -> None:
        """There is room to write again."""
        ...


class Wire(asyncio.Protocol):
    """Before a listener is set, replies are asked for one by one with `reply` and `ask`."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.full = False
        """The network does not take more just now."""
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._unread: list[Reply | Garbage] = []
        self._waiter: asyncio.Future[None] | None = None

    async def reply(self, seconds: float) -> Reply | Garbage:
        """The next whole reply. TimeoutError after `seconds`; ConnectionError when the other side is gone."""
        if not self._unread:
            if self.closed:
                raise ConnectionResetError
            self._waiter = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(seconds):
                await self._waiter
        if not self._unread:
            raise ConnectionResetError
        return self._unread.pop(0)

    async def ask(self, command: bytes, seconds: float) -> Reply | Garbage:
        """Say a command and wait for its reply. What came before the command was said is no answer to it."""
        if self.has_unread:
            early = self._unread[0] if self._unread else None
            return early if isinstance(early, Reply) and early.code == 421 else Garbage(reaching.UNASKED_REPLY)
        self.write(command)
        return await self.reply(seconds)

    @property
    def has_unread(self) -> bool:
        """Something has arrived that nobody has read yet."""
        return bool(self._unread) or self._parser.partial

    @property
    def partial(self) -> bool:
        """A reply has begun to arrive."""
        return self._parser.partial

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The encryption of the connection; None in clear."""
        return None if self._transport is None else self._transport.get_extra_info("ssl_object")

    async def encrypt(self, context: ssl.SSLContext, name: str, seconds: float) -> None:
        """TLS handshake; `name` is checked against the certificate. OSError when it fails, mostly an ssl.SSLError."""
        assert self._transport is not None  # noqa: S101  set by connection_made
        if self._transport.is_closing():  # no event loop ends a handshake with somebody who has gone before it
            raise ConnectionResetError
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            secured = await loop.start_tls(
                self._transport, self, context, server_hostname=name, ssl_handshake_timeout=seconds + 1
            )
        if secured is None:
            raise ConnectionResetError
        self._transport = secured
        self._parser = ReplyParser()

    def write(self, data: bytes | memoryview) -> None:
        """Hand bytes to the network; look at `full` before writing more than a block."""
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once, without goodbye."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        replies = self._parser.feed(data)
        if self.listener is not None:
            self.listener.replies_came(replies, partial=self._parser.partial)
            return
        self._unread += replies
        if self._unread:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the reason changes nothing
        self.closed = True
        if self.listener is not None:
            self.listener.wire_closed()
        else:
            self._wake()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self.listener is not None:
            self.listener.wire_drained()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
