"""A DNS server on 127.0.0.1 that knows what a test tells it.

    async with DnsServer({("example.com", "MX"): ["10 mail.example.com."]}) as server:
        DnsServers((("127.0.0.1", server.port),))

A name without any record does not exist (NXDOMAIN).
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]
"""Name without final dot and type -> records as a zone file has them."""


class DnsServer(asyncio.DatagramProtocol):
    """Answers over UDP."""

    def __init__(self, zone: Zone | None = None, *, silent: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self._zone = zone or {}
        self._silent = silent
        self._transport: Any = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._transport.get_extra_info("sockname")[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name).rstrip(".").lower(), question.rdtype.name
        self.asked.append((name, kind))
        if self._silent:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = self._zone.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        elif not any(known == name for known, _ in self._zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(response.to_wire(), addr)
