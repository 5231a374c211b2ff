"""The traps of TLS, each recognised by name: at a server with TLS at the wrong time, or with a bad certificate."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.transports.conftest import context_with
from tests.transports.doctor_cases import examine
from tests.transports.mail_samples import with_login
from tests.transports.scripted_server import Client, ScriptedServer, polite

from ringpost.domain.deliveries import Stage
from ringpost.domain.diagnosis import StepName
from ringpost.domain.endpoints import TlsMode
from ringpost.transports.smtp.classify import for_error

LOGIN = ("AUTH PLAIN LOGIN",)


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


@pytest.mark.parametrize("refusal", [b"454 4.7.0 TLS not available due to local problem\r\n", b"500 what\r\n"])
async def test_starttls_that_is_refused(good_tls: ssl.SSLContext, ca_file: str, refusal: bytes) -> None:
    async with ScriptedServer(polite({"STARTTLS": refusal}, context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TLS, "STARTTLS_REFUSED")


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
