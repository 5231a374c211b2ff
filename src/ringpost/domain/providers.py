"""Mail providers that many tenants use, by what gives them away, and the settings that they describe."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ringpost.domain.credentials import GOOGLE_SMTP, MICROSOFT_SMTP
from ringpost.domain.endpoints import Endpoint, GraphEndpoint, SmtpEndpoint
from ringpost.domain.mail_servers import MailServer, ServerType, tls_mode

_MICROSOFT_365: Final = "Microsoft 365"
_OUTLOOK: Final = "Outlook.com"
_ADDRESS = "the whole mail address"
_ACCOUNT = "the password of the mailbox"
_APP = "an app password, made in the account's security settings; the account's own password does not work"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. Suffixes are compared label by label: `example.com` fits `mail.example.com`."""

    name: str
    hosts: tuple[str, ...]
    """Suffixes of mail servers' names."""
    server: str
    username: str = _ADDRESS
    """What to enter as user name."""
    password: str = _ACCOUNT
    """What the password is."""
    mx: tuple[str, ...] = ()
    """Suffixes of MX records of domains that live there."""
    starttls_port: int | None = 587
    implicit_port: int | None = 465
    spf: str = ""
    """What the SPF record of a customer's domain includes; empty where customers have no domains of their own."""
    type: ServerType = ServerType.SMTP
    servers: tuple[str, ...] = ()
    """Other servers of theirs that are right as well: suffixes."""
    addresses: tuple[str, ...] = ()
    """Domains of people's addresses beside `hosts`; exactly these, because servers of others may be below them."""

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of the settings that they describe."""
        implicit = self.implicit_port is not None
        return {
            "type": self.type.value,
            "server": self.server,
            "port": self.implicit_port if implicit else self.starttls_port,
            "enable_tls_ssl": True,
            "enable_starttls_auto": not implicit,
        }

    def fits(self, server: MailServer) -> bool:
        """Whether these settings are among those that the provider describes."""
        if server.type is not ServerType.SMTP:
            return True
        if server.host != self.server and not _ends(server.host or "", self.servers):
            return False
        mode = tls_mode(server.enable_tls_ssl, server.enable_starttls_auto, server.port)
        right = [tls_mode(True, True, self.starttls_port)] if self.starttls_port else []
        if self.implicit_port:
            right.append(tls_mode(True, False, self.implicit_port))
        return mode in right


_OFFICE = "the mailbox's password, as long as Microsoft takes it; better OAuth, with Microsoft 365 as the provider"
_KEY = "an API key"
_SMTP_LOGIN = "the SMTP password that they show for this purpose, not the one of the account"

PROVIDERS: Final = (
    Provider(
        _MICROSOFT_365,
        ("office365.com", "office.com", "mail.protection.outlook.com"),
        "smtp.office365.com",
        password=_OFFICE,
        mx=("mail.protection.outlook.com", "mx.microsoft"),
        implicit_port=None,
        spf="spf.protection.outlook.com",
    ),
    Provider(
        _OUTLOOK,
        ("smtp-mail.outlook.com", "hotmail.com", "live.com"),
        "smtp-mail.outlook.com",
        password="an app password, as long as Microsoft takes it",  # noqa: S106
        mx=("olc.protection.outlook.com",),
        implicit_port=None,
        addresses=(
            *("outlook.com", "outlook.de", "outlook.at", "outlook.fr", "outlook.es", "outlook.it"),
            *("hotmail.de", "hotmail.fr", "hotmail.es", "hotmail.it", "hotmail.co.uk"),
            *("live.de", "live.at", "live.fr", "live.it", "live.nl", "live.co.uk", "msn.com"),
        ),
    ),
    Provider(
        "Gmail",
        ("gmail.com", "googlemail.com", "google.com"),
        "smtp.gmail.com",
        password=_APP,
        mx=("google.com", "googlemail.com"),
        spf="_spf.google.com",
        servers=("smtp-relay.gmail.com",),
    ),
    Provider(
        "Amazon SES",
        ("amazonaws.com",),
        "email-smtp.us-east-1.amazonaws.com",
        username="the SMTP user name from the SES console, not an access key",
        password="the SMTP password from the SES console, not a secret key",  # noqa: S106
        mx=("amazonaws.com",),
        spf="amazonses.com",
        servers=("amazonaws.com",),
    ),
    Provider(
        "SendGrid", ("sendgrid.net",), "smtp.sendgrid.net", "the word apikey, literally", _KEY, spf="sendgrid.net"
    ),
    Provider(
        "Mailgun",
        ("mailgun.org",),
        "smtp.mailgun.org",
        "the SMTP login of the sending domain",
        _SMTP_LOGIN,
        mx=("mailgun.org",),
        spf="mailgun.org",
        servers=("smtp.eu.mailgun.org",),
    ),
    Provider(
        "Postmark",
        ("postmarkapp.com",),
        "smtp.postmarkapp.com",
        "the server's API token",
        "the server's API token again",
        implicit_port=None,
        spf="spf.mtasv.net",
    ),
    Provider(
        "Brevo",
        ("brevo.com", "sendinblue.com"),
        "smtp-relay.brevo.com",
        "the SMTP login from the settings",
        "an SMTP key",
    ),
    Provider(
        "Mailjet",
        ("mailjet.com",),
        "in-v3.mailjet.com",
        _KEY,
        "the secret key that belongs to it",
        spf="spf.mailjet.com",
    ),
    Provider(
        "Zoho Mail",
        ("zoho.com", "zoho.eu", "zoho.in", "zohocloud.ca"),
        "smtp.zoho.com",
        password=_APP,
        mx=("zoho.com", "zoho.eu", "zoho.in"),
        spf="zohomail.com",
        servers=("zoho.com", "zoho.eu", "zoho.in", "zohocloud.ca"),
    ),
    Provider("Yahoo Mail", ("yahoo.com",), "smtp.mail.yahoo.com", password=_APP, mx=("yahoodns.net",)),
    Provider(
        "iCloud Mail",
        ("me.com", "icloud.com"),
        "smtp.mail.me.com",
        password=_APP,
        mx=("mail.icloud.com",),
        implicit_port=None,
        spf="icloud.com",
    ),
    Provider(
        "OVH",
        ("ovh.net", "ovh.com", "ovh.ca"),
        "ssl0.ovh.net",
        mx=("ovh.net",),
        spf="mx.ovh.com",
        servers=("mail.ovh.net", "mail.ovh.ca"),
    ),
    Provider(
        "IONOS",
        ("ionos.com", "ionos.de", "ionos.co.uk", "ionos.fr", "ionos.es", "1and1.com", "1und1.de"),
        "smtp.ionos.com",
        mx=("ionos.com", "ionos.de", "kundenserver.de", "1and1.com"),
        servers=(
            "smtp.ionos.de",
            "smtp.ionos.co.uk",
            "smtp.ionos.fr",
            "smtp.ionos.es",
            "smtp.1and1.com",
            "smtp.1und1.de",
        ),
    ),
    Provider(
        "Fastmail",
        ("fastmail.com", "messagingengine.com"),
        "smtp.fastmail.com",
        password=_APP,
        mx=("messagingengine.com",),
        spf="spf.messagingengine.com",
        servers=("smtp.messagingengine.com",),
    ),
    Provider("Strato", ("strato.de", "strato.com"), "smtp.strato.de", mx=("rzone.de",), servers=("smtp.strato.com",)),
    Provider(
        "GMX",
        ("gmx.net", "gmx.com", "gmx.de"),
        "mail.gmx.net",
        password="the mailbox's password, after sending by SMTP was switched on in its settings",  # noqa: S106
        mx=("gmx.net", "gmx.com"),
        servers=("mail.gmx.com", "smtp.gmx.net", "smtp.gmx.com"),
    ),
    Provider(
        "web.de",
        ("web.de",),
        "smtp.web.de",
        password="the mailbox's password, after sending by SMTP was switched on in its settings",  # noqa: S106
        mx=("web.de",),
    ),
    Provider(
        "T-Online",
        ("t-online.de",),
        "securesmtp.t-online.de",
        password="the password for mail programs from the customer centre, not the one of the account",  # noqa: S106
        mx=("t-online.de",),
    ),
    Provider("Gandi", ("gandi.net",), "mail.gandi.net", mx=("gandi.net",), spf="_mailcust.gandi.net"),
    Provider("Infomaniak", ("infomaniak.com",), "mail.infomaniak.com", mx=("infomaniak.ch",), spf="spf.infomaniak.ch"),
    Provider(
        "Yandex Mail",
        ("yandex.ru", "yandex.com"),
        "smtp.yandex.com",
        password=_APP,
        mx=("yandex.net", "yandex.ru"),
        spf="_spf.yandex.net",
        servers=("smtp.yandex.ru",),
    ),
    Provider(
        "Proton Mail",
        ("protonmail.ch", "proton.me", "protonmail.com"),
        "smtp.protonmail.ch",
        password="an SMTP token from the settings; Proton Mail Bridge has a password of its own",  # noqa: S106
        mx=("protonmail.ch",),
        implicit_port=None,
        spf="_spf.protonmail.ch",
    ),
)


def by_host(host: str) -> Provider | None:
    """The provider that a mail server's name, or the domain of an address, belongs to."""
    return next((one for one in PROVIDERS if _ends(host, one.hosts) or host in one.addresses), None)


def by_endpoint(endpoint: Endpoint, username: str) -> Provider | None:
    """The provider that mail goes through; the API of one is known by its SMTP server."""
    if isinstance(endpoint, SmtpEndpoint):
        return by_login(endpoint.host, username)
    return by_host(MICROSOFT_SMTP[endpoint.app.cloud].host if isinstance(endpoint, GraphEndpoint) else GOOGLE_SMTP.host)


def by_login(host: str, username: str) -> Provider | None:
    """The provider that a mail server's name belongs to; of a personal address at Microsoft, Outlook.com.

    Microsoft 365 is for organisations: its server is often typed for personal addresses, and its advice is not theirs.
    """
    found = by_host(host)
    mistaken = found is not None and found.name == _MICROSOFT_365 and is_personal(username)
    return by_address(username) if mistaken else found


def by_address(address: str) -> Provider | None:
    """The provider that an address is at; None for a user name that is no address."""
    name, at, domain = address.strip().lower().rpartition("@")
    return by_host(domain) if name and at else None


def is_personal(username: str) -> bool:
    """Whether it is a personal address at Microsoft, for which nobody can set up Microsoft 365."""
    found = by_address(username)
    return found is not None and found.name == _OUTLOOK


def by_mx(names: Iterable[str]) -> Provider | None:
    """The provider that a domain's mail goes to."""
    named = [name.rstrip(".").lower() for name in names]
    # The longest suffix counts: Outlook.com and Microsoft 365 share one.
    found = [(len(suffix), one) for one in PROVIDERS for suffix in one.mx for name in named if _ends(name, (suffix,))]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def by_words(words: str) -> Provider | None:
    """The provider that a greeting or an answer to EHLO names."""
    names = [word.strip("[]()<>,;").lower() for word in words.split()]
    return next((found for name in names if "." in name and (found := by_host(name))), None)


def _ends(host: str, suffixes: Iterable[str]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)
