"""What the DNS says of the sender's domain, as advice: MX, SPF (RFC 7208), DMARC (RFC 7489)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from ringpost.domain.addresses import Address
from ringpost.domain.diagnosis import DOMAIN_STEPS, Step, StepName, StepStatus, skipped
from ringpost.domain.providers import Provider
from ringpost.domain.traps import Trap, sender_domain
from ringpost.transports.words import clean

_OVERALL_S: Final = 8.0
_LONGEST_SHOWN: Final = 300
"""Characters of a record that are shown. It may have more, and name the mail provider there."""
_MOST_DOMAINS: Final = 7
"""How many of those above a domain are asked for DMARC, the nearest to the root."""


@dataclass(frozen=True, slots=True)
class DnsServers:
    """Whom to ask."""

    servers: tuple[tuple[str, int], ...] = ()
    """IP address and port of each; empty: the system's own."""
    limit: float = 3
    """Seconds for one answer."""


class _Unknown(Exception):
    """There is no such name."""


async def ask_sender_domain(sender: Address, servers: DnsServers, provider: Provider | None) -> list[Step]:
    """The steps mx, spf and dmarc, at the same time. `provider` is the mail server's. Never raises for the DNS."""
    looks = [_timed(_mx, StepName.MX, sender), _timed(_spf_of(provider), StepName.SPF, sender)]
    looks.append(_timed(_dmarc, StepName.DMARC, sender))
    try:
        resolver = _resolver(servers)
        async with asyncio.timeout(_OVERALL_S):
            return _until_unknown(await asyncio.gather(*(look(resolver) for look in looks)), sender)
    except (dns.exception.DNSException, OSError):
        return [_warning(name, "No answer.", sender_domain.DOMAIN_NOT_ASKED) for name in DOMAIN_STEPS]


def _until_unknown(steps: Sequence[Step], sender: Address) -> list[Step]:
    """The steps as far as the one that found that there is no such domain: records of none are no use."""
    for number, step in enumerate(steps, 1):
        if step.trap == sender_domain.SENDER_DOMAIN_NOT_FOUND.code:
            return [*steps[:number], *skipped(DOMAIN_STEPS[number:], _no_such(sender))]
    return list(steps)


def _no_such(sender: Address) -> str:
    return f"{sender.domain} does not exist."


def _resolver(servers: DnsServers) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=not servers.servers)
    if servers.servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(ip, port) for ip, port in servers.servers]
    resolver.timeout = resolver.lifetime = servers.limit
    return resolver


_Look = Callable[[dns.asyncresolver.Resolver, Address], Awaitable[Step]]


def _timed(look: _Look, name: StepName, sender: Address) -> Callable[[dns.asyncresolver.Resolver], Awaitable[Step]]:
    async def timed(resolver: dns.asyncresolver.Resolver) -> Step:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            step = await look(resolver, sender)
        except _Unknown:
            step = _warning(name, _no_such(sender), sender_domain.SENDER_DOMAIN_NOT_FOUND)
        except (dns.exception.DNSException, OSError):
            step = _warning(name, "No answer.", sender_domain.DOMAIN_NOT_ASKED)
        return Step(step.name, step.status, round((loop.time() - since) * 1000), *_rest(step))

    return timed


def _rest(step: Step) -> tuple[Any, ...]:
    return step.summary, step.trap, step.hint, step.code, step.enhanced_code, step.reply, step.details


async def _mx(resolver: dns.asyncresolver.Resolver, sender: Address) -> Step:
    found = await _records(resolver, sender.ascii_domain, "MX")
    ranked = sorted((int(one.preference), str(one.exchange).rstrip(".").lower()) for one in found)
    names = [name for _, name in ranked if name]
    details = {"mx": names}
    if not found and await _has_address(resolver, sender.ascii_domain):  # RFC 5321 5.1: then it is its own mail server
        names = [sender.domain]
    if not names:
        return _warning(StepName.MX, f"{sender.domain} takes no mail.", sender_domain.NO_MX, details)
    return _ok(StepName.MX, f"Mail for {sender.domain} goes to {', '.join(names[:3])}.", details)


async def _has_address(resolver: dns.asyncresolver.Resolver, name: str) -> bool:
    return bool(await _records(resolver, name, "A") or await _records(resolver, name, "AAAA"))


def _spf_of(provider: Provider | None) -> _Look:
    async def spf(resolver: dns.asyncresolver.Resolver, sender: Address) -> Step:
        texts = await _texts(resolver, sender.ascii_domain)
        records = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
        details = {"spf": _shown(records)}
        if not records:
            return _warning(StepName.SPF, f"{sender.domain} has no SPF record.", sender_domain.SPF_MISSING, details)
        if len(records) > 1:
            return _warning(StepName.SPF, "There is more than one.", sender_domain.SPF_TWICE, details)
        wanted = provider.spf if provider is not None else ""
        if wanted and wanted not in records[0].lower() and "redirect=" not in records[0].lower():
            summary = f"It does not have include:{wanted}."
            return _warning(StepName.SPF, summary, sender_domain.SPF_LACKS_PROVIDER, details)
        return _ok(StepName.SPF, f"{sender.domain} says who may send for it.", details)

    return spf


async def _dmarc(resolver: dns.asyncresolver.Resolver, sender: Address) -> Step:
    labels = sender.ascii_domain.split(".")
    # RFC 7489 6.6.3: the domain itself, then the organisation's. Which of those above that is, at example.co.uk as at
    # example.com, only a list of public suffixes could tell; but a record is only at one that is somebody's.
    domains = [".".join(labels[at:]) for at in range(len(labels) - 1)]
    for domain in dict.fromkeys([*domains[:1], *domains[-_MOST_DOMAINS:]]):
        try:
            texts = await _texts(resolver, f"_dmarc.{domain}")
        except _Unknown:
            continue
        records = [text for text in texts if text.lower().replace(" ", "").startswith("v=dmarc1")]
        if records:
            return _ok(StepName.DMARC, f"{domain} has a DMARC record.", {"dmarc": _shown(records)})
    summary = f"{sender.domain} has no DMARC record."
    return _warning(StepName.DMARC, summary, sender_domain.DMARC_MISSING, {"dmarc": []})


async def _texts(resolver: dns.asyncresolver.Resolver, name: str) -> list[str]:
    found = await _records(resolver, name, "TXT")
    return [b"".join(one.strings).decode("ascii", "replace") for one in found]


def _shown(records: list[str]) -> list[str]:
    return [clean(record.encode())[:_LONGEST_SHOWN] for record in records]


async def _records(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> list[Any]:
    """The records; none when the name has none of this kind. Raises _Unknown when there is no such name."""
    try:
        return list(await resolver.resolve(f"{name}.", kind))
    except dns.resolver.NoAnswer:
        return []
    except dns.resolver.NXDOMAIN:
        raise _Unknown from None


def _ok(name: StepName, summary: str, details: dict[str, Any]) -> Step:
    return Step(name, StepStatus.OK, 0, summary, details=details)


def _warning(name: StepName, summary: str, trap: Trap, details: dict[str, Any] | None = None) -> Step:
    return Step(name, StepStatus.WARNING, 0, summary, trap.code, trap.hint, details=details or {})
