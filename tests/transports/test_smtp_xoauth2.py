"""XOAUTH2 over SMTP: an access token instead of a password, renewed once when it is refused."""

import base64
import json
import ssl
from dataclasses import replace

import pytest
from tests.transports.doctor_cases import examine
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options
from tests.transports.oauth_samples import APP, MAILBOX
from tests.transports.provider_stand_in import Say, StandIn, stand_in
from tests.transports.scripted_server import Client, Script, ScriptedServer, polite

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import SmtpEndpoint, TlsMode

CHALLENGE = base64.b64encode(json.dumps({"status": "401", "schemes": "bearer"}).encode())


def mailbox(port: int, tls: TlsMode = TlsMode.IMPLICIT) -> SmtpEndpoint:
    """A mailbox that is logged in to with a token."""
    return replace(endpoint(port, host="localhost", tls=tls, username=MAILBOX), oauth=APP)


def logging_in(*good: str, overlooks_initial: bool = False) -> Script:
    """A server that takes these tokens, and one mail."""

    async def script(client: Client) -> None:
        await client.say(b"220 hello\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hello\r\n250 AUTH XOAUTH2 PLAIN LOGIN\r\n")
        said = (await client.command()).removeprefix(b"AUTH XOAUTH2 ")
        if overlooks_initial:
            await client.say(b"334 \r\n")
            said = await client.command()
        if base64.b64decode(said) not in [response(token) for token in good]:
            await client.say(b"334 " + CHALLENGE + b"\r\n")
            assert await client.reader.readline() == b"\r\n"
            await client.say(b"535 5.7.3 Authentication unsuccessful for " + said + b"\r\n")
            return
        await client.say(b"235 welcome\r\n")
        for verb, reply in ((b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 go on")):
            await client.expect(verb)
            await client.say(reply + b"\r\n")
        client.server.mails.append(await client.message())
        await client.say(b"250 taken\r\n")
        await client.command()

    return script


def response(token: str) -> bytes:
    """What is said with a token."""
    return f"user={MAILBOX}\x01auth=Bearer {token}\x01\x01".encode()


async def send(connect: Connect, server: ScriptedServer, provider: StandIn, ca_file: str) -> Outcome:
    """One mail."""
    tokens = provider.providers(ca_file).tokens
    return await connect(mailbox(server.port), options(ca_file=ca_file, tokens=tokens)).send(envelope(), MESSAGE)


@pytest.mark.parametrize("overlooks_initial", [False, True])
async def test_a_token_logs_in(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, overlooks_initial: bool
) -> None:
    script = logging_in("access-1", overlooks_initial=overlooks_initial)
    async with stand_in(good_tls) as provider, ScriptedServer(script, context=good_tls) as server:
        outcome = await send(connect, server, provider, ca_file)

        assert outcome.verdict is SENT
        assert server.mails == [MESSAGE]
        assert provider.of("token")[0].form["scope"] == "https://outlook.office365.com/.default"


async def test_a_refused_token_is_renewed_once(connect: Connect, good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with stand_in(good_tls) as provider, ScriptedServer(logging_in("access-2"), context=good_tls) as server:
        outcome = await send(connect, server, provider, ca_file)

        assert outcome.verdict is SENT
        assert (server.connections, provider.tokens) == (2, 2)


async def test_a_login_that_is_refused_with_a_fresh_token_too_is_a_matter_of_the_settings(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with stand_in(good_tls) as provider, ScriptedServer(logging_in(), context=good_tls) as server:
        outcome = await send(connect, server, provider, ca_file)

        assert (outcome.verdict, outcome.stage, outcome.party) == (RETRY, Stage.AUTH, Party.CONFIGURATION)
        assert (outcome.code, server.connections) == (535, 2)
        assert base64.b64encode(response("access-2")).decode().rstrip("=") not in outcome.reply


@pytest.mark.parametrize("longer", ["", "a", "aa"])
async def test_a_token_that_the_server_echoes_in_base64_is_not_repeated(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, longer: str
) -> None:
    """However long the name before it is: base64 writes the same token in three ways."""
    async with stand_in(good_tls) as provider, ScriptedServer(logging_in(), context=good_tls) as server:
        named = replace(mailbox(server.port), username=longer + MAILBOX)
        tokens = provider.providers(ca_file).tokens
        outcome = await connect(named, options(ca_file=ca_file, tokens=tokens)).send(envelope(), MESSAGE)

        said = base64.b64encode(f"user={longer}{MAILBOX}\x01auth=Bearer access-2\x01\x01".encode()).decode()
        assert (outcome.stage, outcome.code) == (Stage.AUTH, 535)
        assert "unsuccessful for ***" in outcome.reply
        assert said[-12:].rstrip("=") not in outcome.reply


async def test_a_token_that_the_server_repeats_after_the_login_is_not_shown(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    said = f"550 5.7.60 access-1 and {base64.b64encode(response('access-1')).decode()} may not send as this sender\r\n"
    script = polite({"MAIL": said.encode()}, capabilities=["AUTH XOAUTH2"], context=good_tls)
    async with stand_in(good_tls) as provider, ScriptedServer(script, context=good_tls) as server:
        outcome = await send(connect, server, provider, ca_file)
        tokens = options(tokens=provider.providers(ca_file).tokens)
        provider.tokens = 0  # the same token once more
        examined = await examine(mailbox(server.port), ca_file=ca_file, chosen=tokens)

        assert (outcome.stage, outcome.code) == (Stage.MAIL_FROM, 550)
        for told in (outcome.reply, outcome.dialogue, examined.failed.reply):
            assert "*** and ***" in told


async def test_without_a_token_nothing_is_dialed(connect: Connect, good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with stand_in(good_tls) as provider, ScriptedServer(logging_in("x"), context=good_tls) as server:
        provider.say("token", Say(401, {"error": "invalid_client", "error_description": "AADSTS7000222: expired"}))
        outcome = await send(connect, server, provider, ca_file)

        assert (outcome.stage, outcome.party) == (Stage.TOKEN, Party.CONFIGURATION)
        assert "expired" in outcome.hint
        assert server.connections == 0


async def test_a_server_without_xoauth2_gets_no_token(connect: Connect, good_tls: ssl.SSLContext, ca_file: str) -> None:
    script = polite(capabilities=["AUTH PLAIN LOGIN"])
    async with stand_in(good_tls) as provider, ScriptedServer(script, context=good_tls) as server:
        outcome = await send(connect, server, provider, ca_file)

        assert (outcome.stage, outcome.party) == (Stage.AUTH, Party.CONFIGURATION)
        assert not server.said(b"AUTH")


async def test_a_token_does_not_travel_in_clear(connect: Connect, good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with stand_in(good_tls) as provider, ScriptedServer(polite(capabilities=["AUTH XOAUTH2"])) as server:
        tokens = provider.providers(ca_file).tokens
        clear = mailbox(server.port, TlsMode.CLEAR)
        outcome = await connect(clear, options(ca_file=ca_file, tokens=tokens)).send(envelope(), MESSAGE)

        assert (outcome.stage, outcome.party) == (Stage.AUTH, Party.CONFIGURATION)
        assert not server.said(b"AUTH")
