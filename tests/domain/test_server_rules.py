"""Which hosts and ports may be saved as a mail server, and when a password may travel in clear."""

from typing import Any

import pytest

from ringpost.domain.endpoints import Auth
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.mail_servers import ServerType
from ringpost.domain.server_rules import ServerRules, parse_mail_server
from ringpost.errors import Invalid

RULES = ServerRules()
OWN = ServerRules(restricted=False)
LEAST = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com"}


def faults(raw: dict[str, Any], rules: ServerRules = RULES) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse_mail_server(raw, rules)
    return {error.field: error.message for error in caught.value.errors}


def test_smtp_needs_a_server_and_the_others_do_not() -> None:
    for nothing in ({}, {"server": None}, {"server": " "}):
        assert list(faults({"type": "SMTP", "username": "u"} | nothing)) == ["server"]
        for kind in ("MS365", "GMAIL"):
            server = parse_mail_server({"type": kind, "username": "u@x.com"} | nothing, RULES)
            assert (server.type, server.server) == (ServerType(kind), None)


def test_a_server_is_kept_as_typed_for_the_other_types_too() -> None:
    raw = LEAST | {"type": "MS365", "server": " Mail.Example.com ", "port": 80}
    assert parse_mail_server(raw, RULES).server == "Mail.Example.com"


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "127.1",
        "0x7f.1",
        "2130706433",
        "http://x",
        "http://mail.example.com",
        "x:25",
        "mail.example.com:25",
        "mail example.com",
        "mail_1.example.com",
        "localhost",
        "-a.example.com",
        "a..example.com",
        "[mail.example.com]",
        "fe80::1%eth0",
        "a@example.com",
        "a" * 300,
        "ü" * 255,
        "mail.example.com\r\n",
        "mail.example.com\r\nEHLO x",
        "mail\u200b.example.com",
        5,
        True,
    ],
)
def test_a_server_is_a_host_and_nothing_else(value: object) -> None:
    assert list(faults(LEAST | {"server": value})) == ["server"]


_PRIVATE = "This address is in a private or reserved network. "
_ITSELF = "This address is that of the machine itself. "
_PERMIT = "Whoever runs Ringpost can permit it with RINGPOST_ALLOWED_MAIL_NETWORKS."
_NO_HOST = "This is not a host. Write only a name such as mail.example.com, or an IP address; no port, no http://."
_NEVER = "This host is not allowed."


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("169.254.169.254", _NEVER),
        ("[fd00:ec2::254]", _NEVER),
        ("[64:ff9b::a9fe:a9fe]", _NEVER),
        ("224.0.0.1", _NEVER),
        ("0.0.0.1", _NEVER),
        ("[::ffff:10.0.0.1]", _PRIVATE + _PERMIT),
        ("::ffff:10.0.0.1", _PRIVATE + _PERMIT),
        ("10.0.0.5", _PRIVATE + _PERMIT),
        ("192.168.1.5", _PRIVATE + _PERMIT),
        ("fd00::1", _PRIVATE + _PERMIT),
        ("127.0.0.1", _ITSELF + _PERMIT),
        ("::1", _ITSELF + _PERMIT),
    ],
)
def test_a_tenant_cannot_name_an_address_inside(value: str, why: str) -> None:
    for kind in ServerType:
        assert faults(LEAST | {"server": value, "type": kind.value}) == {"server": why}
    assert set(faults(LEAST | {"server": value, "port": -1})) == {"server", "port"}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("mail", "This name has no dot. Write the whole name, such as mail.example.com."),
        ("localhost", "This name has no dot. Write the whole name, such as mail.example.com."),
        ("mail.example.com.", "There is a dot at the end. Leave it out."),
        ("mail.example.com..", _NO_HOST),
        ("mail.example.com:25", _NO_HOST),
        ("http://mail.example.com", _NO_HOST),
    ],
)
def test_what_is_wrong_with_a_host_is_told(value: str, why: str) -> None:
    assert faults(LEAST | {"server": value}) == {"server": why}


@pytest.mark.parametrize("value", ["169.254.169.254", "[::ffff:10.0.0.1]", "127.0.0.1", "mailpit", "192.168.1.5"])
def test_the_system_administrator_may_name_any_host_and_port(value: str) -> None:
    assert parse_mail_server(LEAST | {"server": value, "port": 1025}, OWN).server == value


def test_the_system_administrators_host_is_still_a_host() -> None:
    assert list(faults(LEAST | {"server": "http://x"}, OWN)) == ["server"]


@pytest.mark.parametrize("server", ["mail.example.com", "8.8.8.8"])
def test_a_port_beside_the_usual_ones_is_the_operators_choice(server: str) -> None:
    raw = LEAST | {"server": server, "port": 1025}
    assert list(faults(raw)) == ["port"]
    assert parse_mail_server(raw, ServerRules(extra_ports=frozenset({1025}))).port == 1025


@pytest.mark.parametrize(
    ("networks", "server", "wrong"),
    [
        ("10.0.0.0/8", "10.0.0.1", None),
        ("10.0.0.0/8:1025", "10.0.0.1", None),
        ("10.0.0.0/8:2525", "10.0.0.1", "server"),
        ("10.1.0.0/16", "10.0.0.1", "server"),
        ("10.0.0.0/8", "8.8.8.8", "port"),
        ("10.0.0.0/8", "mail.example.com", None),
        ("10.0.0.0/8:1025", "mail.example.com", None),
        ("10.0.0.0/8:2525", "mail.example.com", "port"),
        ("169.254.0.0/16", "169.254.169.254", "server"),
    ],
)
def test_an_allowed_network_allows_its_hosts_and_ports(networks: str, server: str, wrong: str | None) -> None:
    rules = ServerRules(allowed=parse_allowed_networks(networks))
    raw = LEAST | {"server": server, "port": 1025}
    if wrong is None:
        assert parse_mail_server(raw, rules).server == server
    else:
        assert list(faults(raw, rules)) == [wrong]


@pytest.mark.parametrize("auth", ["AUTO", "LOGIN", "PLAIN"])
def test_a_login_in_clear_is_refused_unless_the_operator_permits_it(auth: str) -> None:
    raw = LEAST | {"enable_tls_ssl": False, "auth": auth}
    assert list(faults(raw)) == ["enable_tls_ssl"]
    assert list(faults(raw, OWN)) == ["enable_tls_ssl"]
    assert parse_mail_server(raw, ServerRules(clear_login=True)).auth is Auth(auth)


@pytest.mark.parametrize("changed", [{"auth": "DISABLE"}, {"enable_starttls_auto": True}, {"type": "GMAIL"}])
def test_without_login_or_with_starttls_no_password_travels_in_clear(changed: dict[str, object]) -> None:
    assert parse_mail_server(LEAST | {"enable_tls_ssl": False} | changed, RULES)
