"""How long a mail server is waited for (RFC 5321 4.5.3.2), and what is told when it has taken longer."""

import asyncio
import socket

import pytest
from tests.patience import patience
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short
from tests.transports.scripted_server import Answer, Client, ScriptedServer, Trick, polite
from tests.transports.test_smtp_outcomes import BOTH_WAYS, HUGE

from ringpost.domain.deliveries import RETRY, Party, Stage
from ringpost.transports.smtp import Deadlines


async def test_a_connection_that_is_swallowed_is_told_as_such_when_the_whole_time_is_over(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # a Linux queue of none has room for one, then packets go
            outcome = await connect(endpoint(port), options(deadlines=short(overall=0.5))).send(envelope(), MESSAGE)

    assert (outcome.stage, outcome.trap) == (Stage.CONNECT, "CONNECT_TIMEOUT")


@pytest.mark.parametrize(
    ("verb", "deadlines", "stage"),
    [
        ("GREETING", short(greeting=0.05), Stage.GREETING),
        ("EHLO", short(opening=0.05), Stage.EHLO),
        ("MAIL", short(mail=0.05), Stage.MAIL_FROM),
        ("RCPT", short(rcpt=0.05), Stage.RCPT_TO),
        ("DATA", short(data=0.05), Stage.DATA),
    ],
)
async def test_a_silent_server_is_given_up(connect: Connect, verb: str, deadlines: Deadlines, stage: Stage) -> None:
    script = polite({verb: Trick.SILENCE}, capabilities=["SIZE"])
    async with ScriptedServer(script) as server:
        outcome = await connect(endpoint(server.port), options(deadlines=deadlines)).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, stage)


@BOTH_WAYS
async def test_a_server_that_is_silent_after_the_dot_leaves_the_mail_ambiguous(
    connect: Connect, capabilities: tuple[str, ...]
) -> None:
    async with ScriptedServer(polite({"DOT": Trick.SILENCE}, capabilities=capabilities)) as server:
        transport = connect(endpoint(server.port), options(deadlines=short(final_dot=0.05)))
        outcome = await transport.send(envelope(), MESSAGE)

    assert outcome.ambiguous
    assert server.connections == 1, "it is for the retry schedule to send it again"


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL"])
async def test_a_deadline_is_for_the_whole_reply_and_not_for_each_byte(connect: Connect, verb: str) -> None:
    async def drip(client: Client) -> None:
        if verb != "GREETING":
            await client.say(b"220 hi\r\n")
            await client.expect(b"EHLO")
        if verb == "MAIL":
            await client.say(b"250 scripted\r\n")
            await client.expect(b"MAIL")
        await client.say(b"250-")
        while True:
            await client.say(b"x")
            await asyncio.sleep(0.01)

    async with ScriptedServer(drip) as server:
        deadlines = short(greeting=0.1, opening=0.1, mail=0.1)
        async with patience(5):
            outcome = await connect(endpoint(server.port), options(deadlines=deadlines)).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party) == (RETRY, Party.MAIL_SERVER)


@pytest.mark.parametrize("verb", ["GREETING", "EHLO"])
async def test_an_answer_that_has_begun_and_does_not_end_is_told_as_that(connect: Connect, verb: str) -> None:
    answer: dict[str, Answer] = {verb: b"220-not yet\r\n" if verb == "GREETING" else b"250-not yet\r\n"}
    async with ScriptedServer(polite(answer)) as server:
        deadlines = short(greeting=2, opening=2)
        outcome = await connect(endpoint(server.port), options(deadlines=deadlines)).send(envelope(), MESSAGE)

    assert outcome.trap == "REPLY_UNFINISHED"
    assert outcome.dialogue.endswith("S: (an answer without its end)")


async def test_a_block_that_the_network_does_not_take_is_given_up(connect: Connect) -> None:
    async def deaf(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        for verb, reply in ((b"EHLO", b"250 hi"), (b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 go")):
            await client.expect(verb)
            await client.say(reply + b"\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)

    async with ScriptedServer(deaf) as server:
        transport = connect(endpoint(server.port), options(deadlines=short(block=0.1)))
        outcome = await transport.send(envelope(), HUGE)

    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.DATA)
    assert not outcome.ambiguous
