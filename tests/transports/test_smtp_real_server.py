"""The same client against a mail server that others wrote (aiosmtpd), on both event loops."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as Received
from tests.closing import end
from tests.transports.mail_samples import MESSAGE, PASSWORD, envelope, options, with_login

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.secrets import Secret
from ringpost.transports.smtp import SmtpTransport

pytestmark = [
    # aiosmtpd does not see that its socket is encrypted from the first byte.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]
LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Mailbox:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.mails: list[tuple[str | None, list[str], bytes]] = []

    async def handle_DATA(self, _server: object, _session: object, received: Received) -> str:  # noqa: N802
        assert isinstance(received.content, bytes)
        self.mails.append((received.mail_from, list(received.rcpt_tos), received.content))
        return "250 2.0.0 kept"


def authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"user", PASSWORD.encode())
    return AuthResult(success=good, handled=good)


@asynccontextmanager
async def real_server(mailbox: Mailbox, context: ssl.SSLContext, *, implicit: bool = False) -> AsyncGenerator[int]:
    """Its port. With STARTTLS unless `implicit`; a login is required."""

    clients: list[SMTP] = []

    def protocol() -> SMTP:
        client = SMTP(
            mailbox,
            hostname="real.example",
            tls_context=None if implicit else context,
            require_starttls=not implicit,
            auth_required=True,
            auth_require_tls=not implicit,
            authenticator=authenticate,
            loop=asyncio.get_running_loop(),
        )
        clients.append(client)
        return client

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if implicit else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await end(server, [client.transport for client in clients])


async def send(port: int, ca_file: str, count: int = 1, **changes: object) -> list[Outcome]:
    transport = SmtpTransport(with_login(port, **changes), options(ca_file=ca_file, connections=3))
    try:
        return await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(count)))
    finally:
        await transport.close()


def run(factory: Callable[[], asyncio.AbstractEventLoop], main: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportUnknownMemberType]


@LOOPS
@pytest.mark.parametrize("auth", [Auth.AUTO, Auth.PLAIN, Auth.LOGIN])
@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.IMPLICIT, TlsMode.OPPORTUNISTIC])
def test_mail_reaches_a_real_server(
    good_tls: ssl.SSLContext,
    ca_file: str,
    factory: Callable[[], asyncio.AbstractEventLoop],
    auth: Auth,
    tls: TlsMode,
) -> None:
    mailbox = Mailbox()

    async def main() -> None:
        async with real_server(mailbox, good_tls, implicit=tls is TlsMode.IMPLICIT) as port:
            outcomes = await send(port, ca_file, 10, auth=auth, tls=tls)
            assert [outcome.verdict for outcome in outcomes] == [SENT] * 10

    run(factory, main)

    assert mailbox.mails == [("pbx@sender.example", ["alice@recipient.example"], MESSAGE)] * 10


@LOOPS
def test_a_real_server_refuses_a_wrong_password(
    good_tls: ssl.SSLContext, ca_file: str, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    mailbox = Mailbox()

    async def main() -> None:
        async with real_server(mailbox, good_tls) as port:
            (outcome,) = await send(port, ca_file, password=Secret("wrong"))
            assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.CONFIGURATION, Stage.AUTH)
            assert (outcome.code, outcome.enhanced_code) == (535, "5.7.8")

    run(factory, main)

    assert mailbox.mails == []


@LOOPS
@pytest.mark.parametrize("fault", ["wrong name", "self-signed", "expired"])
def test_a_bad_certificate_is_refused_on_both_event_loops(
    bad_tls: dict[str, ssl.SSLContext],
    ca_file: str,
    factory: Callable[[], asyncio.AbstractEventLoop],
    fault: str,
) -> None:
    mailbox = Mailbox()

    async def main() -> None:
        for implicit in (True, False):
            async with real_server(mailbox, bad_tls[fault], implicit=implicit) as port:
                tls = TlsMode.IMPLICIT if implicit else TlsMode.STARTTLS
                (outcome,) = await send(port, ca_file, tls=tls)
                assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.TLS)
                assert "certificate" in outcome.hint

    run(factory, main)

    assert mailbox.mails == []
