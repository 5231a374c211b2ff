"""OAuth credentials: what a mail provider gives an application instead of a password.

They are an own resource beside the settings, because they are changed by other people at other times. A tenant has one
set at most; it counts while the type of its mail server is the set's provider.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringpost.domain.hosts import parse_host
from ringpost.domain.secrets import Secret


class Cloud(StrEnum):
    """Which of Microsoft's clouds an organisation is in; each has hosts of its own."""

    GLOBAL = "global"
    US_GOVERNMENT = "us_government"
    CHINA = "china"


class Purpose(StrEnum):
    """What an access token is for; providers give one token for the API and another one for SMTP."""

    API = "api"
    SMTP = "smtp"


@dataclass(frozen=True, slots=True)
class MicrosoftApp:
    """An application registered in Microsoft Entra; it proves itself by a secret or by a certificate."""

    tenant: str
    """The organisation: its id, or one of its domains."""
    client_id: str
    cloud: Cloud = Cloud.GLOBAL
    client_secret: Secret | None = None
    certificate: Secret | None = None
    """PEM: the private key and its certificate."""


@dataclass(frozen=True, slots=True)
class GoogleServiceAccount:
    """A Google service account that may act for the users of its organisation (domain-wide delegation)."""

    client_email: str
    private_key_id: str | None
    private_key: Secret
    """PEM."""


@dataclass(frozen=True, slots=True)
class GoogleUser:
    """One Google user's consent to an OAuth client."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret


Credentials = MicrosoftApp | GoogleServiceAccount | GoogleUser
"""Hashable, so that a changed secret is another set of credentials."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token is asked for: these credentials, this mailbox, this purpose."""

    credentials: Credentials
    mailbox: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class SmtpHost:
    """Where a provider takes mail by SMTP."""

    host: str
    port: int


def parse_smtp_host(text: str) -> SmtpHost:
    """`host:port`, as the operator writes it. ValueError."""
    host, _, port = text.rpartition(":")
    try:
        if port.isdecimal() and 1 <= int(port) <= 65535:
            return SmtpHost(parse_host(host, single_label=True), int(port))
    except ValueError:
        pass
    raise ValueError("this must be a host and a port, such as smtp.example.com:587")


MICROSOFT_SMTP: Final = {
    Cloud.GLOBAL: SmtpHost("smtp.office365.com", 587),
    Cloud.US_GOVERNMENT: SmtpHost("smtp.office365.us", 587),
    Cloud.CHINA: SmtpHost("smtp.partner.outlook.cn", 587),
}
GOOGLE_SMTP: Final = SmtpHost("smtp.gmail.com", 465)


@dataclass(frozen=True, slots=True)
class ProviderHosts:
    """The providers' SMTP servers; the operator can name others. Tenants never can: tokens would go there."""

    microsoft: SmtpHost = MICROSOFT_SMTP[Cloud.GLOBAL]
    """The server of the global cloud; those of national clouds are fixed."""
    google: SmtpHost = GOOGLE_SMTP

    def microsoft_in(self, cloud: Cloud) -> SmtpHost:
        """Microsoft's SMTP server in one of its clouds."""
        return self.microsoft if cloud is Cloud.GLOBAL else MICROSOFT_SMTP[cloud]

    @property
    def are_operators(self) -> bool:
        """True when the operator named hosts of their own, which may then be in any network."""
        return self != ProviderHosts()
