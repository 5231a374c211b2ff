"""What the DNS says of the sender's domain is advice: a warning with a name, never a failure."""

import pytest
from tests.transports.dns_server import DnsServer, Zone
from tests.transports.doctor_cases import GOOD_ZONE
from tests.transports.mail_samples import address

from ringpost.domain.diagnosis import Step, StepName, StepStatus
from ringpost.domain.providers import Provider, by_host
from ringpost.transports.doctor import DnsServers
from ringpost.transports.doctor.sender_domain import ask_sender_domain

MX, SPF, DMARC = StepName.MX, StepName.SPF, StepName.DMARC


async def ask(zone: Zone, sender: str = "pbx@sender.example", provider: Provider | None = None) -> dict[StepName, Step]:
    async with DnsServer(zone) as dns:
        servers = DnsServers((("127.0.0.1", dns.port),), limit=1)
        return {step.name: step for step in await ask_sender_domain(address(sender), servers, provider)}


def zone(*, mx: list[str] | None = None, txt: list[str] | None = None, dmarc: list[str] | None = None) -> Zone:
    given = {("sender.example", "MX"): mx, ("sender.example", "TXT"): txt, ("_dmarc.sender.example", "TXT"): dmarc}
    return GOOD_ZONE | {key: records for key, records in given.items() if records is not None}  # pyright: ignore[reportOperatorIssue, reportUnknownVariableType]


async def test_a_domain_with_all_records_is_good() -> None:
    steps = await ask(GOOD_ZONE)

    assert {step.status for step in steps.values()} == {StepStatus.OK}
    assert steps[MX].details["mx"] == ["mx.sender.example"]
    assert steps[SPF].details["spf"] == ["v=spf1 a -all"]


@pytest.mark.parametrize(
    ("records", "step", "trap"),
    [
        (zone(mx=[]), MX, "NO_MX"),
        (zone(mx=["0 ."]), MX, "NO_MX"),
        (zone(txt=['"something else"']), SPF, "SPF_MISSING"),
        (zone(txt=['"v=spf1 -all"', '"v=spf1 a -all"']), SPF, "SPF_TWICE"),
        (zone(dmarc=['"v=spf1"']), DMARC, "DMARC_MISSING"),
        ({}, MX, "SENDER_DOMAIN_NOT_FOUND"),
    ],
)
async def test_what_is_missing_is_a_warning_with_a_name(records: Zone, step: StepName, trap: str) -> None:
    steps = await ask(records)

    assert (steps[step].status, steps[step].trap) == (StepStatus.WARNING, trap)


@pytest.mark.parametrize(("kind", "ip"), [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")])
async def test_a_domain_with_an_address_and_no_mx_record_takes_mail_there(kind: str, ip: str) -> None:
    steps = await ask({**zone(mx=[]), ("sender.example", kind): [ip]})

    assert (steps[MX].status, steps[MX].summary) == (StepStatus.OK, "Mail for sender.example goes to sender.example.")
    assert steps[MX].details == {"mx": []}


async def test_an_mx_record_that_refuses_mail_counts_more_than_an_address() -> None:
    steps = await ask({**zone(mx=["0 ."]), ("sender.example", "A"): ["192.0.2.1"]})

    assert steps[MX].trap == "NO_MX"


async def test_of_a_domain_that_does_not_exist_nothing_more_is_said() -> None:
    steps = await ask({})

    assert [(step.status, step.trap) for step in (steps[SPF], steps[DMARC])] == [(StepStatus.SKIPPED, "")] * 2
    assert steps[SPF].summary == "sender.example does not exist."


@pytest.mark.parametrize("domain", ["pbx.sender.example", "pbx.site.sender.example", "a.b.c.d.e.f.g.h.sender.example"])
async def test_a_record_for_a_domain_above_counts(domain: str) -> None:
    steps = await ask({**GOOD_ZONE, (domain, "TXT"): ['"v=spf1 -all"']}, f"a@{domain}")

    assert steps[DMARC].status is StepStatus.OK


async def test_a_record_is_found_where_two_labels_are_nobodys() -> None:
    records = {("pbx.sender.co.example", "MX"): ["10 mx.example."], ("_dmarc.sender.co.example", "TXT"): ['"v=DMARC1"']}
    steps = await ask(records, "a@pbx.sender.co.example")

    assert steps[DMARC].summary == "sender.co.example has a DMARC record."


async def test_a_record_in_several_strings_is_one() -> None:
    steps = await ask(
        zone(txt=['"v=spf1 include:spf.protection" ".outlook.com -all"']), provider=by_host("office365.com")
    )

    assert steps[SPF].status is StepStatus.OK


@pytest.mark.parametrize(
    ("record", "trap"),
    [
        ("v=spf1 a -all", "SPF_LACKS_PROVIDER"),
        ("v=spf1 include:_spf.google.com ~all", ""),
        ("v=spf1 redirect=_spf.elsewhere.example", ""),
    ],
)
async def test_a_provider_that_the_record_does_not_name(record: str, trap: str) -> None:
    steps = await ask(zone(txt=[f'"{record}"']), provider=by_host("smtp.gmail.com"))

    assert steps[SPF].trap == trap


async def test_a_provider_at_the_end_of_a_long_record_is_found() -> None:
    strings = [f'"{"ip4:192.0.2.1 " * 15}"'] * 4
    record = " ".join(['"v=spf1 "', *strings, '"include:_spf.google.com ~all"'])
    steps = await ask(zone(txt=[record]), provider=by_host("smtp.gmail.com"))

    assert steps[SPF].trap == ""
    assert len(steps[SPF].details["spf"][0]) == 300


async def test_a_dns_server_that_is_silent() -> None:
    async with DnsServer(silent=True) as dns:
        servers = DnsServers((("127.0.0.1", dns.port),), limit=0.3)
        steps = await ask_sender_domain(address("pbx@sender.example"), servers, None)

    assert [step.trap for step in steps] == ["DOMAIN_NOT_ASKED"] * 3
    assert all(step.duration_ms < 2000 for step in steps)


async def test_only_the_servers_of_the_setting_are_asked() -> None:
    async with DnsServer(GOOD_ZONE) as dns:
        await ask_sender_domain(address("pbx@sender.example"), DnsServers((("127.0.0.1", dns.port),)), None)

        assert sorted(dns.asked) == sorted(
            [("sender.example", "MX"), ("sender.example", "TXT"), ("_dmarc.sender.example", "TXT")]
        )
