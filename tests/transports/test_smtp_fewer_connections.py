"""A server that wants fewer connections gets fewer, and no mail suffers for it while one of them works."""

import asyncio

from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options
from tests.transports.scripted_server import Client, ScriptedServer, polite

from ringpost.domain.deliveries import SENT, Party
from ringpost.transports.smtp.sockets import Sockets

BYE = b"421 4.7.0 Too many connections from your host\r\n"


async def unhurried(client: Client) -> None:
    """Takes every mail, after a moment."""
    await client.say(b"220 hi\r\n")
    await client.expect(b"EHLO")
    await client.say(b"250 hi\r\n")
    while (line := await client.command()) and not line.startswith(b"QUIT"):
        if line.startswith(b"DATA"):
            await client.say(b"354 go\r\n")
            client.server.mails.append(await client.message())
            await asyncio.sleep(0.02)
        await client.say(b"250 ok\r\n")


async def test_mail_of_a_connection_that_is_told_to_go_takes_another_one(connect: Connect) -> None:
    async with ScriptedServer(unhurried, polite({"MAIL": BYE})) as server:
        transport = connect(endpoint(server.port), options(connections=4))

        outcomes = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(20)))

        assert {outcome.verdict for outcome in outcomes} == {SENT}
        assert len(server.mails) == 20
        assert 2 <= server.connections <= 4, "what is left of them is enough for a while"


async def test_what_the_only_connection_is_told_is_an_outcome(connect: Connect) -> None:
    async with ScriptedServer(polite({"MAIL": BYE})) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

    assert (outcome.party, outcome.code) == (Party.MAIL_SERVER, 421)


async def test_while_connections_are_scarce_a_server_has_one(connect: Connect) -> None:
    async with ScriptedServer(unhurried) as server:
        transport = connect(endpoint(server.port), options(connections=4, sockets=Sockets(2)))

        outcomes = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(20)))

        assert {outcome.verdict for outcome in outcomes} == {SENT}
        assert server.connections == 1
