"""Servers that lie: what they offer is not what they do, and what they say is not what it seems."""

import asyncio
import ssl

import pytest
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import CAPABILITIES, Client, Script, ScriptedServer, polite

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage, Verdict
from ringpost.domain.endpoints import Auth
from ringpost.transports.smtp import SmtpOptions

LOGIN = (*CAPABILITIES, "AUTH PLAIN LOGIN")
SIZE = b"250-hi\r\n250-SIZE %d\r\n250 STARTTLS\r\n"
PIPELINING = b"250-hi\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


def after_tls(before: bytes, after: bytes, good_tls: ssl.SSLContext) -> Script:
    """Offers one thing in clear and another one encrypted."""

    async def script(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(before)
        await client.expect(b"STARTTLS")
        await client.say(b"220 go\r\n")
        await client.encrypt(good_tls)
        await client.expect(b"EHLO")
        await client.say(after)
        while line := await client.command():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                await client.say(b"354 go\r\n")
                client.server.mails.append(await client.message())
            answers = {b"AUTH": b"235 welcome\r\n", b"QUIT": b"221 bye\r\n"}
            await client.say(answers.get(verb, b"250 ok\r\n"))

    return script


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        pytest.param((SIZE % 10, b"250-hi\r\n250 SIZE 99999\r\n"), (SENT, b" SIZE="), id="larger"),
        pytest.param((SIZE % 99999, b"250-hi\r\n250 SIZE 10\r\n"), (REJECTED, b""), id="smaller"),
        pytest.param((SIZE % 99999, b"250 hi\r\n"), (SENT, b""), id="no SIZE any more"),
        pytest.param((PIPELINING, b"250-hi\r\n250 8BITMIME\r\n"), (SENT, b""), id="no PIPELINING any more"),
        pytest.param((PIPELINING, b"250-hi\r\n250 STARTTLS\r\n"), (SENT, b""), id="STARTTLS once more"),
    ],
)
async def test_only_what_is_offered_after_the_handshake_counts(
    connect: Connect,
    good_tls: ssl.SSLContext,
    ca_file: str,
    offers: tuple[bytes, bytes],
    expected: tuple[Verdict, bytes],
) -> None:
    verdict, said = expected
    async with ScriptedServer(after_tls(*offers, good_tls)) as server:
        transport = connect(with_login(server.port, auth=Auth.DISABLE), options(ca_file=ca_file))
        outcome = await transport.send(envelope(), MESSAGE)

        assert outcome.verdict is verdict
        assert len(server.said(b"STARTTLS")) == 1
        assert [said in line for line in server.said(b"MAIL")] == ([True] if verdict is SENT else [])
        assert said or b"SIZE" not in b"".join(server.said(b"MAIL"))


async def test_a_login_goes_by_what_is_offered_after_the_handshake(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    before = b"250-hi\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n"
    async with ScriptedServer(after_tls(before, b"250-hi\r\n250 AUTH PLAIN\r\n", good_tls)) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.said(b"AUTH")[0].startswith(b"AUTH PLAIN ")


@pytest.mark.parametrize("code", [500, 502, 503, 550, 555])
async def test_a_login_that_is_offered_and_then_not_known_is_a_matter_of_configuration(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, code: int
) -> None:
    script = polite({"AUTH": b"%d not here\r\n" % code}, capabilities=LOGIN, context=good_tls)
    async with ScriptedServer(script) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.CONFIGURATION, Stage.AUTH)
        assert server.mails == []


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "reply",
    [
        b"250-one\r\n550 two\r\n",
        b"250-one\r\n250-two\r\nthree\r\n",
        b"2 50 one\r\n",
        b"250-one\r\n\r\n",
        b"250_one\r\n",
    ],
)
async def test_lines_that_do_not_belong_together_are_no_reply(connect: Connect, verb: str, reply: bytes) -> None:
    async with ScriptedServer(polite({verb: reply}, capabilities=["SIZE"])) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.ambiguous) == (RETRY, Party.MAIL_SERVER, False)
        assert server.mails == []


@pytest.mark.parametrize("reply", [b"250-one\r\n550 two\r\n", b"250-one\r\n\r\n", b"250_one\r\n"])
async def test_lines_that_do_not_belong_together_after_the_dot_are_ambiguous(connect: Connect, reply: bytes) -> None:
    async with ScriptedServer(polite({"DOT": reply})) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert outcome.ambiguous


async def test_a_reply_without_its_last_line_is_waited_for_and_given_up(connect: Connect) -> None:
    async with ScriptedServer(polite({"RCPT": b"250-one\r\n250-two\r\n"}, capabilities=["SIZE"])) as server:
        impatient = options(deadlines=short(rcpt=0.1))
        outcome = await connect(endpoint(server.port), impatient).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.RCPT_TO)


async def test_replies_of_many_lines_are_fine_everywhere(connect: Connect) -> None:
    answers = dict.fromkeys(("MAIL", "RCPT", "DOT"), b"250-one\r\n250-\r\n250\r\n")
    answers |= {"GREETING": b"220-one\r\n220 two\r\n", "DATA": b"354-one\r\n354 two\n"}
    async with ScriptedServer(polite(answers)) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.mails == [MESSAGE]


@pytest.mark.parametrize("offered", [True, False])
async def test_8bitmime_is_said_only_where_it_is_offered_and_needed(connect: Connect, offered: bool) -> None:
    async with ScriptedServer(polite(capabilities=["8BITMIME"] if offered else ["SIZE"])) as server:
        transport = connect(endpoint(server.port))
        outcomes = [await transport.send(envelope(), mail) for mail in (MESSAGE, MESSAGE + b"\xc3\xa4\r\n")]

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT]
        assert [b"BODY=8BITMIME" in line for line in server.said(b"MAIL")] == [False, offered]


@pytest.mark.parametrize(
    ("verb", "stage"),
    [("EHLO", Stage.EHLO), ("STARTTLS", Stage.TLS), ("AUTH", Stage.AUTH), ("DATA", Stage.DATA), ("DOT", Stage.DATA)],
)
async def test_a_421_in_the_middle_is_the_servers_and_the_mail_is_tried_again(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, verb: str, stage: Stage
) -> None:
    script = polite({verb: b"421 4.3.2 going down\r\n"}, capabilities=LOGIN, context=good_tls)
    async with ScriptedServer(script) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, stage)
        assert not outcome.ambiguous


@pytest.mark.parametrize(
    ("reply", "judgement"),
    [
        (b"552 5.3.4 larger than SIZE\r\n", (REJECTED, Party.MESSAGE)),
        (b"452 4.3.1 no room\r\n", (RETRY, Party.MESSAGE)),
    ],
)
async def test_a_size_that_is_refused_at_mail_is_the_messages(
    connect: Connect, reply: bytes, judgement: tuple[Verdict, Party]
) -> None:
    async with ScriptedServer(polite({"MAIL": reply})) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party) == judgement


async def test_a_tarpit_that_answers_in_the_end_gets_the_mail(connect: Connect) -> None:
    async def slow(client: Client) -> None:
        for verb, reply in (
            (b"", b"220 hi\r\n"), (b"EHLO", b"250 hi\r\n"), (b"MAIL", b"250 ok\r\n"), (b"RCPT", b"250 ok\r\n"),
            (b"DATA", b"354 go\r\n"),
        ):  # fmt: skip
            if verb:
                await client.expect(verb)
            await drip(client, reply)
        client.server.mails.append(await client.message())
        await drip(client, b"250 taken\r\n")

    async with ScriptedServer(slow) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.mails == [MESSAGE]


async def drip(client: Client, reply: bytes) -> None:
    """One byte at a time."""
    for octet in reply:
        await client.say(bytes([octet]))
        await asyncio.sleep(0.002)


async def test_a_limit_of_connections_is_respected_and_nothing_is_lost(connect: Connect) -> None:
    """The server counts: it takes two connections at once and no more, ever."""
    open_now = most = 0

    async def counting(client: Client) -> None:
        nonlocal open_now, most
        if open_now == 2:
            await client.say(b"421 4.7.0 too many connections from your address\r\n")
            return
        open_now += 1
        most = max(most, open_now)
        try:
            await polite()(client)
        finally:
            open_now -= 1

    async with ScriptedServer(counting) as server:
        many: SmtpOptions = options(connections=5)
        transport = connect(endpoint(server.port), many)
        outcomes: list[Outcome] = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(200)))

        assert {outcome.verdict for outcome in outcomes} == {SENT}
        assert (len(server.mails), most) == (200, 2)
        assert server.connections == 3
