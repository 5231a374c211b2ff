"""Mail servers: what the saved fields of one come to, and when its stored password may stay."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.credentials import Cloud, Credentials, MicrosoftApp, ProviderHosts, SmtpHost
from ringpost.domain.endpoints import Auth, Endpoint, GmailEndpoint, GraphEndpoint, SmtpEndpoint, TlsMode
from ringpost.domain.hosts import IMPLICIT_PORTS, STARTTLS_PORTS, parse_host
from ringpost.domain.secrets import Secret
from ringpost.errors import Invalid, NotConfigured, PasswordRequired


class ServerType(StrEnum):
    """What kind of mail server sends for the tenant."""

    SMTP = "SMTP"
    MS365 = "MS365"
    GMAIL = "GMAIL"


_PROVIDERS: Final = ProviderHosts()
UNOPENED: Final = (
    "What is stored for the login cannot be opened any more. Enter the password, or the OAuth credentials, again."
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail-server part of the settings, as saved (docs/api.md#settings)."""

    type: ServerType
    server: str | None
    """As typed: a host name or an IP address that `hosts.parse_host` understands."""
    port: int | None
    """As typed; 0 and None mean the default of the TLS mode."""
    reply_to: Address | None
    username: str
    password: Secret | None
    """In parsed fields, None: left out, and empty: take the stored one away. Never empty after `merge_password`."""
    auth: Auth
    enable_tls_ssl: bool
    enable_starttls_auto: bool
    oauth: Credentials | None = None
    """The stored OAuth credentials, whichever provider they are for; an own resource, which is saved apart."""

    @property
    def host(self) -> str | None:
        """The server as it is resolved and shown to TLS: a lower-case A-label name or an IP address.

        None also for what is no host: beside a provider's type anything may have been typed.
        """
        try:
            return None if self.server is None else _host(self.server)
        except ValueError:
            return None

    @property
    def tls(self) -> tuple[TlsMode, int]:
        """The TLS mode and the port in effect of a server of type SMTP."""
        return tls_mode(self.enable_tls_ssl, self.enable_starttls_auto, self.port)

    @property
    def complete(self) -> bool:
        """Whether it can send. Others are saved all the same: a form may be filled in bit by bit."""
        return not self.missing()

    def missing(self) -> tuple[str, ...]:
        """All that has to be added before this server can send, each in words for a person."""
        return tuple(filter(None, (self._missing_sender(), self._missing_server(), self._missing_login())))

    def _missing_sender(self) -> str | None:
        if sender_of(self) is not None:
            return None
        return "There is no address to send from. Make the username a mail address, or fill in reply_to."

    def _missing_server(self) -> str | None:
        if self.type is not ServerType.SMTP or self.server is not None:
            return None
        return "The name of the mail server is missing. Fill in server."

    def _missing_login(self) -> str | None:
        if self.lacks_login:
            return "The password is missing. Fill in an app password, or better, set up OAuth credentials."
        if self.type is ServerType.SMTP and not self.password and self.auth in (Auth.LOGIN, Auth.PLAIN):
            return "The password is missing. Fill it in, or set auth to DISABLE."
        return None

    @property
    def lacks_login(self) -> bool:
        """Whether it is one to sign in to by OAuth, and has neither that nor a password."""
        return self.type is not ServerType.SMTP and not self.password and self.credentials is None

    @property
    def credentials(self) -> Credentials | None:
        """The OAuth credentials that count: those for this type of server."""
        wanted = {ServerType.MS365: True, ServerType.GMAIL: False}.get(self.type)
        return self.oauth if self.oauth is not None and isinstance(self.oauth, MicrosoftApp) is wanted else None

    def endpoint(self, *, restricted: bool, hosts: ProviderHosts = _PROVIDERS) -> Endpoint:
        """Where and how to send. NotConfigured, saying what is missing, when nothing can be sent yet."""
        if missing := self.missing():
            raise NotConfigured(" ".join(missing))
        if self.type is not ServerType.SMTP:
            return self._hosted(restricted, hosts)
        tls, port = self.tls
        # Nothing to log in with: AUTO then sends without, and a server that minds says so (RFC 4954 6, 530).
        auth = self.auth if self.password else Auth.DISABLE
        password = None if auth is Auth.DISABLE else self.password
        return SmtpEndpoint(self.host or "", port, tls, auth, self.username, password, restricted)

    def _hosted(self, restricted: bool, hosts: ProviderHosts) -> Endpoint:
        """By the provider's API; by its SMTP server with a password, or when that server was named."""
        credentials = self.credentials
        smtp, tls = self._provider_smtp(hosts)
        # Only the provider's own server: an access token must not travel to whatever host was typed.
        if credentials is not None and self.host != smtp.host:
            if isinstance(credentials, MicrosoftApp):
                return GraphEndpoint(self.username, credentials)
            return GmailEndpoint(self.username, credentials)
        auth = Auth.AUTO if self.auth is Auth.DISABLE else self.auth
        password = self.password if credentials is None else None
        restricted = restricted and not hosts.are_operators
        return SmtpEndpoint(smtp.host, smtp.port, tls, auth, self.username, password, restricted, credentials)

    def _provider_smtp(self, hosts: ProviderHosts) -> tuple[SmtpHost, TlsMode]:
        if self.type is ServerType.GMAIL:
            return hosts.google, TlsMode.STARTTLS if hosts.google.port in STARTTLS_PORTS else TlsMode.IMPLICIT
        cloud = self.oauth.cloud if isinstance(self.oauth, MicrosoftApp) else Cloud.GLOBAL
        smtp = hosts.microsoft_in(cloud)
        return smtp, TlsMode.IMPLICIT if smtp.port in IMPLICIT_PORTS else TlsMode.STARTTLS


def tls_mode(enable_tls_ssl: bool, enable_starttls_auto: bool, port: int | None) -> tuple[TlsMode, int]:
    """What the two flags mean, and the port in effect; 0 and None stand for the default.

    The flags come from the phone system, which does not say what their combinations mean; this table is ours:

        tls_ssl  starttls_auto  mode                                             default port
        true     false          implicit; STARTTLS on 25, 587, 2525 and 2587     465
        true     true           STARTTLS; implicit on 465 and 2465               587
        false    true           STARTTLS when offered                            587
        false    false          clear text                                       25
    """
    if enable_tls_ssl and enable_starttls_auto:
        return (TlsMode.IMPLICIT if port in IMPLICIT_PORTS else TlsMode.STARTTLS), port or 587
    if enable_tls_ssl:
        return (TlsMode.STARTTLS if port in STARTTLS_PORTS else TlsMode.IMPLICIT), port or 465
    if enable_starttls_auto:
        return TlsMode.OPPORTUNISTIC, port or 587
    return TlsMode.CLEAR, port or 25


def sender_of(mail_server: MailServer) -> Address | None:
    """The address that mail comes from: the username when it is one, else reply_to, else none."""
    try:
        address = _address(mail_server.username)
    except Invalid:
        return mail_server.reply_to
    return mail_server.reply_to if address.display_name or "<" in mail_server.username else address


@lru_cache(4096)
def _host(server: str) -> str:
    """Most tenants' servers are those of a few providers."""
    return parse_host(server, single_label=True)


@lru_cache(64)
def _address(username: str) -> Address:
    """The same server is asked several times in a row."""
    return parse_address(username)


def needs_password(old: MailServer | None, new: MailServer) -> bool:
    """True when the password was left out of `new` and must not be: `old` has none to keep, or it would travel.

    A stored password stays only while everything that says where it goes is unchanged. Otherwise who may edit the
    settings, but does not know the password, could have it sent to a host of theirs. That holds with auth DISABLE too:
    the stored password is given up only in words, by an empty one.
    """
    if new.password is not None:
        return False
    if old is None or not old.password:
        if old is not None and old.auth is new.auth and _destination(old) == _destination(new):
            return False  # what was shown, posted back
        return new.type is ServerType.SMTP and new.auth is not Auth.DISABLE
    return _destination(old) != _destination(new)


def merge_password(old: MailServer | None, new: MailServer) -> MailServer:
    """`new` as it is to be saved: with its own password, the stored one, or none. PasswordRequired without it.

    An empty password is an answer: it takes the stored one away, whatever auth says. The server is then tried without
    login (AUTO) or not used (LOGIN, PLAIN), until a password is given.
    """
    if needs_password(old, new):
        if old is not None and old.password:
            raise PasswordRequired(
                "Give the password again: the stored one stays only while type, server, port, username and the TLS "
                "flags are unchanged. An empty password removes it."
            )
        raise PasswordRequired("Give a password, or set auth to DISABLE when the server needs no login.")
    if new.password is None:
        return replace(new, password=old.password if old is not None else None)
    return new if new.password else replace(new, password=None)


def _destination(mail_server: MailServer) -> tuple[object, ...]:
    return (
        mail_server.type,
        mail_server.host,
        mail_server.port or 0,
        mail_server.username,
        mail_server.enable_tls_ssl,
        mail_server.enable_starttls_auto,
    )
