"""Reading the mail-server fields of the settings, by the rules that the operator set.

A tenant names a host and a port that we connect to, so both are checked here at saving, as far as they can be without
resolving a name, and again at every connect (`transports/egress`).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.fields import Fields
from ringpost.domain.hosts import (
    SMTP_PORTS,
    AllowedNetwork,
    IpAddress,
    can_be_allowed,
    is_port_permitted,
    is_refused,
    parse_host,
    parse_ip,
)
from ringpost.domain.mail_servers import MailServer, ServerType
from ringpost.domain.secrets import Secret

LONGEST_USERNAME: Final = 128
"""Characters of a username (docs/api.md#settings)."""
LONGEST_SERVER: Final = 255
LONGEST_PASSWORD: Final = 1024

_NO_HOST = "This is not a host. Write only a name such as mail.example.com, or an IP address; no port, no http://."
_NO_DOT = "This name has no dot. Write the whole name, such as mail.example.com."
_LAST_DOT = "There is a dot at the end. Leave it out."
_NULL = " or null (for no mail server)"
_NO_TARGET = "This host is not allowed."
"""No more than that: who asks must not learn what the operator's network looks like."""
_THIS_MACHINE = (
    "This address is that of the machine itself. Whoever runs Ringpost can permit it with "
    "RINGPOST_ALLOWED_MAIL_NETWORKS."
)
_PRIVATE = (
    "This address is in a private or reserved network. Whoever runs Ringpost can permit it with "
    "RINGPOST_ALLOWED_MAIL_NETWORKS."
)
"""Both are told by the address alone, whatever there is in the network."""


@dataclass(frozen=True, slots=True)
class ServerRules:
    """What the operator permits of mail servers. For the system administrator's own: `restricted=False`."""

    restricted: bool = True
    """True: hosts and ports are checked, as for every tenant's server."""
    allowed: tuple[AllowedNetwork, ...] = ()
    extra_ports: frozenset[int] = frozenset()
    """Ports beside `hosts.SMTP_PORTS`."""
    clear_login: bool = False
    """True: a password may travel unencrypted."""


def parse_mail_server(raw: Mapping[str, object], rules: ServerRules) -> MailServer:
    """The mail server in a JSON object; Invalid with every wrong field. Its password is still to be merged."""
    fields = Fields(raw)
    mail_server = read_mail_server(fields, rules)
    fields.finish()
    return mail_server


def read_mail_server(fields: Fields, rules: ServerRules) -> MailServer:
    """As `parse_mail_server`, among other fields; the result counts only when `fields.finish` passes."""
    mail_server = MailServer(
        type=fields.choice("type", ServerType, ServerType.SMTP, required=True, beside=_NULL),
        server=fields.text("server", longest=LONGEST_SERVER),
        port=fields.integer("port", 0, 65535),
        reply_to=read_reply_to(fields),
        username=fields.text("username", longest=LONGEST_USERNAME, required=True) or "",
        password=_password(fields),
        auth=fields.choice("auth", Auth, Auth.AUTO),
        enable_tls_ssl=fields.flag("enable_tls_ssl", default=True),
        enable_starttls_auto=fields.flag("enable_starttls_auto", default=False),
    )
    _check_host(fields, mail_server, rules)
    _check_clear_login(fields, mail_server, rules)
    return mail_server


def _password(fields: Fields) -> Secret | None:
    password = fields.secret("password", longest=LONGEST_PASSWORD)
    return None if password is None else Secret(password)


def read_reply_to(fields: Fields) -> Address | None:
    """Where answers go; the result counts only when `fields.finish` passes."""

    def parse(text: str) -> Address | None:
        return parse_address(text, "reply_to")

    return fields.parsed("reply_to", parse, None)


def _check_host(fields: Fields, mail_server: MailServer, rules: ServerRules) -> None:
    if mail_server.server is None:
        if mail_server.type is ServerType.SMTP and not fields.is_wrong("type"):
            fields.wrong("server", "This field is required for type SMTP. Write a name such as mail.example.com.")
        return
    try:
        # Only the operator's own network has hosts without a dot, such as `mailpit`.
        host = parse_host(mail_server.server, single_label=not rules.restricted)
    except ValueError:
        if mail_server.type is ServerType.SMTP:  # where a provider is, is known: what was typed is kept and not used
            fields.wrong("server", _why_no_host(mail_server.server))
        return
    if not rules.restricted:
        return
    ip, port = parse_ip(host), mail_server.tls[1]
    if ip is not None and is_refused(ip, port, rules.allowed):
        fields.wrong("server", _refusal(ip))
    elif mail_server.type is ServerType.SMTP and not fields.is_wrong("port"):
        _check_port(fields, ip, port, rules)


def _why_no_host(text: str) -> str:
    for name, why in ((text, _NO_DOT), (text.removesuffix("."), _LAST_DOT)):
        with suppress(ValueError):
            parse_host(name, single_label=why is _NO_DOT)
            return why
    return _NO_HOST


def _refusal(ip: IpAddress) -> str:
    if not can_be_allowed(ip):
        return _NO_TARGET
    return _THIS_MACHINE if ip.is_loopback else _PRIVATE


def _check_port(fields: Fields, ip: IpAddress | None, port: int, rules: ServerRules) -> None:
    if not is_port_permitted(port, rules.extra_ports, rules.allowed, ip):
        ports = ", ".join(map(str, sorted(SMTP_PORTS | rules.extra_ports)))
        fields.wrong("port", f"This port is not allowed. Mail servers take mail on one of {ports}.")


def _check_clear_login(fields: Fields, mail_server: MailServer, rules: ServerRules) -> None:
    if fields.is_wrong("type") or fields.is_wrong("auth"):
        return
    in_clear = mail_server.type is ServerType.SMTP and mail_server.tls[0] is TlsMode.CLEAR
    if in_clear and mail_server.auth is not Auth.DISABLE and not rules.clear_login:
        fields.wrong(
            "enable_tls_ssl",
            "The password would travel unencrypted. Turn enable_tls_ssl or enable_starttls_auto on, or set auth to "
            "DISABLE when the server needs no login.",
        )
