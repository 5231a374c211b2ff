"""Many mails over kept connections: what shares a round trip, and what becomes of whom when a connection is lost."""

import asyncio

from tests.patience import patience
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short
from tests.transports.scripted_server import CAPABILITIES, Client, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.transports.smtp import SmtpTransport

HELLO = b"250-scripted\r\n250 PIPELINING\r\n"


async def send_many(transport: SmtpTransport, *names: str) -> list[Outcome]:
    return await asyncio.gather(*(transport.send(envelope(f"{name}@recipient.example"), MESSAGE) for name in names))


async def first_group(client: Client) -> None:
    """Everything up to 354 for the first mail."""
    await client.say(b"220 hi\r\n")
    await client.expect(b"EHLO")
    await client.say(HELLO)
    await client.expect(b"MAIL", b"RCPT", b"DATA")
    await client.say(b"250 ok\r\n250 ok\r\n354 go\r\n")


async def test_the_next_mail_is_begun_behind_the_dot_without_waiting(connect: Connect) -> None:
    async def script(client: Client) -> None:
        await first_group(client)
        await client.message()
        # The answer to the dot is held back until the next mail's commands are here.
        await client.expect(b"MAIL", b"RCPT", b"DATA")
        await client.say(b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n")
        await client.message()
        await client.say(b"250 taken\r\n")
        await client.reader.read()

    async with ScriptedServer(script) as server:
        outcomes = await send_many(connect(endpoint(server.port), options(deadlines=short(quit=0.05))), "a", "b")

    assert [outcome.verdict for outcome in outcomes] == [SENT, SENT]


async def test_an_emergency_does_not_wait_for_the_answer_to_another_while_a_connection_is_on_the_way(
    connect: Connect,
) -> None:
    """A server may take minutes for an answer, because it looks into the message."""
    has_the_first, taken = asyncio.Event(), asyncio.Event()

    async def looks_into_it(client: Client) -> None:
        await first_group(client)
        await client.message()
        has_the_first.set()
        await taken.wait()
        await client.say(b"250 taken\r\n")
        await client.reader.read()

    async def is_slow_to_greet(client: Client) -> None:
        await has_the_first.wait()
        await polite()(client)

    async with ScriptedServer(looks_into_it, is_slow_to_greet) as server:
        chosen = options(deadlines=short(quit=0.05), connections=2)
        transport = connect(endpoint(server.port), chosen, urgent=True)
        one, other = (asyncio.create_task(transport.send(envelope(f"{to}@x.example"), MESSAGE)) for to in ("a", "b"))
        async with patience(10):
            assert (await other).verdict is SENT
        assert not one.done()
        taken.set()
        assert (await one).verdict is SENT


async def test_a_drop_in_a_batch_leaves_only_the_mail_past_its_dot_ambiguous(connect: Connect) -> None:
    async def drops(client: Client) -> None:
        await first_group(client)
        await client.message()
        await client.expect(b"MAIL", b"RCPT", b"DATA")

    async with ScriptedServer(drops, polite()) as server:
        outcomes = await send_many(connect(endpoint(server.port)), "a", "b", "c")

        assert [outcome.ambiguous for outcome in outcomes] == [True, False, False]
        assert [outcome.verdict for outcome in outcomes] == [RETRY, SENT, SENT]
        assert len(server.mails) == 2
        assert server.connections == 2


async def test_a_drop_after_the_dot_was_answered_makes_nothing_ambiguous(connect: Connect) -> None:
    async def drops(client: Client) -> None:
        await first_group(client)
        await client.message()
        await client.expect(b"MAIL", b"RCPT", b"DATA")
        await client.say(b"250 taken\r\n250 ok\r\n")

    async with ScriptedServer(drops, polite()) as server:
        outcomes = await send_many(connect(endpoint(server.port)), "a", "b", "c")

        # b had been begun (its MAIL was answered) and not handed over: a failure of the server, and not ambiguous.
        assert [outcome.verdict for outcome in outcomes] == [SENT, RETRY, SENT]
        assert (outcomes[1].party, outcomes[1].stage) == (Party.MAIL_SERVER, Stage.RCPT_TO)
        assert not any(outcome.ambiguous for outcome in outcomes)


async def test_a_kept_connection_that_died_while_idle_is_no_failure(connect: Connect) -> None:
    async def dies_at_second_mail(client: Client) -> None:
        await first_group(client)
        await client.message()
        await client.say(b"250 taken\r\n")
        await client.expect(b"MAIL")

    async with ScriptedServer(dies_at_second_mail, polite()) as server:
        transport = connect(endpoint(server.port))
        first = await transport.send(envelope(), MESSAGE)
        second = await transport.send(envelope(), MESSAGE)

        assert [first.verdict, second.verdict] == [SENT, SENT]
        assert server.connections == 2


async def test_a_421_in_mid_session_puts_the_next_mail_on_a_new_connection(connect: Connect) -> None:
    answers = {"MAIL": [b"250 ok\r\n", b"421 4.7.0 too many mails here\r\n"]}
    async with ScriptedServer(polite(answers, capabilities=["SIZE"])) as server:
        outcomes = await send_many(connect(endpoint(server.port)), "a", "b")

        assert [outcome.verdict for outcome in outcomes] == [SENT, SENT]
        assert server.connections == 2


async def test_an_unasked_421_on_an_idle_connection_only_ends_it(connect: Connect) -> None:
    closing = asyncio.Event()

    async def closes(client: Client) -> None:
        await first_group(client)
        await client.message()
        await client.say(b"250 taken\r\n")
        await client.say(b"421 idle too long\r\n")
        await client.reader.read()
        closing.set()

    async with ScriptedServer(closes, polite()) as server:
        transport = connect(endpoint(server.port))
        first = await transport.send(envelope(), MESSAGE)
        await closing.wait()
        second = await transport.send(envelope(), MESSAGE)

        assert [first.verdict, second.verdict] == [SENT, SENT]


async def test_a_refused_recipient_in_a_batch_harms_no_other_mail(connect: Connect) -> None:
    answers = {
        "RCPT": [b"250 ok\r\n", b"550 5.1.1 nobody\r\n"],
        "DATA": [b"354 go\r\n", b"554 5.5.1 no recipients\r\n"],
    }
    async with ScriptedServer(polite(answers)) as server:
        outcomes = await send_many(connect(endpoint(server.port)), "a", "b", "c")

        assert [outcome.verdict for outcome in outcomes] == [SENT, REJECTED, SENT]
        assert outcomes[1].party is Party.RECIPIENT
        assert server.connections == 1


async def test_answers_out_of_step_end_pipelining_and_not_the_mail(connect: Connect) -> None:
    async def confused(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(HELLO)
        await client.expect(b"MAIL", b"RCPT", b"DATA")
        await client.say(b"354 go\r\n250 ok\r\n250 ok\r\n")
        await client.reader.read()

    async with ScriptedServer(confused, polite()) as server:
        transport = connect(endpoint(server.port))
        outcomes = await send_many(transport, "a", "b")
        third = await transport.send(envelope("c@recipient.example"), MESSAGE)

        assert [outcome.verdict for outcome in (*outcomes, third)] == [SENT, SENT, SENT]
        assert server.connections == 2


async def test_a_server_that_loses_pipelined_commands_gets_one_at_a_time(connect: Connect) -> None:
    async def forgetful(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(HELLO)
        while await client.reader.read(4096):
            await client.say(b"250 to whatever came first\r\n")

    async with ScriptedServer(forgetful, polite()) as server:
        transport = connect(endpoint(server.port), options(deadlines=short(rcpt=0.1)))
        outcome = await transport.send(envelope(), MESSAGE)

        assert outcome.verdict is SENT


async def test_one_failed_dial_is_the_outcome_of_all_that_wait(connect: Connect) -> None:
    async with ScriptedServer(polite({"GREETING": b"554 go away\r\n"})) as server:
        outcomes = await send_many(connect(endpoint(server.port), options(connections=4)), *"abcdefgh")

        assert {(outcome.verdict, outcome.party, outcome.code) for outcome in outcomes} == {
            (RETRY, Party.MAIL_SERVER, 554)
        }
        assert server.connections == 1


async def test_a_refused_extra_connection_only_lowers_the_number(connect: Connect) -> None:
    full = polite({"GREETING": b"421 too many connections\r\n"})
    async with ScriptedServer(polite(), full) as server:
        transport = connect(endpoint(server.port), options(connections=4))
        outcomes = await send_many(transport, *(f"a{number}" for number in range(200)))

        assert {outcome.verdict for outcome in outcomes} == {SENT}
        assert server.connections == 2


async def test_mails_share_as_many_connections_as_permitted(connect: Connect) -> None:
    async with ScriptedServer(polite({"DOT": Trick.SILENCE}, capabilities=["SIZE"])) as server:
        transport = connect(endpoint(server.port), options(connections=3, deadlines=short(final_dot=0.5)))
        outcomes = await send_many(transport, *"abc")

        # Each mail occupies its connection, so the three had one each.
        assert [outcome.ambiguous for outcome in outcomes] == [True, True, True]
        assert server.connections == 3


async def test_a_connection_is_replaced_after_its_number_of_messages(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        transport = connect(endpoint(server.port), options(messages_per_connection=2))
        outcomes = await send_many(transport, *"abcde")

        assert {outcome.verdict for outcome in outcomes} == {SENT}
        assert server.connections == 3


async def test_an_idle_connection_says_goodbye(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        transport = connect(endpoint(server.port), options(idle=0.02))
        await transport.send(envelope(), MESSAGE)
        async with patience(5):
            while not server.said(b"QUIT"):
                await asyncio.sleep(0.001)
        again = await transport.send(envelope(), MESSAGE)

        assert again.verdict is SENT
        assert server.connections == 2


async def test_a_sender_that_gives_up_waiting_harms_nobody(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        transport = connect(endpoint(server.port))
        gone = asyncio.ensure_future(transport.send(envelope("gone@recipient.example"), MESSAGE))
        await asyncio.sleep(0)
        gone.cancel()
        outcome = await transport.send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.said(b"RCPT") == [b"RCPT TO:<alice@recipient.example>"]


async def test_a_send_with_a_limit_of_its_own_ends_in_time(connect: Connect) -> None:
    for verb, stage in (("GREETING", Stage.GREETING), ("EHLO", Stage.EHLO), ("RCPT", Stage.RCPT_TO)):
        async with ScriptedServer(polite({verb: Trick.SILENCE}, capabilities=CAPABILITIES)) as server:
            transport = connect(endpoint(server.port), options(deadlines=short(overall=0.1)))
            async with patience(5):
                outcome = await transport.send(envelope(), MESSAGE)
                await transport.close()

            assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, stage)
            assert server.connections == 1


async def test_closing_lets_a_mail_end_that_is_under_way(connect: Connect) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(client: Client) -> None:
        await first_group(client)
        await client.message()
        arrived.set()
        await go_on.wait()
        await client.say(b"250 taken\r\n")
        await client.expect(b"QUIT")
        await client.say(b"221 bye\r\n")

    async with ScriptedServer(slow) as server:
        transport = connect(endpoint(server.port))
        sending = asyncio.ensure_future(transport.send(envelope(), MESSAGE))
        await arrived.wait()
        closing = asyncio.ensure_future(transport.close())
        await asyncio.sleep(0)
        go_on.set()
        await closing

        assert (await sending).verdict is SENT
        assert server.said(b"QUIT")


async def test_nothing_is_sent_after_closing(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        transport = connect(endpoint(server.port))
        await transport.close()
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party) == (RETRY, Party.NETWORK)
        assert server.connections == 0
