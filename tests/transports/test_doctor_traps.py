"""Each trap of the catalogue is recognised by name: at a server that does just that, or in a real condition."""

import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.transports.conftest import context_with
from tests.transports.doctor_cases import examine
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import Answer, Client, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import Stage
from ringpost.domain.diagnosis import Step, StepName, StepStatus
from ringpost.domain.secrets import Secret
from ringpost.domain.settings import Auth, TlsMode
from ringpost.domain.traps import TRAPS
from ringpost.transports.doctor.recorder import Recorder
from ringpost.transports.egress import CheckedAddress, EgressRules
from ringpost.transports.smtp.classify import for_error
from ringpost.transports.smtp.hints import for_reply
from ringpost.transports.smtp.replies import Reply

LOGIN = ("AUTH PLAIN LOGIN",)
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
    ("RELAYING_DENIED", {"RCPT": b"554 5.7.1 Relay access denied\r\n"}),
    ("TAKEN_FOR_SPAM", {"RCPT": b"554 5.7.1 blocked using zen.example\r\n"}),
    ("NO_SUCH_MAILBOX", {"RCPT": b"550 5.1.1 unknown\r\n"}),
    ("RECIPIENT_DOMAIN_UNKNOWN", {"RCPT": b"550 5.1.2 no such domain\r\n"}),
    ("RECIPIENT_MISSPELT", {"RCPT": b"501 5.1.3 syntax\r\n"}),
    ("MAILBOX_DISABLED", {"RCPT": b"550 5.2.1 disabled\r\n"}),
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


async def test_tls_from_the_first_byte_at_a_port_that_greets_is_found_by_trying(ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        examined = await examine(with_login(server.port, tls=TlsMode.IMPLICIT), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, "IMPLICIT_TLS_ON_STARTTLS_PORT")
        assert examined.failed.reply == "scripted ESMTP", "the greeting proves it"
        assert sum(step.duration_ms for step in examined.steps) < 9000


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC])
async def test_a_greeting_awaited_at_a_port_that_begins_with_tls_is_found_by_trying(
    good_tls: ssl.SSLContext, ca_file: str, tls: TlsMode
) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN), context=good_tls) as server:
        examined = await examine(with_login(server.port, tls=tls), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.GREETING, "STARTTLS_ON_IMPLICIT_TLS_PORT")
        assert sum(step.duration_ms for step in examined.steps) < 9000


async def test_starttls_that_is_not_offered(ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, "STARTTLS_NOT_OFFERED")


async def test_starttls_that_is_refused(good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with ScriptedServer(polite({"STARTTLS": b"454 4.7.0 not now\r\n"}, context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, "NOT_READY")
    assert for_reply(Stage.TLS, Reply(500, (b"what",))).code == "STARTTLS_REFUSED"


async def test_something_between_starttls_and_encryption(good_tls: ssl.SSLContext, ca_file: str) -> None:
    answers = {"STARTTLS": b"220 go\r\n250 injected\r\n"}
    async with ScriptedServer(polite(answers, context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert examined.failed.trap == "STARTTLS_INJECTION"


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(
    ("fault", "trap"),
    [
        ("wrong name", "WRONG_NAME"),
        ("expired", "CERTIFICATE_EXPIRED"),
        ("not yet", "CLOCK_WRONG"),
        ("private", "PRIVATE_CA"),
        ("alone", "SELF_SIGNED"),
    ],
)
async def test_a_certificate_that_is_not_good(
    certificates: dict[str, ssl.SSLContext], ca_file: str, fault: str, trap: str, implicit: bool
) -> None:
    context = certificates[fault]
    script = polite(capabilities=LOGIN, context=None if implicit else context)
    tls = TlsMode.IMPLICIT if implicit else TlsMode.STARTTLS
    async with ScriptedServer(script, context=context if implicit else None) as server:
        examined = await examine(with_login(server.port, tls=tls), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, trap)
        assert examined.failed.details["names"] == (["other.example"] if fault == "wrong name" else ["localhost"])


async def test_a_certificate_that_ends_soon_is_a_warning(certificates: dict[str, ssl.SSLContext], ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN, context=certificates["soon"])) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert examined.ok
        assert examined[StepName.TLS].trap == "CERTIFICATE_EXPIRES_SOON"
        assert examined[StepName.TLS].details["days_left"] in (2, 3)


def test_any_other_fault_of_a_certificate() -> None:
    error = ssl.SSLCertVerificationError(1, "revoked")
    error.verify_code = 23  # X509_V_ERR_CERT_REVOKED

    assert for_error(Stage.TLS, error).trap == "CERTIFICATE_NOT_TRUSTED"


async def test_a_server_with_old_tls_only(
    server_context: Callable[[], ssl.SSLContext], ca_file: str, recwarn: pytest.WarningsRecorder
) -> None:
    context = server_context()
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    async with ScriptedServer(polite(capabilities=LOGIN), context=context) as server:
        examined = await examine(with_login(server.port, tls=TlsMode.IMPLICIT), ca_file=ca_file)

        assert examined.failed.trap in ("TLS_TOO_OLD", "TLS_FAILED")
    assert not recwarn.list
    old = ssl.SSLError(1, "x")
    old.reason = "UNSUPPORTED_PROTOCOL"
    assert for_error(Stage.TLS, old).trap == "TLS_TOO_OLD"


async def test_a_handshake_that_just_ends(ca_file: str) -> None:
    async def hang_up(client: Client) -> None:
        await client.reader.read(1)

    async with ScriptedServer(hang_up) as server:
        examined = await examine(with_login(server.port, tls=TlsMode.IMPLICIT), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, "TLS_FAILED")


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
    ("sender", "recipient"), [("jörg@sender.example", "a@x.example"), ("a@x.example", "zoë@x.example")]
)
async def test_letters_beyond_ascii_at_a_server_that_cannot_take_them(sender: str, recipient: str) -> None:
    async with ScriptedServer(polite()) as server:
        examined = await examine(endpoint(server.port), sender=sender, recipient=recipient)

        assert examined.failed.trap == "SMTPUTF8_MISSING"
        assert examined.failed.name is (StepName.RCPT_TO if sender.isascii() else StepName.MAIL_FROM)


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


ELSEWHERE = (
    "test_doctor_domain.py",
    "test_oauth_tokens.py",
    "test_provider_apis.py",
    "../usecases/test_diagnose.py",
)


def test_every_trap_has_its_test() -> None:
    here = Path(__file__)
    tests = "".join((here.parent / name).read_text("utf-8") for name in (here.name, *ELSEWHERE))

    assert [code for code in TRAPS if f'"{code}"' not in tests] == []


def test_every_trap_says_what_it_is_in_plain_words() -> None:
    for trap in TRAPS.values():
        assert trap.title
        assert trap.sign
        assert trap.explanation.endswith(".")
        assert trap.what_to_do == "" or trap.what_to_do.endswith(".")


@pytest.fixture(scope="session")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ssl.SSLContext]:
    """Certificates by what is wrong with them."""
    now, day = datetime.now(UTC), timedelta(days=1)
    return {
        "wrong name": context_with(authority.issue_cert("other.example")),
        "expired": context_with(authority.issue_cert("localhost", not_before=now - 2 * day, not_after=now - day)),
        "not yet": context_with(authority.issue_cert("localhost", not_before=now + day, not_after=now + 2 * day)),
        "soon": context_with(authority.issue_cert("localhost", not_before=now - day, not_after=now + 3 * day)),
        "private": context_with(trustme.CA().issue_cert("localhost")),
        "alone": self_signed(tmp_path_factory.mktemp("alone")),
    }


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate that only itself vouches for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    public, number, ends = key.public_key(), x509.random_serial_number(), now + timedelta(days=30)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, public, number, now, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "alone.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def has_ipv6() -> bool:
    """Whether this machine has a way into IPv6. Nothing is sent: a datagram socket only looks up the route."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1", 9))
        except OSError:
            return False
    return True
