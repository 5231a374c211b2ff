"""Servers that offer PIPELINING and cannot do it: they get one command at a time, and that is remembered."""

import asyncio
from collections.abc import Callable

import pytest
from tests.patience import patience
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short
from tests.transports.scripted_server import Client, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import RETRY, SENT, Party, Stage
from ringpost.transports.smtp import pool


class CannotPipeline:
    """Offers PIPELINING and does badly when more than one command comes at once; else polite."""

    def __init__(self, breaks: Callable[[Client], bool], answer: bytes) -> None:
        self._breaks = breaks
        self._answer = answer
        self.at_once: list[int] = []
        """Of each connection, the largest number of commands that came at once."""

    async def __call__(self, client: Client) -> None:
        self.at_once.append(0)
        await client.say(b"220 hi\r\n")
        while data := await client.reader.read(65536):
            lines = data.splitlines()
            if data.endswith(b"\r\n.\r\n"):
                client.server.mails.append(data.removesuffix(b".\r\n"))
                await client.say(b"250 taken\r\n")
                continue
            client.server.commands += lines
            self.at_once[-1] = max(self.at_once[-1], len(lines))
            if len(lines) > 1:
                await client.say(self._answer)
                if self._breaks(client):
                    return
                continue
            verb = lines[0].split()[0].upper()
            await client.say(
                {b"EHLO": b"250-hi\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n"}.get(verb, b"250 ok\r\n")
            )


def goes_on(_client: Client) -> bool:
    return False


def hangs_up(_client: Client) -> bool:
    return True


@pytest.mark.parametrize(
    ("breaks", "answer"),
    [
        pytest.param(hangs_up, b"", id="drops the connection"),
        pytest.param(hangs_up, b"250 ok\r\n", id="drops the connection after one answer"),
        pytest.param(hangs_up, b"554 SMTP synchronization error\r\n", id="complains and drops the connection"),
        pytest.param(goes_on, b"503 5.5.0 improper use of SMTP command pipelining\r\n" * 3, id="complains three times"),
        pytest.param(
            goes_on,
            b"250 ok\r\n" + b"554 5.5.0 Error: Improper command pipelining\r\n" * 2,
            id="takes the first and complains",
        ),
        pytest.param(goes_on, b"250 ok\r\n", id="hears only the first"),
        pytest.param(goes_on, b"354 go\r\n250 ok\r\n250 ok\r\n", id="answers in disorder"),
    ],
)
async def test_pipelining_that_is_broken_is_given_up_and_remembered(
    connect: Connect, breaks: Callable[[Client], bool], answer: bytes
) -> None:
    script = CannotPipeline(breaks, answer)
    async with ScriptedServer(script) as server:
        impatient = options(deadlines=short(mail=0.2, rcpt=0.2), messages_per_connection=1)
        transport = connect(endpoint(server.port), impatient)

        outcomes = [await transport.send(envelope(), MESSAGE) for _ in range(3)]
        await transport.close()

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT, SENT]
        assert script.at_once == [3, 1, 1, 1]
        assert len(server.mails) == 3


async def test_pipelining_is_tried_again_after_a_while(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ONE_BY_ONE", 0.2)
    script = CannotPipeline(goes_on, b"354 go\r\n250 ok\r\n250 ok\r\n")
    async with ScriptedServer(script) as server:
        transport = connect(endpoint(server.port), options(messages_per_connection=1))
        await transport.send(envelope(), MESSAGE)
        before = len(script.at_once)
        async with patience(5):
            while 3 not in script.at_once[before:]:
                assert (await transport.send(envelope(), MESSAGE)).verdict is SENT


async def test_a_server_that_has_gone_without_a_word_is_not_blamed_on_pipelining(connect: Connect) -> None:
    """As behind a firewall that has forgotten a connection: what is said on it meets nothing but silence."""
    afterwards = CannotPipeline(goes_on, b"250 ok\r\n250 ok\r\n354 go\r\n")

    async def one_mail(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hi\r\n250 PIPELINING\r\n")
        await client.expect(b"MAIL", b"RCPT", b"DATA")
        await client.say(b"250 ok\r\n250 ok\r\n354 go\r\n")
        client.server.mails.append(await client.message())
        await client.say(b"250 taken\r\n")
        await client.reader.read()

    async with ScriptedServer(one_mail, afterwards) as server:
        transport = connect(endpoint(server.port), options(deadlines=short(mail=0.2)))

        outcomes = [await transport.send(envelope(), MESSAGE) for _ in range(2)]
        await transport.close()

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT]
        assert afterwards.at_once == [3], "the new connection gets its commands at once, as the old one did"


async def test_a_server_that_loses_what_comes_behind_a_final_dot_gets_one_command_at_a_time(connect: Connect) -> None:
    at_once: list[int] = []

    async def loses(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        while data := await client.reader.read(65536):
            if b"\r\n.\r\n" in data:  # and whatever is behind it
                client.server.mails.append(data)
                await client.say(b"250 taken\r\n")
                continue
            verbs = [line.split()[0].split(b":")[0].upper() for line in data.splitlines()]
            at_once.append(len(verbs))
            said = {b"EHLO": b"250-hi\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n"}
            await client.say(b"".join(said.get(verb, b"250 ok\r\n") for verb in verbs))

    async with ScriptedServer(loses) as server:
        transport = connect(endpoint(server.port), options(deadlines=short(mail=0.2), connections=1))
        outcomes = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(3)))
        await transport.close()

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT, SENT]
        assert len(server.mails) == 3
        assert at_once.count(3) == 1


async def test_a_server_that_drops_every_connection_is_not_blamed_on_pipelining(connect: Connect) -> None:
    async with ScriptedServer(polite({"MAIL": Trick.DROP})) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.MAIL_FROM)
        assert server.connections == 2
