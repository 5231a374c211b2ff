"""What the operator decides about sending by SMTP; the same for every mail server."""

from dataclasses import dataclass, field
from typing import Protocol

from ringpost.domain.credentials import Grant
from ringpost.domain.deliveries import Outcome
from ringpost.domain.secrets import Secret
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import commands
from ringpost.transports.smtp.sockets import Sockets


class TokenSource(Protocol):
    """Who has access tokens for XOAUTH2."""

    async def token(self, grant: Grant, *, instead_of: Secret | None = None) -> Secret | Outcome:
        """A token, or why there is none. `instead_of`: one that the server has refused."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds to wait for a whole reply, not per read (RFC 5321 4.5.3.2)."""

    resolve: float = 5
    connect: float = 30
    """TCP, over all addresses of the server."""
    greeting: float = 60
    opening: float = 60
    """Each of EHLO, STARTTLS, the TLS handshake, and each step of AUTH."""
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    """How long the network may take for one more block of the message."""
    final_dot: float = 600
    quit: float = 5
    overall: float | None = None
    """One whole send, waiting included; None for no limit. The test mail has 30."""


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How we appear and how much we use of a server."""

    ehlo_name: str
    """Our own host name, or an address literal such as `[192.0.2.1]`; never `localhost`."""
    deadlines: Deadlines = field(default_factory=Deadlines)
    ca_file: str | None = None
    """Path of a PEM file with certificate authorities that are trusted beside the system's."""
    connections: int = 4
    """At most this many at once per endpoint."""
    idle: float = 30
    """Seconds that a connection is kept without work; many servers drop it after that."""
    messages_per_connection: int = 1000
    clear_login: bool = False
    """The operator permits logins without encryption where the endpoint says TlsMode.CLEAR."""
    egress: EgressRules = field(default_factory=EgressRules)
    tokens: TokenSource | None = None
    """Without it, no endpoint may log in with access tokens."""
    sockets: Sockets = field(default_factory=Sockets)
    """What all pools of a process share."""

    def __post_init__(self) -> None:
        """ValueError when the EHLO name cannot be said."""
        commands.ehlo(self.ehlo_name)
