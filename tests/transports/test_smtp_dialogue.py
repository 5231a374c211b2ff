"""What was said on a connection is told with a mail that was not taken: all of it, in order, and without secrets."""

import base64
import ssl

import pytest
from tests.transports.mail_samples import MESSAGE, PASSWORD, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import CAPABILITIES, Script, ScriptedServer, Trick, polite

from ringpost.transports.smtp import SmtpOptions
from ringpost.transports.smtp.dialogue import MOST_OCTETS

MAIL = f"C: MAIL FROM:<pbx@sender.example> SIZE={len(MESSAGE)}"
RCPT = "C: RCPT TO:<alice@recipient.example>"
THE_MESSAGE = f"C: (the message, {len(MESSAGE)} octets)"


async def said(connect: Connect, script: Script, chosen: SmtpOptions | None = None) -> list[str]:
    async with ScriptedServer(script) as server:
        transport = connect(endpoint(server.port), chosen)
        outcome = await transport.send(envelope(), MESSAGE)
        await transport.close()
        return outcome.dialogue.splitlines()


@pytest.mark.parametrize("capabilities", [CAPABILITIES, CAPABILITIES[1:]], ids=["pipelined", "one by one"])
async def test_a_refused_recipient(connect: Connect, capabilities: tuple[str, ...]) -> None:
    script = polite({"RCPT": b"550 5.1.1 nobody\r\n", "DATA": b"503 5.5.1 no recipient\r\n"}, capabilities=capabilities)
    lines = await said(connect, script)
    assert lines[:4] == [MAIL, "S: 250 2.0.0 ok", RCPT, "S: 550 5.1.1 nobody"]


async def test_a_refused_message(connect: Connect) -> None:
    lines = await said(connect, polite({"DOT": b"554 5.7.1 spam\r\n"}))
    assert lines[-2:] == [THE_MESSAGE, "S: 554 5.7.1 spam"]
    assert lines[4:6] == ["C: DATA", "S: 354 go"]


async def test_touch_lost_after_the_dot(connect: Connect) -> None:
    lines = await said(connect, polite({"DOT": Trick.DROP}))
    assert lines[-2:] == [THE_MESSAGE, "S: (no answer)"]


async def test_a_parameter_that_the_server_does_not_know_after_all(connect: Connect) -> None:
    lines = await said(connect, polite({"MAIL": [b"555 no such\r\n", b"550 5.7.1 not you\r\n"]}))
    assert lines[0] == MAIL, "with what was left out the second time"
    assert "C: MAIL FROM:<pbx@sender.example>" in lines


async def test_a_server_that_does_not_answer(connect: Connect) -> None:
    lines = await said(connect, polite({"EHLO": Trick.SILENCE}), options(deadlines=short(opening=0.3)))
    assert lines == ["S: 220 scripted ESMTP", "C: EHLO ringpost.test", "S: (no answer)"]


async def test_the_dialogue_of_a_mail_that_was_taken_is_not_kept(connect: Connect) -> None:
    assert await said(connect, polite()) == []


async def test_one_mail_is_told_nothing_of_another(connect: Connect) -> None:
    async with ScriptedServer(polite({"RCPT": [b"250 ok\r\n", b"550 5.1.1 nobody\r\n"]})) as server:
        transport = connect(endpoint(server.port))
        await transport.send(envelope("first@recipient.example"), MESSAGE)
        outcome = await transport.send(envelope("second@recipient.example"), MESSAGE)
        await transport.close()
    assert "second@recipient.example" in outcome.dialogue
    assert "first@" not in outcome.dialogue


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_refused_login_without_its_password(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, mechanism: str
) -> None:
    forms = [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0user\0{PASSWORD}".encode()).decode(),
    ]
    echo = f"535 5.7.8 wrong: {' '.join(forms)}\r\n".encode()
    answers = {"AUTH": [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", echo] if mechanism == "LOGIN" else [echo]}
    script = polite(answers, capabilities=[f"AUTH {mechanism}"], context=good_tls)
    async with ScriptedServer(script) as server:
        transport = connect(with_login(server.port), options(ca_file=ca_file))
        outcome = await transport.send(envelope(), MESSAGE)
        await transport.close()
    lines = outcome.dialogue.splitlines()
    assert any(line.startswith(f"C: AUTH {mechanism}") for line in lines)
    assert lines[-1].startswith("S: 535 5.7.8 wrong: ***")
    assert not any(form.rstrip("=") in outcome.dialogue for form in forms)


async def test_a_talkative_server_does_not_fill_the_database(connect: Connect) -> None:
    long = b"".join(b"250-%b\r\n" % (b"x" * 500) for _ in range(60)) + b"250 end\r\n"
    lines = await said(connect, polite({"EHLO": long, "MAIL": b"550 5.7.1 no\r\n"}))
    assert 0 < len("\n".join(lines).encode()) <= MOST_OCTETS
