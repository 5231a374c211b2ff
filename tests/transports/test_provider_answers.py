"""HTTP beneath Microsoft Graph and the Gmail API: answers that break off, are packed, have no end or do not come."""

import asyncio
import gzip
import ssl
import sys
import tracemalloc

import pytest
from tests.transports.mail_samples import MESSAGE, envelope
from tests.transports.oauth_samples import GRAPH, USER
from tests.transports.provider_stand_in import Say, StandIn, send, stand_in, transport_to

from ringpost.domain.deliveries import RETRY, SENT, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint


async def test_a_connection_that_ends_after_the_mail_is_ambiguous(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(drop=True))
    outcome = await send(provider.providers(ca_file), GRAPH)
    assert (outcome.verdict, outcome.stage, outcome.party, outcome.ambiguous) == (RETRY, Stage.API, None, True)


async def test_an_acceptance_that_breaks_off_before_its_words_is_ambiguous(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(202, None, {"Content-Length": "20"}, last=True))
    outcome = await send(provider.providers(ca_file), GRAPH)
    assert (outcome.verdict, outcome.party, outcome.ambiguous) == (RETRY, None, True)


async def test_a_refusal_that_breaks_off_is_still_a_refusal(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(503, None, {"Content-Length": "20", "Retry-After": "40"}, last=True))
    outcome = await send(provider.providers(ca_file), GRAPH)
    assert (outcome.party, outcome.code, outcome.retry_after) == (Party.MAIL_SERVER, 503, 40)
    assert not outcome.ambiguous


async def test_of_an_answer_without_an_end_only_the_beginning_is_read(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(503, b"x" * 10_000, {"Retry-After": "40"}, endless=True))
    async with asyncio.timeout(30):  # a whole answer may take two minutes
        outcome = await send(provider.providers(ca_file), GRAPH)
    assert (outcome.party, outcome.code, outcome.retry_after) == (Party.MAIL_SERVER, 503, 40)


async def test_of_an_answer_that_is_packed_no_more_is_unpacked_than_is_read(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(503, gzip.compress(b"x" * (64 << 20)), {"Content-Encoding": "gzip", "Retry-After": "40"}))
    providers = provider.providers(ca_file)
    tracemalloc.start()
    try:
        outcome = await send(providers, GRAPH)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (outcome.party, outcome.code, outcome.retry_after) == (Party.MAIL_SERVER, 503, 40)
    assert most < 16 << 20
    assert provider.of("send")[0].headers["accept-encoding"] == "identity"


async def test_an_acceptance_that_is_packed_all_the_same_is_one(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(200, gzip.compress(b'{"id": "18c0"}'), {"Content-Encoding": "gzip"}))
    assert (await send(provider.providers(ca_file), USER)).verdict is SENT


async def test_an_answer_that_does_not_come_is_ambiguous(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(202, after_s=5))
    outcome = await send(provider.providers(ca_file), USER, overall_s=1.0)
    assert (outcome.verdict, outcome.ambiguous) == (RETRY, True)


async def test_a_slow_answer_is_waited_for(provider: StandIn, ca_file: str) -> None:
    provider.say("send", Say(202, after_s=0.3))
    assert (await send(provider.providers(ca_file), GRAPH)).verdict is SENT


async def test_an_unknown_authority_gets_no_token_and_no_mail(bad_tls: dict[str, ssl.SSLContext], ca_file: str) -> None:
    for context in bad_tls.values():
        async with stand_in(context) as provider:
            outcome = await send(provider.providers(ca_file), GRAPH)
        assert (outcome.verdict, outcome.stage, outcome.party) == (RETRY, Stage.TOKEN, Party.MAIL_SERVER)
        assert outcome.trap in ("WRONG_NAME", "SELF_SIGNED", "PRIVATE_CA", "CERTIFICATE_EXPIRED")
        assert provider.heard == []


async def test_nobody_there_is_the_mail_servers_failure(provider: StandIn, ca_file: str) -> None:
    providers = provider.providers(ca_file, graphs={GRAPH.app.cloud: "https://localhost:1"})
    outcome = await send(providers, GRAPH)
    assert (outcome.verdict, outcome.stage, outcome.party) == (RETRY, Stage.CONNECT, Party.MAIL_SERVER)
    assert not outcome.ambiguous


async def test_proxies_of_the_environment_are_not_used(
    provider: StandIn, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (await send(provider.providers(ca_file), GRAPH)).verdict is SENT
    assert (await send(provider.providers(ca_file), USER)).verdict is SENT


@pytest.mark.parametrize("endpoint", [GRAPH, USER], ids=["graph", "gmail"])
async def test_nothing_is_looked_for_among_the_installed_modules_at_each_mail(
    provider: StandIn, ca_file: str, endpoint: GraphEndpoint | GmailEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []

    class Finder:
        """Finds nothing, so that the next one is asked."""

        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            looked_for.append(name)

    transport = transport_to(endpoint, provider.providers(ca_file))
    await transport.send(envelope(), MESSAGE)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    await transport.send(envelope(), MESSAGE)
    await transport.close()

    assert looked_for == []
