"""Mail servers: the TLS table, what a server needs to send, and when a stored password may stay."""

from dataclasses import replace
from typing import Any

import pytest

from ringpost.domain.addresses import parse_address
from ringpost.domain.endpoints import Auth, SmtpEndpoint, TlsMode
from ringpost.domain.mail_servers import MailServer, ServerType, merge_password, needs_password, sender_of, tls_mode
from ringpost.domain.secrets import Secret
from ringpost.errors import NotConfigured, PasswordRequired

SERVER = MailServer(
    type=ServerType.SMTP,
    server="Mail.Example.com",
    port=None,
    reply_to=None,
    username="pbx@example.com",
    password=None,
    auth=Auth.AUTO,
    enable_tls_ssl=True,
    enable_starttls_auto=False,
)
STORED = replace(SERVER, password=Secret("stored"))
HOSTED = [
    (ServerType.MS365, "smtp.office365.com", 587, TlsMode.STARTTLS),
    (ServerType.GMAIL, "smtp.gmail.com", 465, TlsMode.IMPLICIT),
]


def smtp(server: MailServer, *, restricted: bool) -> SmtpEndpoint:
    """The endpoint of a server that is spoken to by SMTP."""
    endpoint = server.endpoint(restricted=restricted)
    assert isinstance(endpoint, SmtpEndpoint)
    return endpoint


@pytest.mark.parametrize(
    ("tls_ssl", "starttls_auto", "port", "mode", "effective"),
    [
        (True, False, None, TlsMode.IMPLICIT, 465),
        (True, False, 0, TlsMode.IMPLICIT, 465),
        (True, False, 465, TlsMode.IMPLICIT, 465),
        (True, False, 2465, TlsMode.IMPLICIT, 2465),
        (True, False, 1234, TlsMode.IMPLICIT, 1234),
        (True, False, 25, TlsMode.STARTTLS, 25),
        (True, False, 587, TlsMode.STARTTLS, 587),
        (True, False, 2525, TlsMode.STARTTLS, 2525),
        (True, False, 2587, TlsMode.STARTTLS, 2587),
        (True, True, None, TlsMode.STARTTLS, 587),
        (True, True, 0, TlsMode.STARTTLS, 587),
        (True, True, 25, TlsMode.STARTTLS, 25),
        (True, True, 1234, TlsMode.STARTTLS, 1234),
        (True, True, 465, TlsMode.IMPLICIT, 465),
        (True, True, 2465, TlsMode.IMPLICIT, 2465),
        (False, True, None, TlsMode.OPPORTUNISTIC, 587),
        (False, True, 25, TlsMode.OPPORTUNISTIC, 25),
        (False, True, 465, TlsMode.OPPORTUNISTIC, 465),
        (False, False, None, TlsMode.CLEAR, 25),
        (False, False, 0, TlsMode.CLEAR, 25),
        (False, False, 465, TlsMode.CLEAR, 465),
    ],
)
def test_two_flags_and_the_port_come_to_a_tls_mode(
    tls_ssl: bool, starttls_auto: bool, port: int | None, mode: TlsMode, effective: int
) -> None:
    assert tls_mode(tls_ssl, starttls_auto, port) == (mode, effective)


def test_an_smtp_endpoint_has_the_name_as_tls_and_dns_see_it() -> None:
    endpoint = smtp(replace(STORED, server="Mail.MÜNCHEN.de", port=587), restricted=True)
    assert (endpoint.host, endpoint.port, endpoint.tls) == ("mail.xn--mnchen-3ya.de", 587, TlsMode.STARTTLS)
    assert (endpoint.username, endpoint.password, endpoint.auth) == ("pbx@example.com", Secret("stored"), Auth.AUTO)
    assert endpoint.restricted
    assert not smtp(STORED, restricted=False).restricted


@pytest.mark.parametrize(
    ("server", "host"), [("[2001:DB8::1]", "2001:db8::1"), ("8.8.8.8", "8.8.8.8"), ("mailpit", "mailpit")]
)
def test_an_endpoint_may_be_an_address_or_a_short_name(server: str, host: str) -> None:
    assert smtp(replace(STORED, server=server), restricted=False).host == host


@pytest.mark.parametrize(("kind", "host", "port", "tls"), HOSTED)
@pytest.mark.parametrize("auth", Auth)
def test_microsoft_and_google_have_endpoints_of_their_own(
    kind: ServerType, host: str, port: int, tls: TlsMode, auth: Auth
) -> None:
    endpoint = smtp(replace(STORED, type=kind, port=25, enable_tls_ssl=False, auth=auth), restricted=True)
    assert (endpoint.host, endpoint.port, endpoint.tls) == (host, port, tls)
    assert endpoint.auth is (Auth.AUTO if auth is Auth.DISABLE else auth)
    assert endpoint.password == Secret("stored")


def test_a_password_does_not_go_to_a_server_without_login() -> None:
    assert smtp(replace(STORED, auth=Auth.DISABLE), restricted=True).password is None


def test_auto_without_a_password_sends_without_login() -> None:
    assert smtp(SERVER, restricted=True).auth is Auth.DISABLE


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"username": "pbx"}, "reply_to"),
        ({"server": None}, "server"),
        ({"auth": Auth.PLAIN, "password": None}, "password"),
        ({"auth": Auth.LOGIN, "password": None}, "password"),
        ({"type": ServerType.MS365, "password": None}, "password"),
        ({"type": ServerType.GMAIL, "password": None}, "password"),
    ],
)
def test_a_server_that_cannot_send_says_what_is_missing(changed: dict[str, Any], word: str) -> None:
    server = replace(STORED, **changed)
    assert not server.complete
    assert word in " ".join(server.missing())
    with pytest.raises(NotConfigured, match=word):
        server.endpoint(restricted=True)


def test_a_server_that_can_send_misses_nothing() -> None:
    assert STORED.missing() == ()
    assert replace(SERVER, auth=Auth.DISABLE).complete


@pytest.mark.parametrize(
    ("username", "reply_to", "sender"),
    [
        ("pbx@example.com", None, "pbx@example.com"),
        ("pbx@example.com", "r@x.com", "pbx@example.com"),
        ("pbx@münchen.de", None, "pbx@münchen.de"),
        ("pbx", "Reply <r@x.com>", "r@x.com"),
        ("DOMAIN\\pbx", "r@x.com", "r@x.com"),
        ("pbx@localhost", "r@x.com", "r@x.com"),
        ("PBX <pbx@example.com>", "r@x.com", "r@x.com"),
        ("<pbx@example.com>", "r@x.com", "r@x.com"),
        ("pbx", None, None),
    ],
)
def test_mail_comes_from_the_username_when_it_is_an_address(
    username: str, reply_to: str | None, sender: str | None
) -> None:
    server = replace(SERVER, username=username, reply_to=parse_address(reply_to) if reply_to else None)
    found = sender_of(server)
    assert (found.spec if found else None) == sender


def test_a_password_left_out_keeps_the_stored_one_while_nothing_changed() -> None:
    assert merge_password(STORED, SERVER).password == Secret("stored")


@pytest.mark.parametrize(
    "changed",
    [
        {"server": "mail.example.COM"},
        {"port": 0},
        {"auth": Auth.PLAIN},
        {"auth": Auth.DISABLE},
        {"reply_to": parse_address("r@x.com")},
    ],
)
def test_what_does_not_move_the_password_keeps_it(changed: dict[str, Any]) -> None:
    assert merge_password(STORED, replace(SERVER, **changed)).password == Secret("stored")


@pytest.mark.parametrize(
    "changed",
    [
        {"type": ServerType.MS365},
        {"server": "mail.attacker.example"},
        {"server": None, "type": ServerType.GMAIL},
        {"port": 587},
        {"port": 465},
        {"username": "other@example.com"},
        {"username": "PBX@example.com"},
        {"enable_tls_ssl": False, "enable_starttls_auto": True},
        {"enable_starttls_auto": True},
        {"server": "mail.attacker.example", "auth": Auth.DISABLE},
    ],
)
def test_a_stored_password_does_not_travel_to_a_changed_server(changed: dict[str, Any]) -> None:
    new = replace(SERVER, **changed)
    assert needs_password(STORED, new)
    with pytest.raises(PasswordRequired) as caught:
        merge_password(STORED, new)
    assert "stored" not in caught.value.message.replace("the stored one", "")
    assert merge_password(STORED, replace(new, password=Secret("n"))).password == Secret("n")
    assert merge_password(STORED, replace(new, password=Secret(""))).password is None


@pytest.mark.parametrize("old", [None, replace(SERVER, auth=Auth.DISABLE), replace(SERVER, port=2525)])
@pytest.mark.parametrize("auth", [Auth.AUTO, Auth.LOGIN, Auth.PLAIN])
def test_smtp_with_login_needs_a_password_when_none_is_stored(old: MailServer | None, auth: Auth) -> None:
    with pytest.raises(PasswordRequired):
        merge_password(old, replace(SERVER, auth=auth))


@pytest.mark.parametrize("old", [None, SERVER])
@pytest.mark.parametrize("changed", [{"auth": Auth.DISABLE}, {"type": ServerType.MS365}, {"type": ServerType.GMAIL}])
def test_without_login_or_with_oauth_to_come_none_is_needed(old: MailServer | None, changed: dict[str, Any]) -> None:
    assert merge_password(old, replace(SERVER, **changed)).password is None


@pytest.mark.parametrize("auth", Auth)
@pytest.mark.parametrize("old", [None, STORED])
def test_an_empty_password_takes_the_stored_one_away(old: MailServer | None, auth: Auth) -> None:
    merged = merge_password(old, replace(SERVER, auth=auth, password=Secret("")))
    assert merged.password is None
    assert not needs_password(merged, replace(merged, password=None)), "what is shown, posted back"
    moved = replace(merged, server="other.example.com")
    assert needs_password(merged, moved) is (auth is not Auth.DISABLE)


def test_a_new_password_is_taken() -> None:
    assert merge_password(STORED, replace(SERVER, password=Secret("new"))).password == Secret("new")
