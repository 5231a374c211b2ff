"""TLS is verified or there is no mail, and no byte of the password goes where it should not."""

import base64
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.transports.mail_samples import MESSAGE, PASSWORD, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import Client, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import Auth, TlsMode
from ringpost.domain.secrets import Secret

LOGIN = ("PIPELINING", "AUTH PLAIN LOGIN")
PLAIN_RESPONSE = base64.b64encode(f"\0user\0{PASSWORD}".encode())


def seen_nothing_secret(server: ScriptedServer) -> bool:
    said = b"\n".join(server.commands)
    forms = [PASSWORD.encode(), base64.b64encode(PASSWORD.encode()), PLAIN_RESPONSE]
    return not server.said(b"AUTH") and not any(form in said for form in forms)


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC, TlsMode.IMPLICIT])
async def test_mail_goes_over_tls_with_a_login(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, tls: TlsMode
) -> None:
    implicit = tls is TlsMode.IMPLICIT
    script = polite(capabilities=LOGIN, context=None if implicit else good_tls)
    async with ScriptedServer(script, context=good_tls if implicit else None) as server:
        outcome = await connect(with_login(server.port, tls=tls), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        assert server.mails == [MESSAGE]
        assert server.said(b"AUTH") == [b"AUTH PLAIN " + PLAIN_RESPONSE]
        assert len(server.said(b"EHLO")) == (1 if implicit else 2)


async def test_auth_login_is_used_where_plain_is_not_offered(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    answers = {"AUTH": [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 welcome\r\n"]}
    script = polite(answers, capabilities=["AUTH=LOGIN"], context=good_tls)
    async with ScriptedServer(script) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
        login = server.commands.index(b"AUTH LOGIN")
        assert [base64.b64decode(line) for line in server.commands[login + 1 : login + 3]] == [
            b"user",
            PASSWORD.encode(),
        ]


async def test_the_other_mechanism_is_tried_only_when_the_first_is_not_known(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    answers = {"AUTH": [b"504 unknown\r\n", b"334 \r\n", b"334 \r\n", b"235 welcome\r\n"]}
    async with ScriptedServer(polite(answers, capabilities=LOGIN, context=good_tls)) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT


@pytest.mark.parametrize(
    ("reply", "party", "words"),
    [
        (b"535 5.7.8 no\r\n", Party.CONFIGURATION, "refused the login"),
        (b"534 5.7.9 app password\r\n", Party.CONFIGURATION, "app password"),
        (b"530 5.7.0 tls first\r\n", Party.CONFIGURATION, "encryption"),
        (b"538 5.7.11 tls first\r\n", Party.CONFIGURATION, "encryption"),
        (b"500 what\r\n", Party.CONFIGURATION, "login"),
        (b"454 4.7.0 later\r\n", Party.MAIL_SERVER, "just now"),
        (b"421 4.3.2 closing\r\n", Party.MAIL_SERVER, "closing"),
        (Trick.DROP, Party.MAIL_SERVER, "closed the connection"),
    ],
)
async def test_a_refused_login_is_retried_and_says_whose_it_is(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, reply: bytes | Trick, party: Party, words: str
) -> None:
    async with ScriptedServer(polite({"AUTH": reply}, capabilities=LOGIN, context=good_tls)) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, party, Stage.AUTH)
        assert words in outcome.hint
        assert len(server.said(b"AUTH")) == 1


async def test_a_server_that_asks_for_ever_is_not_answered_for_ever(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with ScriptedServer(polite({"AUTH": b"334 more\r\n"}, capabilities=LOGIN, context=good_tls)) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.stage) == (RETRY, Stage.AUTH)


@pytest.mark.parametrize("form", [PASSWORD.encode(), base64.b64encode(PASSWORD.encode()), PLAIN_RESPONSE])
async def test_a_password_that_the_server_echoes_is_not_repeated(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, form: bytes
) -> None:
    for padding in (0, 505):
        answers = {"AUTH": b"535 5.7.8 " + b"x" * padding + b" bad: " + form + b"\r\n"}
        async with ScriptedServer(polite(answers, capabilities=LOGIN, context=good_tls)) as server:
            outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert form[:6].decode() not in outcome.reply
        assert len(outcome.reply.encode()) <= 512


@pytest.mark.parametrize("password", ["correct horse batter", "correct horse batte"])
async def test_a_password_that_the_server_echoes_without_its_padding_is_not_repeated(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, password: str
) -> None:
    for form in (password.encode(), f"\0user\0{password}".encode()):
        echo = base64.b64encode(form).rstrip(b"=")
        answers = {"AUTH": b"535 5.7.8 bad: " + echo + b"\r\n"}
        async with ScriptedServer(polite(answers, capabilities=LOGIN, context=good_tls)) as server:
            chosen = replace(with_login(server.port), password=Secret(password))
            outcome = await connect(chosen, options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert outcome.code == 535
        assert echo[:6].decode() not in outcome.reply


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC, TlsMode.IMPLICIT])
@pytest.mark.parametrize(
    ("fault", "words"),
    [("wrong name", "another name"), ("self-signed", "self-signed"), ("expired", "has expired")],
)
async def test_no_password_goes_to_a_certificate_that_is_not_good(
    connect: Connect, bad_tls: dict[str, ssl.SSLContext], ca_file: str, tls: TlsMode, fault: str, words: str
) -> None:
    implicit = tls is TlsMode.IMPLICIT
    context = bad_tls[fault]
    script = polite(capabilities=LOGIN, context=None if implicit else context)
    async with ScriptedServer(script, context=context if implicit else None) as server:
        outcome = await connect(with_login(server.port, tls=tls), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.TLS)
        assert words in outcome.hint
        assert seen_nothing_secret(server)
        assert server.mails == []


async def refused(connect: Connect, server: ScriptedServer, **changes: object) -> Outcome:
    outcome = await connect(with_login(server.port, **changes)).send(envelope(), MESSAGE)
    assert outcome.verdict is RETRY
    assert seen_nothing_secret(server)
    assert server.mails == []
    return outcome


async def test_a_stripped_starttls_gets_no_password_and_no_mail(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        outcome = await refused(connect, server)

        assert (outcome.party, outcome.stage) == (Party.MAIL_SERVER, Stage.TLS)
        assert "STARTTLS" in outcome.hint


async def test_a_stripped_starttls_gets_no_password_even_when_encryption_is_only_wanted(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        outcome = await refused(connect, server, tls=TlsMode.OPPORTUNISTIC)

        assert (outcome.party, outcome.stage) == (Party.CONFIGURATION, Stage.AUTH)


async def test_without_login_a_server_without_starttls_gets_mail_when_encryption_is_only_wanted(
    connect: Connect,
) -> None:
    async with ScriptedServer(polite()) as server:
        outcome = await connect(endpoint(server.port, tls=TlsMode.OPPORTUNISTIC)).send(envelope(), MESSAGE)

        assert outcome.verdict is SENT


async def test_a_refused_starttls_is_not_followed_by_clear_text(connect: Connect, good_tls: ssl.SSLContext) -> None:
    for tls in (TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC):
        script = polite({"STARTTLS": b"454 4.7.0 not now\r\n"}, capabilities=LOGIN, context=good_tls)
        async with ScriptedServer(script) as server:
            outcome = await refused(connect, server, tls=tls)

            assert (outcome.party, outcome.stage, outcome.code) == (Party.MAIL_SERVER, Stage.TLS, 454)


@pytest.mark.parametrize("injected", [b"250 I was sent in clear\r\n", b"25"])
async def test_what_is_injected_before_the_handshake_ends_the_session(connect: Connect, injected: bytes) -> None:
    async def injects(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hi\r\n250 STARTTLS\r\n")
        await client.expect(b"STARTTLS")
        await client.say(b"220 go\r\n" + injected)
        await client.reader.read()

    async with ScriptedServer(injects) as server:
        outcome = await refused(connect, server)

        assert (outcome.party, outcome.stage) == (Party.MAIL_SERVER, Stage.TLS)
        assert "between STARTTLS and encryption" in outcome.hint
        assert server.commands[-1] == b"STARTTLS"


async def test_what_was_offered_in_clear_is_forgotten_after_the_handshake(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async def two_faced(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hi\r\n250-AUTH PLAIN\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
        await client.expect(b"STARTTLS")
        await client.say(b"220 go\r\n")
        await client.encrypt(good_tls)
        await client.expect(b"EHLO")
        await client.say(b"250 hi\r\n")
        await client.reader.read()

    async with ScriptedServer(two_faced) as server:
        outcome = await connect(with_login(server.port), options(ca_file=ca_file)).send(envelope(), MESSAGE)

        assert (outcome.party, outcome.stage) == (Party.CONFIGURATION, Stage.AUTH)
        assert "offers no login" in outcome.hint
        assert seen_nothing_secret(server)


@pytest.mark.parametrize("permitted", [False, True])
async def test_a_login_in_clear_needs_the_operators_permission(connect: Connect, permitted: bool) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        clear = with_login(server.port, tls=TlsMode.CLEAR)
        outcome = await connect(clear, options(clear_login=permitted)).send(envelope(), MESSAGE)

        assert (outcome.verdict is SENT) is permitted
        assert seen_nothing_secret(server) is not permitted


async def test_the_permission_for_clear_logins_does_not_weaken_other_modes(connect: Connect) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        opportunistic = with_login(server.port, tls=TlsMode.OPPORTUNISTIC)
        outcome = await connect(opportunistic, options(clear_login=True)).send(envelope(), MESSAGE)

        assert outcome.party is Party.CONFIGURATION
        assert seen_nothing_secret(server)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": None},
        {"password": Secret("")},
        {"username": ""},
        {"password": Secret("a\0b")},
        {"username": "a\0b"},
        {"auth": Auth.LOGIN},
    ],
)
async def test_a_login_that_cannot_be_made_is_a_matter_of_configuration(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, changes: dict[str, object]
) -> None:
    async with ScriptedServer(polite(capabilities=["AUTH PLAIN"], context=good_tls)) as server:
        transport = connect(with_login(server.port, **changes), options(ca_file=ca_file))
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.CONFIGURATION, Stage.AUTH)
        assert server.said(b"AUTH") == []


async def test_tls_spoken_to_a_port_that_starts_in_clear_is_explained(connect: Connect, ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN)) as server:
        transport = connect(with_login(server.port, tls=TlsMode.IMPLICIT), options(ca_file=ca_file))
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.party, outcome.stage) == (Party.MAIL_SERVER, Stage.TLS)
        assert "enable_starttls_auto" in outcome.hint


async def test_clear_text_spoken_to_a_tls_port_is_explained(connect: Connect, good_tls: ssl.SSLContext) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN), context=good_tls) as server:
        transport = connect(with_login(server.port), options(deadlines=short(greeting=0.1)))
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.party, outcome.stage) == (Party.MAIL_SERVER, Stage.GREETING)
        assert "465" in outcome.hint


async def test_clear_text_after_starttls_is_not_explained_as_the_other_kind_of_tls(connect: Connect) -> None:
    async def takes_it_back(client: Client) -> None:
        await client.say(b"220 hi\r\n")
        await client.expect(b"EHLO")
        await client.say(b"250-hi\r\n250 STARTTLS\r\n")
        await client.expect(b"STARTTLS")
        await client.say(b"220 go\r\n")
        await client.reader.read(1)
        await client.say(b"454 4.7.0 TLS not available\r\n")
        await client.reader.read()

    async with ScriptedServer(takes_it_back) as server:
        outcome = await refused(connect, server)

        assert (outcome.party, outcome.stage, outcome.trap) == (Party.MAIL_SERVER, Stage.TLS, "TLS_FAILED")


async def test_a_silent_handshake_is_given_up(connect: Connect) -> None:
    async def silent(client: Client) -> None:
        await client.reader.read()

    async with ScriptedServer(silent) as server:
        transport = connect(with_login(server.port, tls=TlsMode.IMPLICIT), options(deadlines=short(opening=0.1)))
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.TLS)


async def test_tls_below_1_2_is_refused(
    connect: Connect, server_context: Callable[[], ssl.SSLContext], ca_file: str
) -> None:
    old = server_context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with ScriptedServer(polite(capabilities=LOGIN), context=old) as server:
        transport = connect(with_login(server.port, tls=TlsMode.IMPLICIT), options(ca_file=ca_file))
        outcome = await transport.send(envelope(), MESSAGE)

        assert (outcome.party, outcome.stage) == (Party.MAIL_SERVER, Stage.TLS)
        assert "1.2" in outcome.hint
