"""Every row of the table of outcomes, against a server that fails on purpose."""

import asyncio
import socket

import pytest
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope
from tests.transports.scripted_server import CAPABILITIES, Answer, Client, Script, ScriptedServer, Trick, polite

from ringpost.domain.addresses import Address
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage, Verdict
from ringpost.domain.messages import Envelope

HUGE = MESSAGE + (b"x" * 998 + b"\r\n") * 40_000
"""More than the network takes at once."""
BOTH_WAYS = pytest.mark.parametrize("capabilities", [CAPABILITIES, CAPABILITIES[1:]], ids=["pipelined", "one by one"])


async def send_one(connect: Connect, script: Script, recipient: str = "alice@recipient.example") -> Outcome:
    async with ScriptedServer(script) as server:
        transport = connect(endpoint(server.port))
        outcome = await transport.send(envelope(recipient), MESSAGE)
        await transport.close()
        return outcome


@BOTH_WAYS
async def test_a_mail_arrives_as_it_was_sent(connect: Connect, capabilities: tuple[str, ...]) -> None:
    async with ScriptedServer(polite(capabilities=capabilities)) as server:
        transport = connect(endpoint(server.port))

        outcome = await transport.send(envelope(), MESSAGE)
        await transport.close()

        assert (outcome.verdict, outcome.stage, outcome.party) == (SENT, Stage.ACCEPTED, None)
        assert (outcome.code, outcome.enhanced_code, outcome.reply) == (250, "2.0.0", "2.0.0 taken")
        assert server.mails == [MESSAGE]
        assert server.commands == [
            b"EHLO ringpost.test",
            b"MAIL FROM:<pbx@sender.example> SIZE=%d" % len(MESSAGE),
            b"RCPT TO:<alice@recipient.example>",
            b"DATA",
            b"QUIT",
        ]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("verb", "reply", "judgement"),
    [
        ("GREETING", b"554 no\r\n", (RETRY, Party.MAIL_SERVER, Stage.GREETING)),
        ("GREETING", b"421 busy\r\n", (RETRY, Party.MAIL_SERVER, Stage.GREETING)),
        ("GREETING", b"HTTP/1.1 400 Bad Request\r\n", (RETRY, Party.MAIL_SERVER, Stage.GREETING)),
        ("GREETING", b"\x16\x03\x01\x00\n", (RETRY, Party.MAIL_SERVER, Stage.GREETING)),
        ("GREETING", Trick.DROP, (RETRY, Party.MAIL_SERVER, Stage.GREETING)),
        ("EHLO", b"550 bad name\r\n", (RETRY, Party.MAIL_SERVER, Stage.EHLO)),
        ("EHLO", Trick.DROP, (RETRY, Party.MAIL_SERVER, Stage.EHLO)),
        ("EHLO", b"250-a\r\n251 b\r\n", (RETRY, Party.MAIL_SERVER, Stage.EHLO)),
        ("MAIL", b"451 4.3.0 later\r\n", (RETRY, Party.MESSAGE, Stage.MAIL_FROM)),
        ("MAIL", b"550 5.7.1 not you\r\n", (REJECTED, Party.MESSAGE, Stage.MAIL_FROM)),
        ("MAIL", b"530 5.7.0 log in first\r\n", (RETRY, Party.CONFIGURATION, Stage.MAIL_FROM)),
        ("MAIL", b"534 5.7.9 log in otherwise\r\n", (RETRY, Party.CONFIGURATION, Stage.MAIL_FROM)),
        ("MAIL", b"535 5.7.8 log in again\r\n", (RETRY, Party.CONFIGURATION, Stage.MAIL_FROM)),
        ("MAIL", b"538 5.7.11 encrypt first\r\n", (RETRY, Party.CONFIGURATION, Stage.MAIL_FROM)),
        ("MAIL", b"421 4.3.2 closing\r\n", (RETRY, Party.MAIL_SERVER, Stage.MAIL_FROM)),
        ("MAIL", Trick.DROP, (RETRY, Party.MAIL_SERVER, Stage.MAIL_FROM)),
        ("RCPT", b"450 4.2.1 greylisted\r\n", (RETRY, Party.RECIPIENT, Stage.RCPT_TO)),
        ("RCPT", b"550 5.1.1 nobody\r\n", (REJECTED, Party.RECIPIENT, Stage.RCPT_TO)),
        ("RCPT", b"452 4.2.2 full\r\n", (RETRY, Party.RECIPIENT, Stage.RCPT_TO)),
        ("RCPT", b"552 5.2.2 full\r\n", (RETRY, Party.RECIPIENT, Stage.RCPT_TO)),
        ("RCPT", b"530 5.7.0 log in first\r\n", (RETRY, Party.CONFIGURATION, Stage.RCPT_TO)),
        ("RCPT", b"421 4.3.2 closing\r\n", (RETRY, Party.MAIL_SERVER, Stage.RCPT_TO)),
        ("DATA", b"451 4.3.0 later\r\n", (RETRY, Party.MESSAGE, Stage.DATA)),
        ("DATA", b"554 5.5.1 no\r\n", (REJECTED, Party.MESSAGE, Stage.DATA)),
        ("DATA", Trick.DROP, (RETRY, Party.MAIL_SERVER, Stage.DATA)),
        ("DOT", b"451 4.3.0 later\r\n", (RETRY, Party.MESSAGE, Stage.DATA)),
        ("DOT", b"554 5.7.1 spam\r\n", (REJECTED, Party.MESSAGE, Stage.DATA)),
        ("DOT", b"535 5.7.8 log in again\r\n", (RETRY, Party.CONFIGURATION, Stage.DATA)),
        ("DOT", b"452 4.3.1 no room\r\n", (RETRY, Party.MESSAGE, Stage.DATA)),
        ("DOT", b"552 5.3.4 too large\r\n", (REJECTED, Party.MESSAGE, Stage.DATA)),
        ("DOT", b"421 4.3.2 closing\r\n", (RETRY, Party.MAIL_SERVER, Stage.DATA)),
    ],
)
async def test_a_failure_is_judged_by_reply_and_stage(
    connect: Connect,
    capabilities: tuple[str, ...],
    verb: str,
    reply: Answer,
    judgement: tuple[Verdict, Party, Stage],
) -> None:
    outcome = await send_one(connect, polite({verb: reply}, capabilities=capabilities))

    assert (outcome.verdict, outcome.party, outcome.stage) == judgement
    assert outcome.hint
    assert not outcome.ambiguous


@BOTH_WAYS
@pytest.mark.parametrize("answer", [Trick.DROP, b"garbage\r\n", b"354 what\r\n"])
async def test_losing_touch_after_the_final_dot_is_ambiguous(
    connect: Connect, capabilities: tuple[str, ...], answer: Answer
) -> None:
    outcome = await send_one(connect, polite({"DOT": answer}, capabilities=capabilities))

    assert outcome.ambiguous
    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, None, Stage.ACCEPTED)


async def test_an_enhanced_code_of_another_class_does_not_count(connect: Connect) -> None:
    outcome = await send_one(connect, polite({"RCPT": b"550 4.1.1 confused\r\n"}))

    assert (outcome.code, outcome.enhanced_code) == (550, None)


@BOTH_WAYS
@pytest.mark.parametrize("code", [501, 504, 555])
async def test_a_parameter_that_is_not_understood_is_left_out_once(
    connect: Connect, capabilities: tuple[str, ...], code: int
) -> None:
    answers = {"MAIL": [b"%d what is SIZE\r\n" % code], "RCPT": [b"503 no\r\n"], "DATA": [b"503 no\r\n"]}
    if "PIPELINING" not in capabilities:
        del answers["RCPT"], answers["DATA"]
    async with ScriptedServer(polite(answers, capabilities=capabilities)) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        with_size, without = server.said(b"MAIL")
        assert (b"SIZE=" in with_size, b"SIZE=" in without) == (True, False)


@BOTH_WAYS
async def test_a_sender_that_is_refused_without_parameters_too_is_rejected(
    connect: Connect, capabilities: tuple[str, ...]
) -> None:
    answers = {"MAIL": b"501 5.1.7 bad sender\r\n", "RCPT": b"503 no\r\n", "DATA": b"503 no\r\n"}
    async with ScriptedServer(polite(answers, capabilities=capabilities)) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.code) == (REJECTED, 501)
        assert len(server.said(b"MAIL")) == 2


async def test_data_that_is_taken_for_a_refused_recipient_is_ended_with_a_lone_dot(connect: Connect) -> None:
    answers = {"RCPT": [b"550 5.1.1 nobody\r\n"], "DOT": [b"554 5.5.1 no valid recipients\r\n"]}
    async with ScriptedServer(polite(answers)) as server:
        transport = connect(endpoint(server.port))
        refused = await transport.send(envelope(), MESSAGE)
        taken = await transport.send(envelope(), MESSAGE)

        assert (refused.verdict, refused.code, refused.stage) == (REJECTED, 550, Stage.RCPT_TO)
        assert taken.verdict is SENT
        assert server.mails == [b"", MESSAGE]
        assert server.connections == 1


@BOTH_WAYS
async def test_a_transaction_that_failed_is_reset_before_the_next(
    connect: Connect, capabilities: tuple[str, ...]
) -> None:
    answers = {"RCPT": [b"550 5.1.1 nobody\r\n"], "DATA": [b"554 5.5.1 no valid recipients\r\n"]}
    if "PIPELINING" not in capabilities:
        del answers["DATA"]
    async with ScriptedServer(polite(answers, capabilities=capabilities)) as server:
        transport = connect(endpoint(server.port))
        await transport.send(envelope(), MESSAGE)
        outcome = await transport.send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        verbs = [line.partition(b" ")[0] for line in server.commands]
        assert verbs[verbs.index(b"RSET") + 1] == b"MAIL"


async def test_a_mail_larger_than_the_server_takes_is_not_sent(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=["PIPELINING", "SIZE 100"])) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE + b"x" * 100)

        assert (outcome.verdict, outcome.party) == (REJECTED, Party.MESSAGE)
        assert "100 bytes" in outcome.hint
        assert server.said(b"MAIL") == []


async def test_a_mail_as_large_as_the_server_takes_is_sent(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=["PIPELINING", f"SIZE {len(MESSAGE)}"])) as server:
        assert (await connect(endpoint(server.port)).send(envelope(), MESSAGE)).verdict is SENT


async def test_a_local_part_beyond_ascii_needs_smtputf8(connect: Connect) -> None:
    outcome = await send_one(connect, polite(), "用户@recipient.example")

    assert (outcome.verdict, outcome.party) == (REJECTED, Party.RECIPIENT)
    assert "SMTPUTF8" in outcome.hint


async def test_a_reply_to_beyond_ascii_needs_smtputf8_as_well(connect: Connect) -> None:
    mail = "Reply-To: 用户@recipient.example\r\n".encode() + MESSAGE
    async with ScriptedServer(polite(capabilities=["SMTPUTF8", "8BITMIME"])) as server:
        assert (await connect(endpoint(server.port)).send(envelope(), mail)).verdict == SENT
        assert server.said(b"MAIL")[0].endswith(b" BODY=8BITMIME SMTPUTF8")
    async with ScriptedServer(polite(capabilities=["8BITMIME"])) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), mail)
        assert (outcome.verdict, outcome.party, outcome.trap) == (REJECTED, Party.MESSAGE, "SMTPUTF8_MISSING")
        assert server.said(b"MAIL") == []


async def test_smtputf8_is_said_only_for_a_local_part_beyond_ascii(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=["SMTPUTF8"])) as server:
        transport = connect(endpoint(server.port))
        sender = envelope().sender
        await transport.send(Envelope(sender, Address("用户", "例子.公司", "xn--fsqu00a.xn--55qx5d")), MESSAGE)
        await transport.send(Envelope(sender, Address("a", "münchen.de", "xn--mnchen-3ya.de")), MESSAGE)

        assert [line.endswith(b" SMTPUTF8") for line in server.said(b"MAIL")] == [True, False]
        assert server.said(b"RCPT") == [
            "RCPT TO:<用户@xn--fsqu00a.xn--55qx5d>".encode(),
            b"RCPT TO:<a@xn--mnchen-3ya.de>",
        ]


async def test_a_bare_line_feed_never_reaches_a_server(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        smuggled = b"Subject: x\r\n\r\nbody\n.\r\nMAIL FROM:<evil@example.org>\r\n"
        outcome = await connect(endpoint(server.port)).send(envelope(), smuggled)

        assert (outcome.verdict, outcome.party) == (REJECTED, Party.MESSAGE)
        assert server.connections == 0


async def test_a_refused_connection_is_the_servers_failure(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await connect(endpoint(unused.getsockname()[1])).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.CONNECT)
    assert "refused the connection" in outcome.hint


async def test_an_endless_answer_to_ehlo_is_given_up(connect: Connect) -> None:
    async def endless(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        while True:
            await client.say(b"250-and another thing\r\n" * 100)

    outcome = await send_one(connect, endless)

    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.EHLO)


@pytest.mark.parametrize("when", ["greeting", "ehlo", "mail", "data"])
async def test_a_reply_that_nobody_asked_for_is_never_success(connect: Connect, when: str) -> None:
    twice = {verb: 2 if verb == when else 1 for verb in ("greeting", "ehlo", "mail", "data")}

    async def hasty(client: Client) -> None:
        await client.say(b"220 hi\r\n" * twice["greeting"])
        await client.expect(b"EHLO")
        await client.say(b"250 hi\r\n" * twice["ehlo"])
        await client.expect(b"MAIL")
        await client.say(b"250 ok\r\n" * twice["mail"])
        await client.expect(b"RCPT")
        await client.say(b"250 ok\r\n")
        await client.expect(b"DATA")
        await client.say(b"354 go\r\n" if when != "data" else b"354 go\r\n250 taken before it was sent\r\n")
        await client.reader.read()

    async def until_gone(client: Client) -> None:
        try:
            await hasty(client)
        except AssertionError:
            assert client.reader.at_eof()

    outcome = await send_one(connect, until_gone)

    assert (outcome.verdict, outcome.party) == (RETRY, Party.MAIL_SERVER)
    assert not outcome.ambiguous
    assert "without being asked" in outcome.hint


async def test_helo_is_tried_where_ehlo_is_not_known(connect: Connect) -> None:
    async with ScriptedServer(polite({"EHLO": b"500 what\r\n"})) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.commands[:3] == [
            b"EHLO ringpost.test",
            b"HELO ringpost.test",
            b"MAIL FROM:<pbx@sender.example>",
        ]


async def test_a_large_mail_arrives_whole(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        large = MESSAGE + b".dots and more\r\n" * 300_000
        transport = connect(endpoint(server.port))
        outcomes = await asyncio.gather(*(transport.send(envelope(), mail) for mail in (large, MESSAGE)))

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT]
        assert server.mails == [large, MESSAGE]


async def test_a_large_mail_that_is_refused_before_its_end_is_not_ambiguous(connect: Connect) -> None:
    async def impatient(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        for verb, reply in ((b"EHLO", b"250 hi"), (b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 go")):
            await client.expect(verb)
            await client.say(reply + b"\r\n")
        await client.reader.readexactly(100_000)
        await client.say(b"552 5.3.4 too large\r\n")
        await asyncio.sleep(5)

    async with ScriptedServer(impatient) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), HUGE)

    assert (outcome.verdict, outcome.party, outcome.code) == (REJECTED, Party.MESSAGE, 552)


async def test_a_reply_begun_before_the_dot_of_a_large_mail_does_not_end_as_its_answer(connect: Connect) -> None:
    async def foresees(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        for verb, reply in ((b"EHLO", b"250 hi"), (b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 go")):
            await client.expect(verb)
            await client.say(reply + b"\r\n")
        await client.say(b"250 ta")
        # Only now does the client get on: the network had been full.
        await client.message()
        await client.say(b"ken\r\n")

    async with ScriptedServer(foresees) as server:
        outcome = await connect(endpoint(server.port)).send(envelope(), HUGE)

    assert (outcome.verdict, outcome.party, outcome.ambiguous) == (RETRY, Party.MAIL_SERVER, False)
