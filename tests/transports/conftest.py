"""Certificates, stand-ins for providers, and transports that are closed when their test ends."""

import ssl
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.transports.mail_samples import Connect, options
from tests.transports.provider_stand_in import StandIn, stand_in

from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.transports.smtp import SmtpOptions, SmtpTransport


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its certificate as a file."""
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def context_with(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """The server's side of TLS with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  trustme also takes pyOpenSSL's
    return context


@pytest.fixture
def server_context(authority: trustme.CA) -> Callable[[], ssl.SSLContext]:
    """Makes contexts with a good certificate, to be spoilt by the test."""
    return lambda: context_with(authority.issue_cert("localhost"))


@pytest.fixture(scope="session")
def good_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A certificate for localhost and 127.0.0.1."""
    return context_with(authority.issue_cert("localhost", "127.0.0.1"))


@pytest.fixture(scope="session")
def bad_tls(authority: trustme.CA) -> dict[str, ssl.SSLContext]:
    """Certificates that must not be trusted, by what is wrong with them."""
    past = datetime.now(UTC) - timedelta(days=2)
    return {
        "wrong name": context_with(authority.issue_cert("other.example")),
        "self-signed": context_with(trustme.CA().issue_cert("localhost")),
        "expired": context_with(authority.issue_cert("localhost", not_before=past, not_after=past + timedelta(days=1))),
    }


@pytest.fixture
async def provider(good_tls: ssl.SSLContext) -> AsyncGenerator[StandIn]:
    """Microsoft and Google."""
    async with stand_in(good_tls) as it:
        yield it


@pytest.fixture
async def connect() -> AsyncGenerator[Connect]:
    """Makes transports; a test cannot forget to close them."""
    made: list[SmtpTransport] = []

    def connect(endpoint: SmtpEndpoint, chosen: SmtpOptions | None = None, *, urgent: bool = False) -> SmtpTransport:
        made.append(SmtpTransport(endpoint, chosen or options(), urgent=urgent))
        return made[-1]

    yield connect
    for transport in made:
        await transport.close()
