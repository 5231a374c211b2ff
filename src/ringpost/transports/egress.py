"""Which addresses we connect to (SSRF control).

A tenant names a host and a port. The name is resolved once per connect, every answer is checked, and the connection
goes to a checked address, so an answer that changes between check and connect changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

from ringpost.domain.hosts import AllowedNetwork, is_port_permitted, is_refused, parse_host, parse_ip
from ringpost.transports.names import names

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Host name and port -> IP addresses as text, the preferred first. Raises OSError when there are none."""


class EgressError(Exception):
    """The host, one of its addresses or the port is not allowed. Tells nobody which or why (an oracle for scans)."""


async def system_lookup(host: str, port: int) -> list[str]:
    """Addresses by the system's resolver, or what it said last (`names`). OSError when the name has none."""
    return await names().lookup(host, port)


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What the operator permits to tenants' mail servers."""

    allowed: tuple[AllowedNetwork, ...] = ()
    extra_ports: frozenset[int] = frozenset()
    """Ports beside `hosts.SMTP_PORTS`."""
    lookup: Lookup = system_lookup


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """An address that may be connected to."""

    ip: str
    port: int


async def resolve(
    host: str, port: int, rules: EgressRules, *, restricted: bool = True, limit: float = 5
) -> list[CheckedAddress]:
    """Every address of `host`, all of them checked; one bad answer refuses all. `limit` is in seconds.

    Raises EgressError, OSError when the name does not resolve, TimeoutError when it takes longer than `limit`.
    """
    if restricted and not is_port_permitted(port, rules.extra_ports, rules.allowed):
        raise EgressError
    try:
        name = parse_host(host, single_label=not restricted)
    except ValueError:
        raise EgressError from None
    if parse_ip(name) is not None:
        answers = [name]
    else:
        async with asyncio.timeout(limit):
            answers = await rules.lookup(name, port)
    if not answers:
        raise OSError("The name has no address.")
    return [_checked(answer, port, rules, restricted=restricted) for answer in answers]


def _checked(answer: str, port: int, rules: EgressRules, *, restricted: bool) -> CheckedAddress:
    if not restricted:
        return CheckedAddress(answer, port)
    try:
        ip = ip_address(answer)
    except ValueError:
        raise EgressError from None
    if is_refused(ip, port, rules.allowed) or not is_port_permitted(port, rules.extra_ports, rules.allowed, ip):
        raise EgressError
    return CheckedAddress(str(ip), port)
