"""Providers are recognised by their servers' names, and their own settings are right for them."""

from typing import Any

import pytest

from ringpost.domain.endpoints import TlsMode
from ringpost.domain.mail_servers import MailServer
from ringpost.domain.providers import PROVIDERS, Provider, by_host, by_login, by_mx, by_words
from ringpost.domain.remedies import remedy
from ringpost.domain.server_rules import ServerRules, parse_mail_server
from ringpost.domain.traps import TRAPS


def server(**changes: Any) -> MailServer:
    fields = {"type": "SMTP", "server": "mail.example.com", "username": "a@example.com", "password": "p"}
    return parse_mail_server(fields | changes, ServerRules())


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_what_a_provider_describes_can_be_saved_and_fits(provider: Provider) -> None:
    saved = server(**provider.settings)

    assert provider.fits(saved)
    assert saved.tls[0] in (TlsMode.IMPLICIT, TlsMode.STARTTLS)
    assert by_host(provider.server) is provider
    assert not provider.fits(server(**provider.settings | {"port": 25}))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("smtp.office365.com", "Microsoft 365"),
        ("smtp-mail.outlook.com", "Outlook.com"),
        ("hotmail.com", "Outlook.com"),
        ("outlook.com", "Outlook.com"),
        ("outlook.de", "Outlook.com"),
        ("live.de", "Outlook.com"),
        ("acme-com.mail.protection.outlook.com", "Microsoft 365"),
        ("am0pr05.eurprd05.prod.outlook.com", None),
        ("smtp.gmail.com", "Gmail"),
        ("email-smtp.eu-west-1.amazonaws.com", "Amazon SES"),
        ("smtp.sendgrid.net", "SendGrid"),
        ("smtp.eu.mailgun.org", "Mailgun"),
        ("smtp.postmarkapp.com", "Postmark"),
        ("smtp.zoho.eu", "Zoho Mail"),
        ("smtp.mail.yahoo.com", "Yahoo Mail"),
        ("smtp.mail.me.com", "iCloud Mail"),
        ("ssl0.ovh.net", "OVH"),
        ("smtp.ionos.de", "IONOS"),
        ("mail.gmx.net", "GMX"),
        ("securesmtp.t-online.de", "T-Online"),
        ("notgmail.com", None),
        ("gmail.com.evil.example", None),
    ],
)
def test_a_provider_is_recognised_by_whole_labels(host: str, name: str | None) -> None:
    found = by_host(host)

    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("host", "username", "name"),
    [
        ("smtp.office365.com", "jane@outlook.com", "Outlook.com"),
        ("smtp.office365.com", "Jane@Hotmail.com", "Outlook.com"),
        ("smtp.office365.com", "jane@acme.example", "Microsoft 365"),
        ("smtp.office365.com", "jane", "Microsoft 365"),
        ("smtp.office365.com", "jane@gmail.com", "Microsoft 365"),
        ("smtp.sendgrid.net", "jane@outlook.com", "SendGrid"),
        ("mail.example.com", "jane@outlook.com", None),
    ],
)
def test_a_personal_address_is_not_told_of_microsoft_365(host: str, username: str, name: str | None) -> None:
    found = by_login(host, username)

    assert (found.name if found else None) == name


@pytest.mark.parametrize("trap", ["MICROSOFT_BASIC_AUTH_OFF", "MICROSOFT_BASIC_AUTH_RETIRED"])
def test_nobody_is_told_to_take_microsoft_365_with_a_personal_address(trap: str) -> None:
    assert remedy(trap, server(username="jane@outlook.com"), None) == {}
    assert remedy(trap, server(username="jane@acme.example"), None) == {"type": "MS365"}


def test_advice_to_take_microsoft_365_says_whom_it_is_not_for() -> None:
    told = [trap for trap in TRAPS.values() if "MS365" in trap.what_to_do]

    assert told
    assert [trap.code for trap in told if "personal" not in trap.what_to_do] == []


def test_the_longest_suffix_of_an_mx_counts() -> None:
    outlook, company = by_mx(["outlook-com.olc.protection.outlook.com."]), by_mx(["x.mail.protection.outlook.com"])

    assert outlook is not None
    assert company is not None
    assert (outlook.name, company.name) == ("Outlook.com", "Microsoft 365")
    assert by_mx(["mail.example.com"]) is None


def test_a_greeting_names_its_provider() -> None:
    found = by_words("smtp.gmail.com ESMTP 5b1f17b1804b1-43 - gsmtp")

    assert found is not None
    assert found.name == "Gmail"
    assert by_words("mail.example.com ESMTP Postfix") is None


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("port", [None, 25, 465, 587])
def test_whatever_is_suggested_can_be_saved_and_is_a_change(trap: str, port: int | None) -> None:
    for provider in (None, by_host("smtp.gmail.com")):
        before = server(port=port)
        suggested = remedy(trap, before, provider, ("mx.example.com",))
        if suggested:
            assert server(**{"port": port} | suggested) != before


@pytest.mark.parametrize(
    ("trap", "before", "suggested"),
    [
        ("IMPLICIT_TLS_ON_STARTTLS_PORT", {"port": 465}, {"port": 587, "enable_starttls_auto": True}),
        (
            "STARTTLS_ON_IMPLICIT_TLS_PORT",
            {"port": 587, "enable_starttls_auto": True},
            {"port": 465, "enable_starttls_auto": False},
        ),
        ("PORT_25_BLOCKED", {"port": 25}, {"port": 587, "enable_starttls_auto": True}),
        ("STARTTLS_NOT_OFFERED", {"port": 587}, {"port": 465}),
        ("MICROSOFT_BASIC_AUTH_OFF", {}, {"type": "MS365"}),
        ("RELAYING_DENIED", {"auth": "DISABLE"}, {"auth": "AUTO"}),
        ("RELAYING_DENIED", {"auth": "PLAIN"}, {}),
        ("WRONG_NAME", {}, {"server": "mx.example.com"}),
        ("GREYLISTED", {}, {}),
    ],
)
def test_the_way_out_of_a_trap_as_settings(trap: str, before: dict[str, Any], suggested: dict[str, Any]) -> None:
    assert remedy(trap, server(**before), None, ("*.example.com", "mx.example.com")) == suggested
