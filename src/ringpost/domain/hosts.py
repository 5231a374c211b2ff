"""Which hosts a tenant may name as its mail server, decided without I/O.

A name is judged by its syntax here and by every address it resolves to when a connection is made; a literal address is
judged at once, also at saving. Addresses that carry an IPv4 address inside are taken apart first, because the network
will deliver to what is inside. `ipaddress.is_global` is not enough: it is true for 64:ff9b::a9fe:a9fe, 2002:7f00:1::,
::127.0.0.1, fec0::1, 224.0.0.1, ff02::1 and 168.63.129.16.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import idna

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

STARTTLS_PORTS: Final = frozenset({25, 587, 2525, 2587})
IMPLICIT_PORTS: Final = frozenset({465, 2465})
SMTP_PORTS: Final = STARTTLS_PORTS | IMPLICIT_PORTS
"""Ports that a tenant's server may have; the operator can add to them."""
LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""Of a domain name in lower case (RFC 1035 2.3.1)."""
MAX_DOMAIN: Final = 253
"""Octets of a domain name in A-labels: 255 on the wire of the DNS, two of them for the root and the first length (RFC
1035 2.3.4). One in U-labels has fewer characters."""
_EHLO_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_LITERAL = re.compile(r"\[(IPv6:)?([0-9a-f:.]+)\]", re.IGNORECASE)

_ALWAYS_REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "224.0.0.0/4",
        "240.0.0.0/4",
        "100.100.100.200/32",  # metadata service of Alibaba Cloud
        "168.63.129.16/32",  # wire server of Azure
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # metadata service of AWS
        "fd20:ce::254/128",  # metadata service of Google Cloud
    )
)
_REFUSED_UNLESS_ALLOWED: Final = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.88.99.0/24",
        "fc00::/7",
        "100::/64",
        "2001:2::/48",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
    )
)
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_COMPATIBLE: Final = IPv6Network("::/96")
_LOOPBACK6: Final = IPv6Address("::1")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class AllowedNetwork:
    """A network that the operator opened to tenants' mail servers; `port` None means every port of it."""

    network: IpNetwork
    port: int | None = None


_EVERY_NETWORK: Final = (AllowedNetwork(ip_network("0.0.0.0/0")), AllowedNetwork(ip_network("::/0")))


def parse_host(text: str, *, single_label: bool = False) -> str:
    """A host as it is resolved and shown to TLS: a lower-case A-label name, or an IP address without brackets.

    `single_label` permits names without a dot, such as `mailpit`, for the system administrator's own server.
    ValueError for everything else: `0`, `127.1`, `0x7f.1`, `2130706433`, `http://x`, `x:25`.
    """
    literal = text[1:-1] if text.startswith("[") and text.endswith("]") and ":" in text else text
    if ":" in literal:
        if "%" in literal:
            raise ValueError("An address with a zone cannot be a mail server.")
        return str(IPv6Address(literal))
    name = _ascii_name(text)
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read `127.1`, `0x7f.1` and `2130706433` as addresses, so a number at the end must be a strict one.
        return str(IPv4Address(name))
    if len(labels) < 2 and not single_label:
        raise ValueError("The host needs a domain, such as mail.example.com.")
    if len(name) > MAX_DOMAIN or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError("This is not a host name.")
    return name


def is_ehlo_name(text: str) -> bool:
    """True for a host name, or what servers have to bear for one, and for an address literal (RFC 5321 4.1.3)."""
    literal = _LITERAL.fullmatch(text)
    if literal is None:
        return _EHLO_NAME.fullmatch(text) is not None
    kind = IPv6Address if literal[1] else IPv4Address
    try:
        kind(literal[2])
    except ValueError:
        return False
    return True


def parse_ip(host: str) -> IpAddress | None:
    """The address when `host`, as `parse_host` gives it, is a literal one; else None."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def parse_allowed_networks(text: str) -> tuple[AllowedNetwork, ...]:
    """Networks from text such as `10.0.0.0/8, 192.168.1.0/24:2525, fd00::/8, [fd00::/8]:25`. ValueError when wrong."""
    return tuple(_allowed_network(part.strip()) for part in text.split(",") if part.strip())


def is_port_permitted(
    port: int, extra: frozenset[int], allowed: Iterable[AllowedNetwork], ip: IpAddress | None = None
) -> bool:
    """True when a tenant's mail server may have this port: a usual one, one of the operator's, or by its network.

    `ip` None: the address is not known yet, and a name may resolve into any of the operator's networks.
    """
    if port in SMTP_PORTS or port in extra:
        return True
    return any(one.port in (None, port) for one in allowed if ip is None or ip in one.network)


def is_refused(ip: IpAddress, port: int, allowed: Iterable[AllowedNetwork] = ()) -> bool:
    """True when a tenant's mail server must not be at this address. The port only matters for allowed networks."""
    allowed = tuple(allowed)
    inside = _addresses_inside(ip)
    if isinstance(ip, IPv6Address) and not inside and ip in _COMPATIBLE and ip != _LOOPBACK6:
        return True
    # The outer address counts too: an ISATAP address has a prefix of its own.
    return any(_is_refused_plain(one, port, allowed) for one in (ip, *inside))


def can_be_allowed(ip: IpAddress) -> bool:
    """True when there is a network that the operator could allow to take this address in; some never are."""
    return not is_refused(ip, 0, _EVERY_NETWORK)


def _is_refused_plain(ip: IpAddress, port: int, allowed: tuple[AllowedNetwork, ...]) -> bool:
    if any(ip in network for network in _ALWAYS_REFUSED):
        return True
    if not any(ip in network for network in _REFUSED_UNLESS_ALLOWED):
        return False
    return not any(ip in one.network and one.port in (None, port) for one in allowed)


def _addresses_inside(ip: IpAddress) -> list[IPv4Address]:
    """Every IPv4 address that an IPv6 address may be taken for on its way."""
    if isinstance(ip, IPv4Address):
        return []
    number, last = int(ip), IPv4Address(int(ip) & 0xFFFFFFFF)
    found: list[IPv4Address] = []
    if number >> 32 in (0xFFFF, 0xFFFF0000):  # ::ffff:0:0/96 mapped (RFC 4291), ::ffff:0:0:0/96 translated (RFC 2765)
        found.append(last)
    if number >> 32 == 0x0064FF9B << 64:  # 64:ff9b::/96, NAT64 (RFC 6052)
        found.append(last)
    if number >> 80 == 0x0064FF9B0001:  # 64:ff9b:1::/48, local NAT64 (RFC 8215), any prefix length of RFC 6052 2.2
        found += _addresses_in_local_nat64(number)
    if number >> 112 == 0x2002:  # 6to4 (RFC 3056)
        found.append(IPv4Address(number >> 80 & 0xFFFFFFFF))
    if number >> 96 == 0x20010000:  # Teredo (RFC 4380): the server, and the client with its bits turned over
        found += [IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)]
    if number >> 32 & 0xFDFFFFFF == 0x00005EFE:  # ISATAP interface identifier (RFC 5214 6.1), either value of the u bit
        found.append(last)
    return found


def _addresses_in_local_nat64(number: int) -> list[IPv4Address]:
    # Where the address stands depends on the network's own prefix length; a reading that gives 0.x.x.x is not meant.
    readings = [IPv4Address(number & 0xFFFFFFFF), *(_nat64(number, length) for length in (48, 56, 64))]
    return [one for one in readings if one not in _THIS_NETWORK] or readings[:1]


def _nat64(number: int, length: int) -> IPv4Address:
    # RFC 6052 2.2: the address follows the prefix and steps over bits 64 to 71.
    bits = f"{number:0128b}"
    return IPv4Address(int((bits[length:64] + bits[72:])[:32], 2))


def _ascii_name(text: str) -> str:
    if text.isascii():
        return text.lower()
    if len(text) > MAX_DOMAIN:  # normalising takes the square of its combining marks
        raise ValueError("This is not a host name.")
    try:
        # UTS 46 also maps full-width digits and dots, so the checks that follow see what a resolver would see.
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise ValueError("This is not a host name.") from None


def _allowed_network(text: str) -> AllowedNetwork:
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::([0-9]{1,5}))?", text)
    plain = re.fullmatch(r"([0-9./]+):([0-9]{1,5})", text)
    found = bracketed or plain
    network = ip_network(found[1] if found else text)
    if found is None or found[2] is None:
        return AllowedNetwork(network)
    port = int(found[2])
    if not 1 <= port <= 65535:
        raise ValueError("A port is a number from 1 to 65535.")
    return AllowedNetwork(network, port)
