"""Open transports, one per mail server, closed when they have been idle for a while."""

import asyncio

from ringpost.domain.settings import Endpoint, SmtpEndpoint
from ringpost.transports import Transport
from ringpost.transports.pacing import PacedTransport
from ringpost.usecases.room import OpenTransport, PaceOf

IDLE_S = 60.0

_Key = tuple[Endpoint, float | None, bool]
"""Mail server, how long one send may take in all, and whether it is for emergencies."""


class Lanes:
    """The transports that a worker has open."""

    def __init__(self, open_transport: OpenTransport, pace_of: PaceOf) -> None:
        self._open_transport = open_transport
        self._pace_of = pace_of
        self._open: dict[_Key, Transport] = {}
        self._used_at: dict[_Key, float] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many mail servers there are open transports to."""
        return len({endpoint for endpoint, _, _ in self._open})

    def transport_to(self, endpoint: Endpoint, overall_s: float | None, *, urgent: bool) -> Transport:
        """The transport to a mail server; a changed password or port is another one, and so is another patience.

        Emergencies have connections of their own: they do not stand in line behind what the server is slow to take.
        """
        key = endpoint, overall_s, urgent
        self._used_at[key] = asyncio.get_running_loop().time()
        transport = self._open.get(key)
        if transport is None:
            transport = self._open_transport(endpoint, overall_s=overall_s)
            pace = self._pace_of(endpoint)
            if pace is not None and isinstance(endpoint, SmtpEndpoint):  # the APIs keep their pace themselves
                transport = PacedTransport(transport, pace, urgent=urgent)
            self._open[key] = transport
        return transport

    def close_idle(self, busy: set[Endpoint]) -> None:
        """Close, in the background, what has not been used for a while and is not busy."""
        now = asyncio.get_running_loop().time()
        for key, used_at in list(self._used_at.items()):
            if now - used_at >= IDLE_S and key[0] not in busy:
                del self._used_at[key]
                task = asyncio.create_task(self._open.pop(key).close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all."""
        transports = list(self._open.values())
        self._open.clear()
        self._used_at.clear()
        await asyncio.gather(*(transport.close() for transport in transports), *self._closing)
