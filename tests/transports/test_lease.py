"""A mail whose lease ends is not handed over, however far it has come."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable

import pytest
from tests.closing import end
from tests.patience import patience
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options
from tests.transports.oauth_samples import GRAPH
from tests.transports.provider_stand_in import stand_in
from tests.transports.scripted_server import Client, Script, ScriptedServer, polite

from ringpost.domain.deliveries import SENT
from ringpost.transports import lease
from ringpost.transports.lease import Lease, LeaseOver
from ringpost.transports.microsoft365 import microsoft365

LARGE = MESSAGE + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000


@pytest.fixture
def end_leases(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the time of all leases pass at once."""

    def end_all() -> None:
        later = lease.now() + 3600
        monkeypatch.setattr(lease, "now", lambda: later)

    return end_all


@pytest.fixture
def falls_asleep(end_leases: Callable[[], None]) -> Script:
    """Takes so long that the lease ends: the first time with its answer to DATA, else when the message has begun."""

    async def script(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hi\r\n250 PIPELINING\r\n")
        await client.expect(b"MAIL", b"RCPT", b"DATA")
        await client.say(b"250 ok\r\n250 ok\r\n")
        if client.number == 1:
            end_leases()
        await client.say(b"354 go\r\n")
        begun = await client.reader.read(1)
        end_leases()
        client.server.mails.append(begun + await client.reader.read(-1))

    return script


async def test_one_whose_turn_comes_too_late_is_not_begun(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        transport = connect(endpoint(server.port))
        with pytest.raises(LeaseOver):
            await transport.send(envelope(), MESSAGE, Lease(0))
        assert not server.said(b"MAIL")

        assert (await transport.send(envelope(), MESSAGE, Lease(60))).verdict is SENT


async def test_one_that_may_go_on_too_late_is_hung_up_on(connect: Connect, falls_asleep: Script) -> None:
    async with ScriptedServer(falls_asleep, polite()) as server:
        transport = connect(endpoint(server.port))
        with pytest.raises(LeaseOver):
            await transport.send(envelope(), MESSAGE, Lease(60))
        assert (await transport.send(envelope(), MESSAGE)).verdict is SENT

    assert server.mails[0] == b"", "nothing behind DATA, and its end"


async def test_a_large_one_that_takes_too_long_is_not_ended(connect: Connect, falls_asleep: Script) -> None:
    async with ScriptedServer(polite({"EHLO": b"500 no\r\n", "HELO": b"421 later\r\n"}), falls_asleep) as server:
        transport = connect(endpoint(server.port), options())
        await transport.send(envelope(), MESSAGE)
        with pytest.raises(LeaseOver):
            await transport.send(envelope(), LARGE, Lease(60))
        async with patience(5):
            while not server.mails:
                await asyncio.sleep(0.02)

    assert server.mails[0]
    assert not server.mails[0].endswith(b"\r\n.\r\n")


async def test_nothing_is_posted_to_a_provider_after_it(good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with stand_in(good_tls) as provider:
        transport = microsoft365(GRAPH, provider.providers(ca_file))
        with pytest.raises(LeaseOver):
            await transport.send(envelope(), MESSAGE, Lease(0))
        await transport.close()
        assert not provider.of("send")


async def test_nothing_is_posted_to_a_provider_whose_connection_comes_too_late(
    good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with stand_in(good_tls) as provider, passing_on_late(provider.url) as graph:
        providers = provider.providers(ca_file, graphs={GRAPH.app.cloud: graph})
        await providers.tokens.token(GRAPH.grant)
        for its, too_late in ((Lease(0.2), True), (Lease(60), False)):
            transport = microsoft365(GRAPH, providers)
            with pytest.raises(LeaseOver) if too_late else contextlib.nullcontext():
                assert (await transport.send(envelope(), MESSAGE, its)).verdict is SENT
            await transport.close()
        assert len(provider.of("send")) == 1


@contextlib.asynccontextmanager
async def passing_on_late(url: str) -> AsyncGenerator[str]:
    """A way to a server that takes longer than a lease; its address."""
    writers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(65_536):
                writer.write(octets)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await asyncio.sleep(0.4)
        there, back = await asyncio.open_connection("localhost", int(url.rpartition(":")[2]))
        writers.append(back)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        await end(server, [writer.transport for writer in writers])


def test_one_that_was_over_stays_over() -> None:
    lease = Lease(-1, since=0.0)
    lease.renew(0.0, 1e12)
    assert lease.over
