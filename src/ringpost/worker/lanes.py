"""Open transports, one per mail server, closed when they have been idle for a while."""

import asyncio
from collections.abc import Callable

from ringpost.domain.settings import Endpoint
from ringpost.transports import Transport

IDLE_S = 60.0


class Lanes:
    """The transports that a worker has open."""

    def __init__(self, open_transport: Callable[[Endpoint], Transport]) -> None:
        self._open_transport = open_transport
        self._open: dict[Endpoint, Transport] = {}
        self._used_at: dict[Endpoint, float] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def transport_to(self, endpoint: Endpoint) -> Transport:
        """The transport to a mail server; a changed password or port is another one."""
        self._used_at[endpoint] = asyncio.get_running_loop().time()
        transport = self._open.get(endpoint)
        if transport is None:
            transport = self._open[endpoint] = self._open_transport(endpoint)
        return transport

    def close_idle(self, busy: set[Endpoint]) -> None:
        """Close, in the background, what has not been used for a while and is not busy."""
        now = asyncio.get_running_loop().time()
        for endpoint, used_at in list(self._used_at.items()):
            if now - used_at >= IDLE_S and endpoint not in busy:
                del self._used_at[endpoint]
                task = asyncio.create_task(self._open.pop(endpoint).close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all."""
        transports = list(self._open.values())
        self._open.clear()
        self._used_at.clear()
        await asyncio.gather(*(transport.close() for transport in transports), *self._closing)
