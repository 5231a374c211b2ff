"""Each trap of the catalogue is recognised by name: at a server that does just that, or in a real condition."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.transports.doctor_cases import examine
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import Answer, Client, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import Stage
from ringpost.domain.diagnosis import Step, StepName, StepStatus
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.secrets import Secret
from ringpost.domain.traps import TRAPS
from ringpost.transports.doctor.recorder import Recorder
from ringpost.transports.egress import CheckedAddress, EgressRules
from ringpost.transports.smtp.classify import for_error

LOGIN = ("AUTH PLAIN LOGIN",)
NO_WAY = "ff02::1"
"""An address to which no machine has a route for TCP: it is of a group."""
GOOGLE_535 = (
    b"535-5.7.8 Username and Password not accepted. For more information, go to\r\n"
    b"535 5.7.8  https://support.google.com/mail/?p=BadCredentials x - gsmtp\r\n"
)

AT_LOGIN: list[tuple[str, Answer]] = [
    ("MICROSOFT_BASIC_AUTH_OFF", b"535 5.7.139 Authentication unsuccessful, basic authentication is disabled.\r\n"),
    ("MICROSOFT_BASIC_AUTH_OFF", b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled\r\n"),
    ("MICROSOFT_WRONG_PASSWORD", b"535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.\r\n"),
    ("MICROSOFT_WRONG_PASSWORD", b"535 5.7.3 Authentication unsuccessful [FR0P281CA0001.PROD.OUTLOOK.COM]\r\n"),
    ("MICROSOFT_BASIC_AUTH_RETIRED", b"550 5.7.30 Basic authentication is not supported for Client Submission.\r\n"),
    ("GOOGLE_APP_PASSWORD", b"534 5.7.9 Application-specific password required. x - gsmtp\r\n"),
    ("GOOGLE_BAD_CREDENTIALS", GOOGLE_535),
    ("LOGIN_REFUSED", b"535 5.7.8 Error: authentication failed\r\n"),
    ("LOGIN_KIND_REFUSED", b"534 5.7.14 Please log in with your browser\r\n"),
    ("LOGIN_NOT_NOW", b"454 4.7.0 Temporary authentication failure\r\n"),
    ("AUTH_ONLY_AFTER_TLS", b"538 5.7.11 Encryption required\r\n"),
    ("SERVER_BUSY", b"421 4.3.2 closing\r\n"),
    ("CLOSED_EARLY", Trick.DROP),
]
WITHOUT_LOGIN: list[tuple[str, dict[str, Answer]]] = [
    ("GREETING_REFUSED", {"GREETING": b"554 5.7.1 you are on a list\r\n"}),
    ("TOO_MANY_CONNECTIONS", {"GREETING": b"421 4.7.0 Too many concurrent connections from you\r\n"}),
    ("CLOSED_BEFORE_GREETING", {"GREETING": Trick.DROP}),
    ("NOT_SMTP", {"GREETING": b"SSH-2.0-OpenSSH_9.6\r\n"}),
    ("REPLY_TOO_LONG", {"GREETING": b"220 " + b"x" * 3000}),
    ("UNASKED_REPLY", {"EHLO": b"250 hello\r\n250 unasked\r\n"}),
    ("EHLO_REFUSED", {"EHLO": b"550 5.7.1 bad name\r\n"}),
    ("MICROSOFT_NOT_AUTHENTICATED", {"MAIL": b"530 5.7.57 Client not authenticated to send mail.\r\n"}),
    ("AUTH_ONLY_AFTER_TLS", {"MAIL": b"530 5.7.0 Must issue a STARTTLS command first\r\n"}),
    ("LOGIN_REQUIRED", {"MAIL": b"530 5.7.1 Authentication required\r\n"}),
    ("SENDER_NOT_OWNED", {"MAIL": b"553 5.7.1 Sender address rejected: not owned by user\r\n"}),
    ("SENDER_DOMAIN_POLICY", {"MAIL": b"550 5.7.23 SPF validation failed\r\n"}),
    ("SENDER_DOMAIN_UNKNOWN", {"MAIL": b"550 5.1.8 no such domain\r\n"}),
    ("SENDER_REFUSED", {"MAIL": b"550 no\r\n"}),
    ("NOT_SMTP", {"MAIL": b"354 go on\r\n"}),
    ("RELAYING_DENIED", {"RCPT": b"554 5.7.1 Relay access denied\r\n"}),
    ("TAKEN_FOR_SPAM", {"RCPT": b"554 5.7.1 blocked using zen.example\r\n"}),
    ("NO_SUCH_MAILBOX", {"RCPT": b"550 5.1.1 unknown\r\n"}),
    ("RECIPIENT_DOMAIN_UNKNOWN", {"RCPT": b"550 5.1.2 no such domain\r\n"}),
    ("RECIPIENT_MISSPELT", {"RCPT": b"501 5.1.3 syntax\r\n"}),
    ("MAILBOX_DISABLED", {"RCPT": b"550 5.2.1 disabled\r\n"}),
    ("MAILBOX_NOT_NOW", {"RCPT": b"450 4.2.1 The user you are trying to contact is receiving mail at a rate that\r\n"}),
    ("MAILBOX_FULL", {"RCPT": b"552 5.2.2 full\r\n"}),
    ("POLICY", {"RCPT": b"550 5.7.1 policy\r\n"}),
    ("RECIPIENT_REFUSED", {"RCPT": b"550 no\r\n"}),
    ("REFUSED_FOR_GOOD", {"RCPT": b"554 no\r\n"}),
    ("GREYLISTED", {"RCPT": b"450 4.2.0 come back later\r\n"}),
    ("SERVER_TROUBLE", {"RCPT": b"451 4.3.0 trouble\r\n"}),
    ("OUT_OF_ROOM", {"RCPT": b"452 4.3.1 no room\r\n"}),
    ("NOT_READY", {"RCPT": b"454 later\r\n"}),
]


@pytest.mark.parametrize(("trap", "answer"), AT_LOGIN)
async def test_a_refused_login_is_known_by_name(
    good_tls: ssl.SSLContext, ca_file: str, trap: str, answer: Answer
) -> None:
    async with ScriptedServer(polite({"AUTH": answer}, capabilities=LOGIN, context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.AUTH, trap)
        assert examined[StepName.OFFERS].status is StepStatus.OK


@pytest.mark.parametrize(("trap", "answers"), WITHOUT_LOGIN)
async def test_a_refusal_is_known_by_name(trap: str, answers: Mapping[str, Answer]) -> None:
    async with ScriptedServer(polite(answers)) as server:
        examined = await examine(endpoint(server.port))

        assert examined.failed.trap == trap
        assert examined.failed.hint == TRAPS[trap].hint


@pytest.mark.parametrize(
    ("changes", "trap"),
    [
        ({"auth": Auth.LOGIN, "password": None}, "NO_PASSWORD"),
        ({"password": Secret("a\0b")}, "UNSENDABLE_PASSWORD"),
        ({"tls": TlsMode.CLEAR}, "LOGIN_IN_CLEAR"),
    ],
)
async def test_a_login_that_cannot_begin(
    good_tls: ssl.SSLContext, ca_file: str, changes: dict[str, Any], trap: str
) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN, context=good_tls)) as server:
        examined = await examine(with_login(server.port, **changes), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.AUTH, trap)
        assert server.said(b"AUTH") == []


async def test_a_login_that_is_not_offered(good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=["AUTH GSSAPI"], context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.AUTH, "AUTH_NOT_OFFERED")
        assert examined[StepName.OFFERS].details["auth"] == ["GSSAPI"]


async def test_a_silent_server_that_speaks_no_tls_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.transports.doctor.examination.LONG_GREETING", 0.5)  # else this would take 16 s
    monkeypatch.setattr("ringpost.transports.doctor.probes.SHORT", 0.5)
    async with ScriptedServer(polite({"GREETING": Trick.SILENCE})) as server:
        examined = await examine(endpoint(server.port))

        assert (examined.failed.name, examined.failed.trap) == (StepName.GREETING, "GREETING_TIMEOUT")


async def test_a_greeting_that_never_ends_is_not_called_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.transports.doctor.examination.LONG_GREETING", 2)
    async with ScriptedServer(endless_greeting) as server:
        examined = await examine(endpoint(server.port))

        assert (examined.failed.name, examined.failed.trap) == (StepName.GREETING, "REPLY_UNFINISHED")
        assert "began to answer" in examined.failed.hint


async def test_a_greeting_that_ends_late_is_waited_for() -> None:
    async def late(client: Client) -> None:
        await client.say(b"220-wait\r\n")
        await client.reader.read()

    async with ScriptedServer(late, polite({"GREETING": b"220-wait\r\n220 hi\r\n"})) as server:
        examined = await examine(endpoint(server.port))

        assert examined[StepName.GREETING].status is StepStatus.OK


async def endless_greeting(client: Client) -> None:
    while True:
        await client.say(b"220-not yet\r\n")
        await asyncio.sleep(0.01)


async def test_a_name_that_does_not_exist() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    examined = await examine(endpoint(587, host="mial.example.com"), egress=EgressRules(lookup=lookup))

    assert (examined.failed.name, examined.failed.trap) == (StepName.RESOLVE, "NAME_NOT_FOUND")


async def test_a_dns_that_does_not_answer() -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    examined = await examine(endpoint(587, host="mail.example.com"), egress=EgressRules(lookup=lookup))

    assert examined.failed.trap == "DNS_TIMEOUT"


async def test_a_host_that_is_not_allowed() -> None:
    examined = await examine(endpoint(587, host="10.0.0.1", restricted=True))

    assert examined.failed.trap == "NOT_ALLOWED"


async def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        examined = await examine(endpoint(probe.getsockname()[1]))

    assert (examined.failed.name, examined.failed.trap) == (StepName.CONNECT, "CONNECTION_REFUSED")
    assert examined.failed.details["not_reached"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("error", "port", "trap"),
    [
        (TimeoutError(), 25, "PORT_25_BLOCKED"),
        (OSError(errno.EHOSTUNREACH, "no"), 25, "PORT_25_BLOCKED"),
        (TimeoutError(), 587, "CONNECT_TIMEOUT"),
        (OSError(errno.EHOSTUNREACH, "no"), 587, "HOST_UNREACHABLE"),
        (ConnectionRefusedError(), 25, "CONNECTION_REFUSED"),
        (OSError(errno.EMFILE, "too many open files"), 25, "NO_ROOM_TO_CONNECT"),
    ],
)
def test_a_network_that_swallows_or_refuses(error: OSError, port: int, trap: str) -> None:
    # No test can have a packet swallowed on loopback without being root.
    assert for_error(Stage.CONNECT, error, port).trap == trap


async def test_ipv6_without_a_route_is_a_warning_when_ipv4_works() -> None:
    steps: list[Step] = []
    recorder = Recorder(endpoint(587), steps.append)

    recorder.tried(CheckedAddress("2001:db8::1", 587), OSError(errno.ENETUNREACH, "no route"))
    assert recorder.lacks_ipv6
    recorder.tried(CheckedAddress("192.0.2.1", 587), None)

    assert (steps[0].status, steps[0].trap) == (StepStatus.WARNING, "IPV6_WITHOUT_ROUTE")
    assert steps[0].details["not_reached"] == ["2001:db8::1"]


@pytest.mark.parametrize("answers", [["127.0.0.1", NO_WAY], [NO_WAY, "127.0.0.1"]])
async def test_ipv6_without_a_route_hides_nothing_that_ipv4_says(answers: list[str]) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        return answers

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        examined = await examine(endpoint(port, host="mail.example.com"), egress=EgressRules(lookup=lookup))

    assert (examined.failed.name, examined.failed.trap) == (StepName.CONNECT, "CONNECTION_REFUSED")
    assert set(examined.failed.details["not_reached"]) == set(answers)


async def test_ipv6_without_a_route_at_a_server_that_has_nothing_else() -> None:
    if has_ipv6():
        pytest.skip("this machine has a way into IPv6, so there is nothing to find")

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["2001:db8::1"]

    examined = await examine(endpoint(587, host="mail.example.com"), egress=EgressRules(lookup=lookup))

    assert (examined.failed.name, examined.failed.trap) == (StepName.CONNECT, "IPV6_WITHOUT_ROUTE")


async def test_a_command_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines = short(opening=0.3, greeting=1)
    monkeypatch.setattr("ringpost.transports.doctor.doctor.DEADLINES", deadlines)
    async with ScriptedServer(polite({"EHLO": Trick.SILENCE})) as server:
        examined = await examine(endpoint(server.port))

        assert (examined.failed.name, examined.failed.trap) == (StepName.EHLO, "TIMEOUT")


@pytest.mark.parametrize(
    ("addresses", "step"),
    [
        ({"sender": "jörg@sender.example"}, StepName.MAIL_FROM),
        ({"reply_to": "jörg@sender.example"}, StepName.MAIL_FROM),
        ({"recipient": "zoë@x.example"}, StepName.RCPT_TO),
    ],
)
async def test_letters_beyond_ascii_at_a_server_that_cannot_take_them(addresses: Any, step: StepName) -> None:
    async with ScriptedServer(polite()) as server:
        examined = await examine(endpoint(server.port), **addresses)

        assert (examined.failed.name, examined.failed.trap) == (step, "SMTPUTF8_MISSING")


async def test_a_connection_in_clear_is_a_warning() -> None:
    async with ScriptedServer(polite()) as server:
        examined = await examine(endpoint(server.port, tls=TlsMode.OPPORTUNISTIC))

        assert (examined[StepName.TLS].status, examined[StepName.TLS].trap) == (StepStatus.WARNING, "NOT_ENCRYPTED")


@pytest.mark.parametrize(
    ("answers", "trap"),
    [
        ({"DATA": b"554 5.6.0 content\r\n"}, "REFUSED_FOR_GOOD"),
        ({"DOT": b"550 content\r\n"}, "CONTENT_REFUSED"),
        ({"DOT": b"552 5.3.4 big\r\n"}, "MAIL_TOO_LARGE"),
        ({"DOT": Trick.DROP}, "LOST_AFTER_DOT"),
    ],
)
async def test_what_only_a_mail_meets_has_a_name_too(
    connect: Connect, answers: Mapping[str, Answer], trap: str
) -> None:
    async with ScriptedServer(polite(answers)) as server:
        outcome = await connect(endpoint(server.port), options()).send(envelope(), MESSAGE)

        assert outcome.trap == trap


async def test_a_mail_that_cannot_be_written(connect: Connect) -> None:
    outcome = await connect(endpoint(25), options()).send(envelope(), b"a\rb")

    assert outcome.trap == "UNWRITABLE"


def test_every_trap_has_its_test() -> None:
    here = Path(__file__).parent
    tests = "".join(
        file.read_text("utf-8") for file in (*here.glob("test_*.py"), here.parent / "usecases/test_diagnose.py")
    )

    assert [code for code in TRAPS if f'"{code}"' not in tests] == []


def test_every_trap_says_what_it_is_in_plain_words() -> None:
    for trap in TRAPS.values():
        assert trap.title
        assert trap.sign
        assert trap.explanation.endswith(".")
        assert trap.what_to_do == "" or trap.what_to_do.endswith(".")


def has_ipv6() -> bool:
    """Whether this machine has a way into IPv6. Nothing is sent: a datagram socket only looks up the route."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1", 9))
        except OSError:
            return False
    return True
