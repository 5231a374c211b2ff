"""The same client against a mail server that others wrote (aiosmtpd), on both event loops."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as Received
from tests.closing import end
from tests.transports.doctor_cases import examine
from tests.transports.mail_samples import MESSAGE, PASSWORD, envelope, options, with_login

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.secrets import Secret
from ringpost.transports.smtp import Deadlines, SmtpTransport

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


@contextmanager
def door_shut() -> Generator[int]:
    """The port of a server that hangs up at once, in a thread of its own: mostly before the client has said a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@LOOPS
def test_who_hangs_up_before_the_handshake_is_not_waited_for(
    ca_file: str, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main(port: int) -> None:
        async with asyncio.timeout(Deadlines().opening / 2):
            outcomes = [(await send(port, ca_file, tls=TlsMode.IMPLICIT))[0] for _ in range(10)]
        assert {(outcome.stage, outcome.trap) for outcome in outcomes} == {(Stage.TLS, "TLS_FAILED")}

    with door_shut() as port:
        run(factory, lambda: main(port))


@LOOPS
def test_who_hangs_up_at_once_is_not_taken_for_one_that_begins_with_tls(
    ca_file: str, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main(port: int) -> None:
        examined = [await examine(with_login(port), ca_file=ca_file) for _ in range(10)]
        assert {each.failed.trap for each in examined} == {"CLOSED_BEFORE_GREETING"}

    with door_shut() as port:
        run(factory, lambda: main(port))
