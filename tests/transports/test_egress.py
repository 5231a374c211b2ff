"""Which addresses we connect to, with name servers that lie."""

# ruff: noqa: RUF001  the look-alike digits are what is tested

import asyncio
import socket
from threading import Event
from typing import Any

import pytest
from tests.transports.mail_samples import MESSAGE, Connect, endpoint, envelope, options, short
from tests.transports.scripted_server import ScriptedServer, polite

from ringpost.domain.deliveries import RETRY, SENT, Party, Stage
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.transports.egress import CheckedAddress, EgressError, EgressRules, Lookup, resolve, system_lookup


def answering(*answers: list[str]) -> Lookup:
    """A name server that gives these answers one after the other; the last one stays."""
    left = list(answers)

    async def lookup(_host: str, _port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return lookup


async def test_every_answer_is_checked_and_one_bad_one_refuses_all() -> None:
    good = EgressRules(lookup=answering(["192.88.98.1", "2a00:1450::1"]))
    bad = EgressRules(lookup=answering(["192.88.98.1", "10.0.0.1"]))

    assert await resolve("mail.example.com", 25, good) == [
        CheckedAddress("192.88.98.1", 25),
        CheckedAddress("2a00:1450::1", 25),
    ]
    with pytest.raises(EgressError):
        await resolve("mail.example.com", 25, bad)


async def test_a_name_is_resolved_once_per_connect_and_checked_each_time() -> None:
    rules = EgressRules(lookup=answering(["8.8.8.8"], ["127.0.0.1"]))

    assert await resolve("mail.example.com", 25, rules) == [CheckedAddress("8.8.8.8", 25)]
    with pytest.raises(EgressError):
        await resolve("mail.example.com", 25, rules)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "168.63.129.16", "::1", "[::1]", "::ffff:10.0.0.1", "0", "127.1"),
        *("[::ffff:10.0.0.1]", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "fec0::1", "224.0.0.1", "ff02::1"),
        *("0x7f.1", "2130706433", "http://x", "x:25", "localhost", "１２７.0.0.1", "fd00:ec2::254", "100.100.100.200"),
    ],
)
async def test_a_refused_host_is_refused_before_anything_is_looked_up(host: str) -> None:
    async def never(_host: str, _port: int) -> list[str]:
        raise AssertionError

    with pytest.raises(EgressError):
        await resolve(host, 25, EgressRules(lookup=never))


@pytest.mark.parametrize("port", [22, 80, 443, 3306, 0, 65535])
async def test_only_mail_ports_are_reached(port: int) -> None:
    with pytest.raises(EgressError):
        await resolve("8.8.8.8", port, EgressRules())


async def test_the_operator_can_add_ports_and_networks() -> None:
    rules = EgressRules(allowed=parse_allowed_networks("10.0.0.0/8:10025"), extra_ports=frozenset({10025}))

    assert await resolve("10.1.2.3", 10025, rules) == [CheckedAddress("10.1.2.3", 10025)]
    with pytest.raises(EgressError):
        await resolve("10.1.2.3", 25, rules)


async def test_the_system_administrators_server_is_not_restricted() -> None:
    rules = EgressRules(lookup=answering(["127.0.0.1"]))

    assert await resolve("mailpit", 1025, rules, restricted=False) == [CheckedAddress("127.0.0.1", 1025)]


async def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    async def silent(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(3600)
        return []

    with pytest.raises(TimeoutError):
        await resolve("mail.example.com", 25, EgressRules(lookup=silent), limit=0.01)


async def test_names_whose_name_servers_do_not_answer_keep_no_other_from_being_resolved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()

    def addresses(host: str, *_: Any, **__: Any) -> list[Any]:
        if host.startswith("dead"):
            released.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("8.8.8.8", 25))]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    dead = [resolve(f"dead{number}.example.com", 25, EgressRules(), limit=0.5) for number in range(64)]
    try:
        given_up = await asyncio.gather(*dead, return_exceptions=True)
        found = await resolve("mail.example.com", 25, EgressRules(), limit=2)
    finally:
        released.set()
    assert {type(error) for error in given_up} == {TimeoutError}
    assert found == [CheckedAddress("8.8.8.8", 25)]


async def test_a_network_opened_without_a_port_is_open_on_every_port() -> None:
    rules = EgressRules(allowed=parse_allowed_networks("127.0.0.0/8"))

    assert await resolve("127.0.0.1", 40123, rules) == [CheckedAddress("127.0.0.1", 40123)]
    with pytest.raises(EgressError):
        await resolve("8.8.8.8", 40123, rules)


async def test_a_network_opened_on_a_port_needs_no_other_setting() -> None:
    rules = EgressRules(allowed=parse_allowed_networks("10.0.0.0/8:10025"))

    assert await resolve("10.1.2.3", 10025, rules) == [CheckedAddress("10.1.2.3", 10025)]


async def test_the_systems_own_names_are_known() -> None:
    assert "127.0.0.1" in await system_lookup("localhost", 25)


async def test_a_refused_host_is_told_nothing_but_that_it_is_not_allowed(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        for answers in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"]):
            rules = EgressRules(lookup=answering(answers), extra_ports=frozenset({server.port}))
            restricted = endpoint(server.port, host="mail.example.com", restricted=True)
            outcome = await connect(restricted, options(egress=rules)).send(envelope(), MESSAGE)

            assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.CONFIGURATION, Stage.RESOLVE)
            assert (outcome.hint, outcome.reply) == ("This host is not allowed.", "")
        assert server.connections == 0


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        allowed = parse_allowed_networks(f"127.0.0.1/32:{server.port}")
        lookup = answering(["127.0.0.1"], ["127.0.0.2"])
        rules = EgressRules(allowed=allowed, extra_ports=frozenset({server.port}), lookup=lookup)
        rebinding = endpoint(server.port, host="mail.example.com", restricted=True)
        transport = connect(rebinding, options(egress=rules, messages_per_connection=1))

        first = await transport.send(envelope(), MESSAGE)
        second = await transport.send(envelope(), MESSAGE)

        assert first.verdict is SENT
        assert second.party is Party.CONFIGURATION
        assert server.connections == 1


def raising(error: Exception) -> Lookup:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise error

    return lookup


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "not known in the DNS"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "did not answer in time"),
        (socket.gaierror(socket.EAI_SYSTEM, "no file left to ask with"), "did not answer in time"),
        (TimeoutError(), "did not answer in time"),
    ],
)
async def test_a_name_that_does_not_resolve_is_the_servers_failure(
    connect: Connect, error: Exception, words: str
) -> None:
    rules = EgressRules(lookup=raising(error))
    unknown = endpoint(25, host="mail.example.com", restricted=True)
    outcome = await connect(unknown, options(egress=rules)).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party, outcome.stage) == (RETRY, Party.MAIL_SERVER, Stage.RESOLVE)
    assert words in outcome.hint


async def test_an_address_without_a_route_makes_way_for_the_next(connect: Connect) -> None:
    async with ScriptedServer(polite()) as server:
        # 127.0.0.2 refuses the connection: the server listens on 127.0.0.1 only.
        rules = EgressRules(lookup=answering(["2001:db8::1", "127.0.0.2", "127.0.0.1"]))
        many = endpoint(server.port, host="mail.example.com")
        transport = connect(many, options(egress=rules, deadlines=short(connect=3)))

        outcome = await transport.send(envelope(), MESSAGE)

        assert outcome.verdict is SENT
