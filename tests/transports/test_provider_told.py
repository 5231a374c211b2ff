"""What people are told when a provider, or what gives tokens for it, cannot be reached or refuses the login."""

import ssl
from collections.abc import Collection
from dataclasses import replace

import pytest
from tests.transports.dns_server import DnsServer
from tests.transports.doctor_cases import GOOD_ZONE, examine
from tests.transports.mail_samples import MESSAGE, address, endpoint, envelope, options
from tests.transports.oauth_samples import APP, GRAPH, MAILBOX, USER
from tests.transports.provider_stand_in import DIRECTORY, StandIn, stand_in
from tests.transports.scripted_server import Client, ScriptedServer, polite

from ringpost.domain.access import SCOPES_OF_ROLE, Principal, Role
from ringpost.domain.credentials import Credentials
from ringpost.domain.deliveries import Party, Stage
from ringpost.domain.diagnosis import SMTP_STEPS, StepName, StepStatus
from ringpost.domain.endpoints import Endpoint, GmailEndpoint, GraphEndpoint, SmtpEndpoint, TlsMode
from ringpost.domain.tenants import TenantId
from ringpost.errors import MailServerFailed
from ringpost.transports import Transport
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.examining import Case
from ringpost.transports.microsoft365 import microsoft365
from ringpost.transports.smtp import SmtpOptions, SmtpTransport
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.room import Room
from ringpost.usecases.send_test_mail import parse_test_mail, send_test_mail

TEST_MAIL = parse_test_mail({"recipient": "ann@example.com", "subject": "Test", "content": "Test"})
CREDENTIALS = {"provider": "MS365", "tenant": DIRECTORY, "client_id": "app", "client_secret": "made-up"}


@pytest.fixture
def authorities(provider: StandIn, good_tls: ssl.SSLContext, ca_file: str) -> tuple[ssl.SSLContext, SmtpOptions]:
    """A certificate that is good, and options with tokens that are to be had."""
    return good_tls, options(ca_file=ca_file, tokens=provider.providers(ca_file).tokens)


def mailbox(port: int, credentials: Credentials) -> SmtpEndpoint:
    """A mailbox that is logged in to with a token."""
    return replace(endpoint(port, host="localhost", tls=TlsMode.IMPLICIT, username=MAILBOX), oauth=credentials)


async def test_a_test_mail_tells_that_there_was_a_token_when_the_api_cannot_be_reached(
    room: Room, acme: TenantId, provider: StandIn, ca_file: str
) -> None:
    ann = Principal(acme, Role.TENANT_ADMIN, SCOPES_OF_ROLE[Role.TENANT_ADMIN], "ann", "token")
    providers = provider.providers(ca_file, graphs={GRAPH.app.cloud: "https://localhost:1"})

    def open_transport(
        to: Endpoint, *, overall_s: float | None = None, urgent: bool = False, beside: Collection[Transport] = ()
    ) -> Transport:
        assert isinstance(to, GraphEndpoint)
        assert not beside
        return microsoft365(to, providers, overall_s=overall_s, urgent=urgent)

    room = replace(room, open_transport=open_transport)
    await change_oauth(room, ann, CREDENTIALS)
    await change_settings(room, ann, {"type": "MS365", "username": MAILBOX})
    with pytest.raises(MailServerFailed) as failed:
        await send_test_mail(room, ann, TEST_MAIL)

    detail = failed.value.detail
    assert detail["stage"] == "connect"
    assert detail["steps"] == [{"name": "token", "status": "ok"}, {"name": "api", "status": "failed"}]


@pytest.mark.parametrize(("to", "included"), [(GRAPH, "spf.protection.outlook.com"), (USER, "_spf.google.com")])
async def test_the_doctor_tells_that_the_domain_does_not_permit_the_provider(
    provider: StandIn, ca_file: str, to: GraphEndpoint | GmailEndpoint, included: str
) -> None:
    async def asked(record: str) -> str:
        async with DnsServer({**GOOD_ZONE, ("sender.example", "TXT"): [record]}) as dns:
            doctor = Doctor(options(tokens=provider.providers(ca_file).tokens), DnsServers((("127.0.0.1", dns.port),)))
            case = Case(to, address(MAILBOX))
            return next(step.trap for step in [one async for one in doctor.examine(case)] if step.name is StepName.SPF)

    assert await asked('"v=spf1 a -all"') == "SPF_LACKS_PROVIDER"
    assert await asked(f'"v=spf1 include:{included} -all"') == ""


async def test_the_doctor_does_not_blame_the_mail_server_when_the_authority_cannot_be_trusted(
    bad_tls: dict[str, ssl.SSLContext], good_tls: ssl.SSLContext, ca_file: str
) -> None:
    async with stand_in(bad_tls["wrong name"]) as other, ScriptedServer(polite(), context=good_tls) as server:
        chosen = options(tokens=other.providers(ca_file).tokens)
        examined = await examine(mailbox(server.port, APP), ca_file=ca_file, chosen=chosen)

        assert (examined.failed.name, examined.failed.trap) == (StepName.TOKEN, "WRONG_NAME")
        assert {examined[name].status for name in SMTP_STEPS} == {StepStatus.SKIPPED}
        assert server.connections == 0


async def test_who_sends_by_an_api_is_not_told_of_starttls_when_a_proxy_answers_in_clear(
    provider: StandIn, ca_file: str
) -> None:
    async def portal(client: Client) -> None:
        await client.reader.read(1)
        await client.say(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")

    async with ScriptedServer(portal) as server:
        graphs = {GRAPH.app.cloud: f"https://localhost:{server.port}"}
        transport = microsoft365(GRAPH, provider.providers(ca_file, graphs=graphs))
        outcome = await transport.send(envelope(), MESSAGE)
        await transport.close()

    assert (outcome.party, outcome.stage, outcome.trap) == (Party.MAIL_SERVER, Stage.TLS, "")
    assert "proxy" in outcome.hint


@pytest.mark.parametrize("offered", ["AUTH XOAUTH2", "AUTH PLAIN LOGIN"])
@pytest.mark.parametrize(
    ("credentials", "says", "trap"),
    [
        (APP, b"535 5.7.3 Authentication unsuccessful", "MICROSOFT_TOKEN_LOGIN_REFUSED"),
        (APP, b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
         "MICROSOFT_TOKEN_LOGIN_REFUSED"),
        (USER.credentials, b"535 5.7.8 Username and Password not accepted. gsmtp", "GOOGLE_TOKEN_LOGIN_REFUSED"),
    ],
)  # fmt: skip
async def test_who_logs_in_with_a_token_is_not_told_to_mend_a_password(
    authorities: tuple[ssl.SSLContext, SmtpOptions],
    credentials: Credentials,
    says: bytes,
    trap: str,
    offered: str,
) -> None:
    context, chosen = authorities
    script = polite({"AUTH": says + b"\r\n"}, capabilities=[offered], context=context)
    async with ScriptedServer(script, context=context) as server:
        transport = SmtpTransport(mailbox(server.port, credentials), chosen)
        outcome = await transport.send(envelope(), MESSAGE)
        await transport.close()

    assert (outcome.stage, outcome.party, outcome.trap) == (Stage.AUTH, Party.CONFIGURATION, trap)
    assert "leave server empty" in outcome.hint
    assert "password" not in outcome.hint
