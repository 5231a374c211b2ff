"""A room for tests of the mail server's pages: its doctor and its transport reach servers on loopback over TLS."""

import ssl
from dataclasses import dataclass, replace
from pathlib import Path

import trustme
from tests.transports.scripted_server import CAPABILITIES, ScriptedServer, polite

from ringpost.domain.endpoints import Endpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.server_rules import ServerRules
from ringpost.transports import Transport
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport
from ringpost.usecases.room import Options, Room

LOOPBACK = parse_allowed_networks("127.0.0.0/8")
NOWHERE = DnsServers((("127.0.0.1", 1),), limit=0.2)
"""A port where no DNS server is."""


@dataclass(frozen=True)
class Authority:
    """Vouches for the servers; trusted in the room."""

    ca_file: str
    context: ssl.SSLContext
    """Of a server at 127.0.0.1."""

    def server(self, answers: dict[str, bytes] | None = None) -> ScriptedServer:
        """A server that begins in clear text and offers STARTTLS and a login."""
        return ScriptedServer(polite(answers, capabilities=(*CAPABILITIES, "AUTH PLAIN LOGIN"), context=self.context))


def issue(folder: Path) -> Authority:
    """A fresh authority, and a certificate by it."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return Authority(str(folder / "ca.pem"), context)


def wired(room: Room, authority: Authority) -> Room:
    """The room with ways out, to loopback only."""
    options = SmtpOptions("ringpost.test", ca_file=authority.ca_file, egress=EgressRules(allowed=LOOPBACK))

    def open_transport(endpoint: Endpoint, *, overall_s: float | None = None, **_: object) -> Transport:
        assert isinstance(endpoint, SmtpEndpoint)
        return SmtpTransport(endpoint, replace(options, deadlines=Deadlines(overall=overall_s)))

    return replace(
        room,
        examine=Doctor(options, NOWHERE).examine,
        open_transport=open_transport,
        options=Options("pbx.example", ServerRules(allowed=LOOPBACK)),
    )
