"""Open transports, one per mail server, closed when they have been idle for a while."""

import asyncio
from dataclasses import dataclass

from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.transports import Transport
from ringpost.transports.pacing import PacedTransport
from ringpost.usecases.room import OpenTransport, PaceOf

IDLE_S = 60.0

_Key = tuple[Endpoint, float | None, bool]
"""Mail server, how long one send may take in all, and whether it is for emergencies."""


@dataclass(slots=True)
class _Open:
    transport: Transport
    opened: Transport
    """The same without its pace."""
    used_at: float = 0.0


class Lanes:
    """The transports that a worker has open."""

    def __init__(self, open_transport: OpenTransport, pace_of: PaceOf) -> None:
        self._open_transport = open_transport
        self._pace_of = pace_of
        self._open: dict[_Key, _Open] = {}
        self._beside: dict[Endpoint, list[Transport]] = {}
        """All that are open to one mail server."""
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many mail servers there are open transports to."""
        return len({endpoint for endpoint, _, _ in self._open})

    def transport_to(self, endpoint: Endpoint, overall_s: float | None, *, urgent: bool) -> Transport:
        """The transport to a mail server; a changed password or port is another one, and so is another patience.

        Emergencies have connections of their own: they do not stand in line behind what the server is slow to take.
        Where the server gives them none, they use those that others have.
        """
        lane = self._open.get(key := (endpoint, overall_s, urgent))
        if lane is None:
            beside = self._beside.setdefault(endpoint, [])
            opened = transport = self._open_transport(endpoint, overall_s=overall_s, urgent=urgent, beside=beside)
            beside.append(opened)
            pace = self._pace_of(endpoint)
            if pace is not None and isinstance(endpoint, SmtpEndpoint):  # the APIs keep their pace themselves
                transport = PacedTransport(opened, pace, urgent=urgent)
            lane = self._open[key] = _Open(transport, opened)
        lane.used_at = asyncio.get_running_loop().time()
        return lane.transport

    def close_idle(self, busy: set[Endpoint]) -> None:
        """Close, in the background, what has not been used for a while and is not busy."""
        now = asyncio.get_running_loop().time()
        for key, lane in list(self._open.items()):
            if now - lane.used_at >= IDLE_S and key[0] not in busy:
                del self._open[key]
                self._beside[key[0]].remove(lane.opened)
                if not self._beside[key[0]]:
                    del self._beside[key[0]]
                task = asyncio.create_task(lane.transport.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all."""
        transports = [lane.transport for lane in self._open.values()]
        self._open.clear()
        self._beside.clear()
        await asyncio.gather(*(transport.close() for transport in transports), *self._closing)
