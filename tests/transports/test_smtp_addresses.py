"""A mail server with several addresses takes mail as long as one of them does (RFC 5321 5.1)."""

import contextlib
import socket
import ssl

import pytest
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short, with_login
from tests.transports.scripted_server import Answer, ScriptedServer, Trick, polite

from ringpost.domain.deliveries import RETRY, SENT, Party, Stage
from ringpost.domain.endpoints import TlsMode
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import SmtpOptions

FIRST, SECOND, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"


def has_ipv6() -> bool:
    """Whether there is IPv6 on loopback."""
    with socket.socket(socket.AF_INET6) as probe, contextlib.suppress(OSError):
        probe.bind(("::1", 0))
        return True
    return False


def several(*addresses: str, ca_file: str | None = None, seconds: float = 60) -> SmtpOptions:
    """Options in which each name has these addresses. `seconds`: how long an answer before the first mail may take."""

    async def lookup(_host: str, _port: int) -> list[str]:
        return list(addresses)

    deadlines = short(greeting=seconds, opening=seconds)
    return options(egress=EgressRules(lookup=lookup), deadlines=deadlines, ca_file=ca_file)


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("GREETING", b"421 4.3.2 closing\r\n"),
        ("GREETING", b"554 5.7.1 not you\r\n"),
        ("GREETING", Trick.DROP),
        ("EHLO", b"421 4.3.2 closing\r\n"),
    ],
)
async def test_an_address_that_does_not_work_leaves_the_mail_to_another(
    connect: Connect, verb: str, answer: Answer
) -> None:
    async with (
        ScriptedServer(polite({verb: answer})) as bad,
        ScriptedServer(polite(), at=(SECOND, bad.port)) as good,
    ):
        to = endpoint(bad.port, host="mail.example.com")
        outcome = await connect(to, several(FIRST, SECOND)).send(envelope(), MESSAGE)

    assert outcome.verdict is SENT
    assert (bad.connections, len(good.mails)) == (1, 1)


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_an_address_whose_handshake_is_lost_on_its_way_leaves_the_mail_to_another(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str, tls: TlsMode
) -> None:
    implicit = tls is TlsMode.IMPLICIT
    silent = polite({"GREETING": Trick.SILENCE}) if implicit else polite({"STARTTLS": Trick.SILENCE}, context=good_tls)
    willing = polite(capabilities=("AUTH PLAIN",), context=None if implicit else good_tls)
    async with (
        ScriptedServer(silent) as bad,
        ScriptedServer(willing, context=good_tls if implicit else None, at=(SECOND, bad.port)) as good,
    ):
        to = with_login(bad.port, tls=tls)
        outcome = await connect(to, several(FIRST, SECOND, ca_file=ca_file, seconds=5)).send(envelope(), MESSAGE)

    assert outcome.verdict is SENT
    assert len(good.mails) == 1


async def test_a_server_is_asked_at_two_addresses_at_most_and_the_story_has_both(connect: Connect) -> None:
    busy = polite({"GREETING": b"421 4.3.2 busy\r\n"})
    async with (
        ScriptedServer(busy) as first,
        ScriptedServer(polite({"GREETING": b"554 5.7.1 not you\r\n"}), at=(SECOND, first.port)),
        ScriptedServer(polite(), at=(THIRD, first.port)) as third,
    ):
        to = endpoint(first.port, host="mail.example.com")
        outcome = await connect(to, several(FIRST, SECOND, THIRD)).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party, outcome.code) == (RETRY, Party.MAIL_SERVER, 554)
    assert outcome.dialogue == "S: 421 4.3.2 busy\n(another address of the mail server)\nS: 554 5.7.1 not you"
    assert third.connections == 0


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_the_other_address_is_first_one_of_the_other_kind(connect: Connect) -> None:
    async with (
        ScriptedServer(polite({"GREETING": Trick.DROP})) as first,
        ScriptedServer(polite(), at=(SECOND, first.port)) as same_kind,
        ScriptedServer(polite(), at=("::1", first.port)) as other_kind,
    ):
        to = endpoint(first.port, host="mail.example.com")
        outcome = await connect(to, several(FIRST, SECOND, "::1")).send(envelope(), MESSAGE)

    assert outcome.verdict is SENT
    assert (same_kind.connections, len(other_kind.mails)) == (0, 1)


async def test_when_the_other_address_is_not_there_the_first_ones_answer_is_told(connect: Connect) -> None:
    async with ScriptedServer(polite({"GREETING": b"421 4.3.2 busy\r\n"})) as server:
        to = endpoint(server.port, host="mail.example.com")
        outcome = await connect(to, several(FIRST, SECOND)).send(envelope(), MESSAGE)

    assert (outcome.stage, outcome.code, outcome.dialogue) == (Stage.GREETING, 421, "S: 421 4.3.2 busy")


async def test_a_refused_login_is_not_tried_at_another_address(
    connect: Connect, good_tls: ssl.SSLContext, ca_file: str
) -> None:
    refusing = polite({"AUTH": b"535 5.7.8 no\r\n"}, capabilities=("AUTH PLAIN",), context=good_tls)
    async with ScriptedServer(refusing) as first, ScriptedServer(refusing, at=(SECOND, first.port)) as second:
        outcome = await connect(with_login(first.port), several(FIRST, SECOND, ca_file=ca_file)).send(
            envelope(), MESSAGE
        )

    assert (outcome.stage, outcome.code) == (Stage.AUTH, 535)
    assert (first.connections, second.connections) == (1, 0)
