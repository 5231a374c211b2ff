"""Endpoints, envelopes and options for tests of the transports."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ringpost.domain.addresses import Address
from ringpost.domain.endpoints import Auth, SmtpEndpoint, TlsMode
from ringpost.domain.messages import Envelope
from ringpost.domain.secrets import Secret
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport

Connect = Callable[..., SmtpTransport]
"""Makes a transport from an endpoint and, if need be, options (fixture `connect`)."""
MESSAGE = b"From: pbx@sender.example\r\nTo: alice@recipient.example\r\nSubject: x\r\n\r\n.a line with a dot\r\n"
PASSWORD = "correct horse battery"


def address(text: str) -> Address:
    """An address with an ASCII domain."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain, domain)


def envelope(recipient: str = "alice@recipient.example", sender: str = "pbx@sender.example") -> Envelope:
    """Who it comes from and goes to."""
    return Envelope(address(sender), address(recipient))


def endpoint(port: int, **changes: Any) -> SmtpEndpoint:
    """An unrestricted server on this machine, in clear and without login."""
    plain = SmtpEndpoint("127.0.0.1", port, TlsMode.CLEAR, Auth.DISABLE, "", None, restricted=False)
    return replace(plain, **changes)


def with_login(port: int, **changes: Any) -> SmtpEndpoint:
    """A server that has to be encrypted and logged in to."""
    login = endpoint(
        port, host="localhost", tls=TlsMode.STARTTLS, auth=Auth.AUTO, username="user", password=Secret(PASSWORD)
    )
    return replace(login, **changes)


def options(**changes: Any) -> SmtpOptions:
    """One connection, so that a test knows the order of things."""
    return replace(SmtpOptions(ehlo_name="ringpost.test", connections=1), **changes)


def short(**changes: Any) -> Deadlines:
    """Deadlines in which a test can wait for a timeout of the stage that it names."""
    return replace(Deadlines(), **changes)
