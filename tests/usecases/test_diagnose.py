"""What the steps come to: which server is examined, what a borrower sees, and settings that would work."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.transports.scripted_server import ScriptedServer, Trick, polite

from ringpost.cli.opening import operator
from ringpost.domain.access import Principal
from ringpost.domain.addresses import parse_address
from ringpost.domain.diagnosis import Diagnosis, Step, StepName, StepStatus, diagnosis_to_json
from ringpost.domain.endpoints import GraphEndpoint, SmtpEndpoint
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.errors import Invalid, NotConfigured, PasswordRequired
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.examining import Case
from ringpost.transports.smtp import SmtpOptions
from ringpost.usecases.change_oauth import change_oauth
from ringpost.usecases.change_settings import change_settings
from ringpost.usecases.diagnose import conclude, examine, plan_diagnosis
from ringpost.usecases.room import Options, Room
from ringpost.usecases.send_test_mail import TestMail, send_test_mail

LOOPBACK = parse_allowed_networks("127.0.0.0/8")
NOWHERE = DnsServers((("127.0.0.1", 1),), limit=0.2)
"""A port where no DNS server is."""
SAVED: dict[str, Any] = {
    "type": "SMTP",
    "server": "mail.example.com",
    "username": "pbx@example.com",
    "password": "hunter2-secret",
    "recipients": "ann@example.com",
}

OAUTH: dict[str, Any] = {
    "provider": "MS365",
    "tenant": "11111111-2222-4333-8444-555555555555",
    "client_id": "66666666-7777-4888-9999-000000000000",
    "client_secret": "hunter3-secret",
}


async def diagnose(room: Room, principal: Principal, raw: dict[str, Any]) -> Diagnosis:
    plan = await plan_diagnosis(room, principal, raw)
    return conclude(plan, [step async for step in examine(room, plan)])


@pytest.mark.parametrize("how", [diagnose, send_test_mail])
async def test_credentials_whose_key_is_gone_are_to_be_entered_again_and_not_a_password(
    room: Room, acme: TenantId, how: Any
) -> None:
    ann = operator(acme)
    await change_settings(room, ann, {**SAVED, "type": "MS365", "password": None})
    await change_oauth(room, ann, OAUTH)
    what: Any = {} if how is diagnose else TestMail(parse_address("ann@example.com"), "Hello", "there")

    with pytest.raises(NotConfigured, match="Enter the password, or the OAuth credentials, again"):
        await how(replace(room, sealer=Sealer(KeyRing.fresh())), ann, what)


class Records:
    """An `Examine` that notes what it was asked to examine, and answers with the steps of the test."""

    def __init__(self, *steps: Step) -> None:
        self.cases: list[Case] = []
        self._steps = steps

    async def __call__(self, case: Case) -> AsyncIterator[Step]:
        self.cases.append(case)
        for step in self._steps:
            yield step

    @property
    def endpoint(self) -> SmtpEndpoint:
        """What was to be examined."""
        endpoint = self.cases[-1].endpoint
        assert isinstance(endpoint, SmtpEndpoint)
        return endpoint


def failed(name: StepName, trap: str = "", **more: Any) -> Step:
    return Step(name, StepStatus.FAILED, 12, "It failed at 192.0.2.77.", trap, "hint", **more)


async def run(room: Room, tenant: TenantId, raw: dict[str, Any] | None = None, *steps: Step) -> Diagnosis:
    return await diagnose(replace(room, examine=Records(*steps)), operator(tenant), raw or {})


async def test_the_server_in_force_is_examined_with_its_stored_password(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SAVED)
    records = Records()

    diagnosis = await diagnose(replace(room, examine=records), operator(acme), {})

    assert (records.endpoint.host, records.endpoint.restricted) == ("mail.example.com", True)
    assert records.endpoint.password is not None
    assert records.endpoint.password.reveal() == "hunter2-secret"
    assert records.cases[0].recipient is not None
    assert records.cases[0].recipient.key == "ann@example.com"
    assert (diagnosis.ok, diagnosis.server) == (True, "mail.example.com:465")


async def test_a_stored_password_never_travels_to_a_changed_host(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SAVED)
    records = Records()
    unsaved = {name: value for name, value in SAVED.items() if name != "password"}

    for change in (
        {"server": "evil.example.net"},
        {"port": 2525},
        {"username": "other@example.com"},
        {"enable_starttls_auto": True},
        {"type": "GMAIL"},
    ):
        with pytest.raises(PasswordRequired):
            await diagnose(replace(room, examine=records), operator(acme), unsaved | change)

    assert records.cases == []
    await diagnose(replace(room, examine=records), operator(acme), unsaved | {"reply_to": "office@example.com"})
    assert records.endpoint.password is not None


async def test_unsaved_settings_are_examined_and_not_saved(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(acme), SAVED)
    records = Records()
    unsaved = SAVED | {"server": "new.example.com", "port": 587, "password": "another"}

    await diagnose(replace(room, examine=records), operator(acme), unsaved)
    assert (records.endpoint.host, records.endpoint.port) == ("new.example.com", 587)
    assert records.endpoint.password is not None
    assert records.endpoint.password.reveal() == "another"

    await diagnose(replace(room, examine=records), operator(acme), {})
    assert records.endpoint.host == "mail.example.com"


@pytest.mark.parametrize(
    "wrong", [{"server": "10.0.0.1"}, {"port": 22}, {"auth": "CRAM-MD5"}, {"recipient": "nobody"}, {"recipient": 5}]
)
async def test_unsaved_settings_are_held_to_the_same_rules(room: Room, acme: TenantId, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await run(room, acme, SAVED | wrong)


async def test_without_any_server_there_is_nothing_to_examine(room: Room, acme: TenantId) -> None:
    with pytest.raises(NotConfigured):
        await run(room, acme)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "pbx"}, "NO_SENDER"),
        ({"auth": "LOGIN", "password": ""}, "NO_PASSWORD"),
        ({"type": "GMAIL", "server": None, "password": ""}, "NO_CREDENTIALS"),
        ({"type": "MS365", "server": None, "password": ""}, "NO_CREDENTIALS"),
    ],
)
async def test_settings_that_are_not_complete_say_what_is_missing(
    room: Room, acme: TenantId, change: dict[str, Any], code: str
) -> None:
    diagnosis = await run(room, acme, SAVED | change)

    assert not diagnosis.ok
    assert diagnosis.steps[0].name is StepName.SETTINGS
    assert [one.code for one in diagnosis.findings] == [code]
    assert all(step.status is StepStatus.SKIPPED for step in diagnosis.steps[1:])


async def test_a_borrower_sees_no_more_than_a_test_mail_tells(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(SYSTEM), SAVED | {"server": "10.9.8.7", "username": "op@inside.example"})
    records = Records(
        Step(StepName.RESOLVE, StepStatus.OK, 1, "It is at 10.9.8.7.", details={"addresses": ["10.9.8.7"]}),
        Step(StepName.GREETING, StepStatus.OK, 1, "x", reply="mail.inside.example ready"),
        failed(StepName.AUTH, "LOGIN_REFUSED", code=535, reply="535 no", details={"x": "10.9.8.7"}),
    )
    await change_settings(
        room, operator(acme), {"type": "GMAIL", "username": "a@acme.example", "recipients": "ann@acme.example"}
    )

    diagnosis = await diagnose(replace(room, examine=records), operator(acme), {})

    assert not records.cases[0].ask_domain
    assert (diagnosis.server, diagnosis.provider) == (None, None)
    assert [dict(step.details) for step in diagnosis.steps] == [{}, {}, {}]
    assert [step.reply for step in diagnosis.steps] == ["", "", "535 no"]
    assert [dict(one.suggested_settings) for one in diagnosis.findings] == [{}]
    shown = repr(diagnosis_to_json(diagnosis))
    assert "10.9.8.7" not in shown
    assert "inside.example" not in shown


async def test_a_borrower_can_only_try_recipients_of_its_own(room: Room, acme: TenantId) -> None:
    await change_settings(room, operator(SYSTEM), SAVED)

    with pytest.raises(Invalid):
        await run(room, acme, {"recipient": "stranger@example.com"})


async def test_the_administrators_server_may_be_anywhere(room: Room) -> None:
    records = Records()

    await diagnose(replace(room, examine=records), operator(SYSTEM), SAVED | {"server": "mailpit"})

    assert (records.endpoint.host, records.endpoint.restricted) == ("mailpit", False)


@pytest.mark.parametrize(
    ("change", "suggested"),
    [
        ({"server": "smtp.office365.com", "port": 465}, {"port": 587, "enable_starttls_auto": True}),
        ({"server": "smtp.gmail.com", "port": 25}, {"port": 465}),
        ({"server": "smtp.google.com"}, {"server": "smtp.gmail.com", "port": 465}),
        ({"server": "smtp.gmail.com", "port": 587}, None),
        ({"server": "email-smtp.eu-west-1.amazonaws.com"}, None),
    ],
)
async def test_a_provider_is_recognised_and_its_settings_suggested(
    room: Room, acme: TenantId, change: dict[str, Any], suggested: dict[str, Any] | None
) -> None:
    diagnosis = await run(room, acme, SAVED | change)

    assert diagnosis.provider is not None
    found = [one for one in diagnosis.findings if one.code == "PROVIDER_SETTINGS_DIFFER"]
    assert [dict(one.suggested_settings) for one in found] == ([] if suggested is None else [suggested])


async def test_a_provider_is_recognised_by_its_greeting_and_by_the_mx(room: Room, acme: TenantId) -> None:
    greeting = Step(StepName.GREETING, StepStatus.OK, 1, "", reply="smtp.messagingengine.com ESMTP ready")
    mx = Step(StepName.MX, StepStatus.OK, 1, "", details={"mx": ["example-com.mail.protection.outlook.com"]})

    by_greeting = await run(room, acme, SAVED, greeting, mx)
    by_mx = await run(room, acme, SAVED, mx)

    assert by_greeting.provider is not None
    assert by_greeting.provider.name == "Fastmail"
    assert by_mx.provider is not None
    assert by_mx.provider.name == "Microsoft 365"
    assert by_mx.findings == ()


async def test_a_failure_without_a_name_still_becomes_a_finding(room: Room, acme: TenantId) -> None:
    diagnosis = await run(room, acme, SAVED, failed(StepName.TOKEN), failed(StepName.API))

    assert [(one.code, one.explanation) for one in diagnosis.findings] == [
        ("TOKEN_REFUSED", "hint"),
        ("UNKNOWN", "hint"),
    ]


async def test_what_several_steps_find_is_told_once(room: Room, acme: TenantId) -> None:
    silent = [
        Step(name, StepStatus.WARNING, 1, "", "DOMAIN_NOT_ASKED", "x")
        for name in (StepName.MX, StepName.SPF, StepName.DMARC)
    ]

    assert [one.code for one in (await run(room, acme, SAVED, *silent)).findings] == ["DOMAIN_NOT_ASKED"]


async def test_a_personal_address_at_a_companys_server_gets_its_own_advice(room: Room, acme: TenantId) -> None:
    diagnosis = await run(room, acme, SAVED | {"server": "smtp.office365.com", "username": "jane@outlook.com"})

    assert diagnosis.provider is not None
    assert diagnosis.provider.name == "Outlook.com"


async def test_what_failed_comes_before_what_is_advice(room: Room, acme: TenantId) -> None:
    warning = Step(StepName.SPF, StepStatus.WARNING, 1, "", "SPF_MISSING", "x")

    diagnosis = await run(room, acme, SAVED, warning, failed(StepName.RCPT_TO, "RELAYING_DENIED"))

    assert [one.code for one in diagnosis.findings] == ["RELAYING_DENIED", "SPF_MISSING"]


async def test_the_name_in_the_certificate_is_suggested(room: Room, acme: TenantId) -> None:
    step = failed(StepName.TLS, "WRONG_NAME", details={"names": ["*.example.net", "mx.example.net"]})

    diagnosis = await run(room, acme, SAVED, step)

    assert dict(diagnosis.findings[0].suggested_settings) == {"server": "mx.example.net"}


async def test_what_is_suggested_works(room: Room, acme: TenantId, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    there = wired(room, str(tmp_path / "ca.pem"))
    async with ScriptedServer(polite(context=context)) as server:
        posted = SAVED | {"server": "127.0.0.1", "port": server.port, "auth": "DISABLE", "password": ""}
        first = await diagnose(there, operator(acme), posted)
        assert first.findings[0].code == "IMPLICIT_TLS_ON_STARTTLS_PORT"

        second = await diagnose(there, operator(acme), posted | dict(first.findings[0].suggested_settings))

    assert (first.ok, second.ok) == (False, True)


async def test_a_silent_server_is_told_in_time(room: Room, acme: TenantId) -> None:
    async with ScriptedServer(polite({"GREETING": Trick.DROP})) as server:
        posted = SAVED | {"server": "127.0.0.1", "port": server.port, "auth": "DISABLE", "enable_tls_ssl": False}
        diagnosis = await diagnose(wired(room), operator(acme), posted)

    assert diagnosis.findings[0].code == "CLOSED_BEFORE_GREETING"
    assert "hunter2" not in repr(diagnosis_to_json(diagnosis))


@pytest.mark.parametrize("saved", [False, True])
async def test_where_answers_go_is_examined_too(room: Room, acme: TenantId, saved: bool) -> None:
    there = wired(room)
    async with ScriptedServer(polite()) as server:
        plain = {"server": "127.0.0.1", "port": server.port, "auth": "DISABLE", "password": "", "enable_tls_ssl": False}
        fields = SAVED | plain | {"reply_to": "jörg@example.com"}
        if saved:
            await change_settings(there, operator(acme), fields)
        diagnosis = await diagnose(there, operator(acme), {} if saved else fields)

    assert [one.code for one in diagnosis.findings][:1] == ["SMTPUTF8_MISSING"]


def wired(room: Room, ca_file: str | None = None) -> Room:
    """The room, with a doctor that may examine servers on loopback."""
    options = SmtpOptions("ringpost.test", ca_file=ca_file, egress=EgressRules(allowed=LOOPBACK))
    examine = Doctor(options, NOWHERE).examine
    return replace(room, examine=examine, options=Options("pbx.example", ServerRules(allowed=LOOPBACK)))


async def test_stored_oauth_credentials_count_for_settings_that_are_not_saved(room: Room, acme: TenantId) -> None:
    await change_oauth(room, operator(acme), OAUTH)
    records = Records()
    unsaved = {"type": "MS365", "username": "pbx@example.com"}

    diagnosis = await diagnose(replace(room, examine=records), operator(acme), unsaved)

    endpoint = records.cases[0].endpoint
    assert isinstance(endpoint, GraphEndpoint)
    assert endpoint.app.client_secret == Secret(OAUTH["client_secret"])
    assert diagnosis.server == "Microsoft Graph"
    assert OAUTH["client_secret"] not in repr(diagnosis)
