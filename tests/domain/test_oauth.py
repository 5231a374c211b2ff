"""When a warning is due, and where the operator's settings lead."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from ringpost.config import Config
from ringpost.domain.credentials import Cloud, MicrosoftApp, ProviderHosts, SmtpHost, parse_smtp_host
from ringpost.domain.endpoints import Auth, GraphEndpoint, SmtpEndpoint, TlsMode
from ringpost.domain.mail_servers import MailServer, ServerType
from ringpost.domain.oauth import expiry_warning, warning_due
from ringpost.domain.secrets import Secret

APP = MicrosoftApp("acme.example", "id", client_secret=Secret("s"))
SERVER = MailServer(ServerType.MS365, None, None, None, "pbx@acme.example", None, Auth.AUTO, True, False, oauth=APP)


@pytest.mark.parametrize(
    ("days", "warned", "due"),
    [
        (31, None, None), (30, None, 30), (29, 30, None), (14, 30, 14), (10, 30, 14), (10, 14, None), (7, 14, 7),
        (2, 7, None), (1, 7, 1), (1, 1, None), (0, 1, None), (-3, None, None), (3, None, 7),
    ],
)  # fmt: skip
def test_a_warning_is_due_once_at_each_threshold(days: int, warned: int | None, due: int | None) -> None:
    assert warning_due(days, warned) == due


def test_the_sentence_says_how_long_it_takes() -> None:
    assert expiry_warning(None) is None
    assert expiry_warning(31) is None
    assert "within 30 days" in (expiry_warning(30) or "")
    assert "within 1 day." in (expiry_warning(1) or "")
    assert "have expired" in (expiry_warning(0) or "")


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        (Cloud.GLOBAL, "smtp.office365.com"),
        (Cloud.US_GOVERNMENT, "smtp.office365.us"),
        (Cloud.CHINA, "smtp.partner.outlook.cn"),
    ],
)
def test_every_cloud_has_its_own_smtp_server(cloud: Cloud, host: str) -> None:
    server = replace(SERVER, server=host, oauth=replace(APP, cloud=cloud))
    endpoint = server.endpoint(restricted=True)
    assert isinstance(endpoint, SmtpEndpoint)
    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.restricted) == (host, 587, TlsMode.STARTTLS, True)


def test_the_operator_may_name_another_smtp_server_and_it_may_be_anywhere() -> None:
    hosts = ProviderHosts(microsoft=SmtpHost("relay.internal", 465))
    endpoint = replace(SERVER, server="relay.internal").endpoint(restricted=True, hosts=hosts)
    assert isinstance(endpoint, SmtpEndpoint)
    assert (endpoint.label, endpoint.tls, endpoint.restricted) == ("relay.internal:465", TlsMode.IMPLICIT, False)


def test_what_a_tenant_types_never_gets_a_token() -> None:
    assert isinstance(replace(SERVER, server="evil.example").endpoint(restricted=True), GraphEndpoint)


@pytest.mark.parametrize("text", ["", "smtp.example.com", "smtp.example.com:x", "smtp.example.com:70000", "a b:587"])
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_smtp_host(text)


@pytest.mark.parametrize(
    "url", ["http://login.example", "login.example", "https://", "https://u@x.example", "https://x?y"]
)
def test_the_operators_addresses_are_https(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Config(data_dir=tmp_path, microsoft_graph_url=url)


def test_an_address_of_the_operator_needs_no_slash_at_its_end(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, gmail_api_url="https://gmail.example/", google_smtp_host="smtp.example:587")
    assert config.gmail_api_url == "https://gmail.example"
    assert config.provider_hosts.google == SmtpHost("smtp.example", 587)
