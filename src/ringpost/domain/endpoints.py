"""Endpoints: everything that sending through a mail server needs, as a transport takes it.

All are frozen and hashable, secrets and all: equal endpoints may share connections, and a changed password is another
endpoint.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringpost.domain.credentials import Credentials, Grant, MicrosoftApp, Purpose
from ringpost.domain.secrets import Secret


class Auth(StrEnum):
    """How to log in to the mail server. AUTO picks from what the server offers: PLAIN, then LOGIN."""

    DISABLE = "DISABLE"
    AUTO = "AUTO"
    LOGIN = "LOGIN"
    PLAIN = "PLAIN"


class TlsMode(StrEnum):
    """What the two TLS flags and the port come to."""

    IMPLICIT = "implicit"
    """TLS from the first byte (RFC 8314 3.3)."""
    STARTTLS = "starttls"
    """Clear text first, then STARTTLS, which the server must offer (RFC 3207)."""
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS when offered, verified; never a login in clear; no going on in clear after a failed handshake."""
    CLEAR = "clear"
    """No encryption. For servers in the operator's own network."""


GRAPH_LABEL: Final = "Microsoft Graph"
GMAIL_LABEL: Final = "Gmail API"
API_LABELS: Final = frozenset({GRAPH_LABEL, GMAIL_LABEL})
"""What attempts call the servers that are not asked by SMTP."""


@dataclass(frozen=True, slots=True)
class SmtpEndpoint:
    """Everything that a connection to an SMTP server needs."""

    host: str
    port: int
    tls: TlsMode
    auth: Auth
    username: str
    password: Secret | None
    restricted: bool = True
    """True for a tenant's own server: egress rules apply. False for the system administrator's server."""
    oauth: Credentials | None = None
    """When given, the login is XOAUTH2 with an access token; `auth` and `password` do not matter then."""

    @property
    def label(self) -> str:
        """What people call it: host and port."""
        return f"{self.host}:{self.port}"

    @property
    def grant(self) -> Grant | None:
        """The access token that the login needs, if any."""
        return None if self.oauth is None else Grant(self.oauth, self.username, Purpose.SMTP)


@dataclass(frozen=True, slots=True)
class GraphEndpoint:
    """A mailbox of Microsoft 365, sent from through Microsoft Graph."""

    mailbox: str
    app: MicrosoftApp

    @property
    def label(self) -> str:
        """What people call it."""
        return GRAPH_LABEL

    @property
    def grant(self) -> Grant:
        """The access token that a request needs."""
        return Grant(self.app, self.mailbox, Purpose.API)


@dataclass(frozen=True, slots=True)
class GmailEndpoint:
    """A mailbox of Gmail or Google Workspace, sent from through the Gmail API."""

    mailbox: str
    credentials: Credentials

    @property
    def label(self) -> str:
        """What people call it."""
        return GMAIL_LABEL

    @property
    def grant(self) -> Grant:
        """The access token that a request needs."""
        return Grant(self.credentials, self.mailbox, Purpose.API)


Endpoint = SmtpEndpoint | GraphEndpoint | GmailEndpoint
