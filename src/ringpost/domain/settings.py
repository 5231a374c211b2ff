"""Notification settings: the mail server, who is told, and which notifications are on."""

from dataclasses import dataclass, field
from enum import StrEnum

from ringpost.domain.addresses import Address
from ringpost.domain.secrets import Secret


class ServerType(StrEnum):
    """What kind of mail server sends for the tenant."""

    SMTP = "SMTP"
    MS365 = "MS365"
    GMAIL = "GMAIL"


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


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail-server part of the settings, as saved (contract, section 1)."""

    type: ServerType
    server: str | None
    port: int | None
    reply_to: Address | None
    username: str
    password: Secret | None
    auth: Auth
    enable_tls_ssl: bool
    enable_starttls_auto: bool


@dataclass(frozen=True, slots=True)
class SmtpEndpoint:
    """Everything that a connection to an SMTP server needs; equal endpoints may share connections."""

    host: str
    port: int
    tls: TlsMode
    auth: Auth
    username: str
    password: Secret | None
    restricted: bool = True
    """True for a tenant's own server: egress rules apply. False for the system administrator's server."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A tenant's notification settings; `mail_server` is None until one was saved."""

    mail_server: MailServer | None = None
    recipients: tuple[Address, ...] = ()
    switches: dict[str, bool] = field(default_factory=dict[str, bool])
    """Name of a notify_* field -> on or off; one that is absent has its documented default."""
