"""Further connections that find out why a dial failed. They say at most EHLO and STARTTLS, never a login."""

import ssl
from functools import lru_cache

from ringpost.domain.endpoints import SmtpEndpoint, TlsMode
from ringpost.domain.hosts import parse_host
from ringpost.transports.doctor.certificates import Certificate, read_certificate
from ringpost.transports.egress import CheckedAddress
from ringpost.transports.smtp import commands
from ringpost.transports.smtp.dialing import connect
from ringpost.transports.smtp.replies import Reply
from ringpost.transports.smtp.wire import Wire

SHORT = 3.0
"""Seconds for each thing that a probe waits for."""


async def speaks_tls(address: CheckedAddress) -> bool:
    """Whether the port answers TLS from the first byte, with whatever certificate."""
    try:
        wire, _ = await connect([address], SHORT)
    except OSError:
        return False
    try:
        await wire.encrypt(_looking_only(), "", SHORT)
    except OSError:
        return False
    finally:
        wire.abort()
    return True


async def clear_greeting(address: CheckedAddress) -> Reply | None:
    """What the port says in clear text by itself; None when that is no reply."""
    try:
        wire, _ = await connect([address], SHORT)
    except OSError:
        return None
    try:
        reply = await wire.reply(SHORT)
    except OSError:
        return None
    finally:
        wire.abort()
    return reply if isinstance(reply, Reply) else None


async def certificate_of(address: CheckedAddress, endpoint: SmtpEndpoint, ehlo_name: str) -> Certificate | None:
    """The certificate that the server shows, good or not."""
    try:
        wire, _ = await connect([address], SHORT)
    except OSError:
        return None
    try:
        if endpoint.tls is not TlsMode.IMPLICIT and not await _starttls(wire, ehlo_name):
            return None
        name = parse_host(endpoint.host, single_label=True)
        await wire.encrypt(_looking_only(), name, SHORT)
        return None if wire.tls is None else read_certificate(wire.tls.getpeercert(binary_form=True) or b"")
    except OSError:
        return None
    finally:
        wire.abort()


async def _starttls(wire: Wire, ehlo_name: str) -> bool:
    await wire.reply(SHORT)
    await wire.ask(commands.ehlo(ehlo_name), SHORT)
    reply = await wire.ask(commands.STARTTLS, SHORT)
    return isinstance(reply, Reply) and reply.code == 220


@lru_cache(maxsize=1)
def _looking_only() -> ssl.SSLContext:
    """Trusts anything, which is why nothing but the certificate is ever read or written over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
