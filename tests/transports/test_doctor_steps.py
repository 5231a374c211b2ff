"""The doctor walks the way of a mail, shows every step as it is made, and sends nothing."""

import asyncio
import ssl
import time

import pytest
from tests.patience import patience
from tests.transports.dns_server import DnsServer
from tests.transports.doctor_cases import GOOD_ZONE, RECIPIENT, SENDER, examine
from tests.transports.mail_samples import PASSWORD, address, endpoint, options, with_login
from tests.transports.scripted_server import ScriptedServer, Trick, polite
from tests.transports.test_smtp_tls_and_login import seen_nothing_secret

from ringpost.domain.credentials import Grant, MicrosoftApp
from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.diagnosis import DOMAIN_STEPS, SMTP_STEPS, StepName, StepStatus
from ringpost.domain.endpoints import GraphEndpoint, TlsMode
from ringpost.domain.secrets import Secret
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.doctor import doctor as doctor_module
from ringpost.transports.egress import EgressRules
from ringpost.transports.examining import Case

LOGIN = ("PIPELINING", "AUTH PLAIN LOGIN", "SIZE 1000")


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC, TlsMode.IMPLICIT])
async def test_a_good_server_is_good_at_every_step(good_tls: ssl.SSLContext, ca_file: str, tls: TlsMode) -> None:
    implicit = tls is TlsMode.IMPLICIT
    script = polite(capabilities=LOGIN, context=None if implicit else good_tls)
    async with ScriptedServer(script, context=good_tls if implicit else None) as server:
        examined = await examine(with_login(server.port, tls=tls), ca_file=ca_file)

        assert {step.name for step in examined.steps} == {*SMTP_STEPS, *DOMAIN_STEPS}
        assert {step.name: step.status for step in examined.steps if step.status is not StepStatus.OK} == {}
        assert examined[StepName.TLS].details["version"] in ("TLSv1.2", "TLSv1.3")
        assert examined[StepName.TLS].details["days_left"] > 14
        assert examined[StepName.OFFERS].details["auth"] == ["LOGIN", "PLAIN"]
        assert examined[StepName.OFFERS].details["size"] == 1000
        assert all(step.duration_ms >= 0 for step in examined.steps)


async def test_only_names_are_shown_of_what_a_server_says_that_it_offers() -> None:
    odd = "AUTH PLAIN \x1b[2J \x9b31m <b> SCRAM-SHA-256-PLUS-AND-MORE X_OWN " + " ".join(f"Z{n:03}" for n in range(300))
    async with ScriptedServer(polite(capabilities=(odd, "AUTH=LOGIN"))) as server:
        offers = (await examine(endpoint(server.port)))[StepName.OFFERS]

    assert offers.details["auth"][:4] == ["LOGIN", "PLAIN", "X_OWN", "Z000"]
    assert len(offers.details["auth"]) == 40
    assert offers.summary.isprintable()
    assert len(offers.summary) < 300


async def test_nothing_is_sent_and_the_server_is_left_politely(good_tls: ssl.SSLContext, ca_file: str) -> None:
    async with ScriptedServer(polite(capabilities=LOGIN, context=good_tls)) as server:
        await examine(with_login(server.port), ca_file=ca_file)

        verbs = [line.partition(b" ")[0] for line in server.commands]
        assert verbs[-4:] == [b"MAIL", b"RCPT", b"RSET", b"QUIT"]
        assert b"DATA" not in verbs
        assert (server.mails, server.connections) == ([], 1)
        assert server.said(b"MAIL") == [f"MAIL FROM:<{SENDER}>".encode()]
        assert server.said(b"RCPT") == [f"RCPT TO:<{RECIPIENT}>".encode()]


async def test_without_a_recipient_none_is_tried() -> None:
    async with ScriptedServer(polite()) as server:
        examined = await examine(endpoint(server.port), recipient=None)

        assert examined[StepName.RCPT_TO].status is StepStatus.SKIPPED
        assert server.said(b"RCPT") == []


async def test_a_server_without_login_and_tls_works_with_a_warning() -> None:
    async with ScriptedServer(polite()) as server:
        examined = await examine(endpoint(server.port))

        assert examined.ok
        assert examined.traps == ["NOT_ENCRYPTED"]
        assert examined[StepName.AUTH].status is StepStatus.SKIPPED


async def test_what_comes_behind_a_failure_is_skipped_and_says_why() -> None:
    async with ScriptedServer(polite({"MAIL": b"550 5.1.8 sender\r\n"})) as server:
        examined = await examine(endpoint(server.port))

        assert examined.failed.name is StepName.MAIL_FROM
        assert (examined.failed.code, examined.failed.enhanced_code) == (550, "5.1.8")
        assert "5.1.8 sender" in examined.failed.reply
        assert examined[StepName.RCPT_TO].status is StepStatus.SKIPPED
        assert examined[StepName.MX].status is StepStatus.OK


async def test_steps_come_while_they_are_made() -> None:
    async with DnsServer(GOOD_ZONE) as dns, ScriptedServer(polite({"MAIL": Trick.SILENCE})) as server:
        doctor = Doctor(options(), DnsServers((("127.0.0.1", dns.port),)))
        steps = doctor.examine(Case(endpoint(server.port), address(SENDER)))
        async with patience(5):
            names = [(await anext(steps)).name for _ in range(5)]
        await steps.aclose()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  it is a generator

        assert names[:2] == [StepName.RESOLVE, StepName.CONNECT]


async def test_the_whole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "LONGEST_S", 0.5)
    async with ScriptedServer(polite({"MAIL": Trick.SILENCE})) as server:
        began = time.monotonic()
        examined = await examine(endpoint(server.port))

        assert time.monotonic() - began < 5
        assert examined.failed.name is StepName.MAIL_FROM
        assert examined.failed.trap == "TIMEOUT"


async def test_a_slow_greeting_is_waited_for() -> None:
    async def slowly(client: object) -> None:
        await asyncio.sleep(3)
        await polite()(client)  # pyright: ignore[reportArgumentType]

    async with ScriptedServer(slowly) as server:
        examined = await examine(endpoint(server.port))

        assert examined.ok
        assert examined[StepName.GREETING].status is StepStatus.OK


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.OPPORTUNISTIC, TlsMode.IMPLICIT])
@pytest.mark.parametrize("fault", ["wrong name", "self-signed", "expired"])
async def test_no_byte_of_the_password_goes_before_tls_is_verified(
    bad_tls: dict[str, ssl.SSLContext], ca_file: str, tls: TlsMode, fault: str
) -> None:
    implicit = tls is TlsMode.IMPLICIT
    script = polite(capabilities=LOGIN, context=None if implicit else bad_tls[fault])
    async with ScriptedServer(script, context=bad_tls[fault] if implicit else None) as server:
        examined = await examine(with_login(server.port, tls=tls), ca_file=ca_file)

        assert examined.failed.name is StepName.TLS
        assert seen_nothing_secret(server)
        assert server.connections == (1 if implicit else 2), "one looks at the certificate"


@pytest.mark.parametrize("implicit", [True, False])
async def test_the_probes_say_nothing_secret(good_tls: ssl.SSLContext, ca_file: str, implicit: bool) -> None:
    script = polite(capabilities=LOGIN)
    wrong = TlsMode.STARTTLS if implicit else TlsMode.IMPLICIT
    async with ScriptedServer(script, context=good_tls if implicit else None) as server:
        examined = await examine(with_login(server.port, tls=wrong), ca_file=ca_file)

        assert not examined.ok
        assert seen_nothing_secret(server)


@pytest.mark.parametrize("verb", ["AUTH", "MAIL", "RCPT"])
async def test_secrets_that_a_server_repeats_are_in_no_step(good_tls: ssl.SSLContext, ca_file: str, verb: str) -> None:
    answers = {verb: f"550 5.7.1 your password is {PASSWORD}\r\n".encode()}
    async with ScriptedServer(polite(answers, capabilities=LOGIN, context=good_tls)) as server:
        examined = await examine(with_login(server.port), ca_file=ca_file)

        assert not examined.ok
        assert PASSWORD not in repr(examined.steps)
        assert "***" in examined.failed.reply


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["169.254.169.254"], ["192.0.2.1", "10.1.2.3"], ["::1"]])
async def test_a_refused_host_is_not_allowed_and_nothing_else_is_told(answers: list[str]) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(0.05)
        return answers

    examined = await examine(
        endpoint(587, host="inside.example.com", restricted=True), egress=EgressRules(lookup=lookup)
    )

    step = examined.failed
    assert (step.name, step.trap, step.hint) == (StepName.RESOLVE, "NOT_ALLOWED", "This host is not allowed.")
    assert (step.duration_ms, step.reply, step.code, dict(step.details)) == (0, "", None, {})
    shown = repr(examined.steps[: len(SMTP_STEPS)])
    assert not any(answer in shown for answer in answers)
    assert all(one.duration_ms == 0 for one in examined.steps if one.name in SMTP_STEPS)


async def test_an_answer_of_the_dns_that_changes_is_checked_anew() -> None:
    turns = iter([["203.0.113.7"], ["127.0.0.1"]])

    async def lookup(_host: str, _port: int) -> list[str]:
        return next(turns)

    rules = EgressRules(lookup=lookup)
    first = await examine(endpoint(587, host="mail.example.com", restricted=True), egress=rules)
    second = await examine(endpoint(587, host="mail.example.com", restricted=True), egress=rules)

    assert first.failed.trap == second.failed.trap == "NOT_ALLOWED"


class Tokens:
    """Gives the same answer to every grant."""

    def __init__(self, answer: Secret | Outcome) -> None:
        self._answer = answer

    async def token(self, grant: Grant, *, instead_of: Secret | None = None) -> Secret | Outcome:  # noqa: ARG002
        """Part of `TokenSource`."""
        return self._answer


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (Secret("ey-secret"), StepStatus.OK),
        (
            Outcome(RETRY, Stage.TOKEN, Party.CONFIGURATION, 401, hint="The client secret has expired."),
            StepStatus.FAILED,
        ),
    ],
)
async def test_of_a_providers_api_the_access_token_is_examined(answer: Secret | Outcome, token: StepStatus) -> None:
    graph = GraphEndpoint("pbx@sender.example", MicrosoftApp("organisation", "client"))
    async with DnsServer(GOOD_ZONE) as dns:
        doctor = Doctor(options(tokens=Tokens(answer)), DnsServers((("127.0.0.1", dns.port),)))
        steps = {step.name: step async for step in doctor.examine(Case(graph, address(SENDER)))}

    assert (steps[StepName.TOKEN].status, steps[StepName.API].status) == (token, StepStatus.SKIPPED)
    assert "ey-secret" not in repr(steps)
    assert steps[StepName.MX].status is StepStatus.OK


async def test_a_login_with_an_access_token_is_the_same_way(good_tls: ssl.SSLContext, ca_file: str) -> None:
    app = MicrosoftApp("organisation", "client")
    tokens = options(tokens=Tokens(Secret("ey-secret")))
    answers = {"AUTH": b"235 2.7.0 welcome ey-secret\r\n"}
    async with ScriptedServer(polite(answers, capabilities=["AUTH XOAUTH2"], context=good_tls)) as server:
        examined = await examine(with_login(server.port, oauth=app, password=None), ca_file=ca_file, chosen=tokens)

        assert examined.ok
        assert server.said(b"AUTH XOAUTH2 ")
        assert "ey-secret" not in repr(examined.steps)
