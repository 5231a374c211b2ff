"""Notification settings: what is read from JSON, what is refused, and that GET posted back changes nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringpost.domain.endpoints import Auth
from ringpost.domain.fields import as_object
from ringpost.domain.mail_servers import ServerType
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules, parse_mail_server
from ringpost.domain.settings import (
    SYSTEM_SWITCHES,
    TENANT_SWITCHES,
    Settings,
    SystemSettings,
    parse_settings,
    parse_system_settings,
    settings_to_json,
    system_settings_to_json,
)
from ringpost.errors import Invalid

RULES = ServerRules()
OWN = ServerRules(restricted=False)
LEAST = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com"}
FULL: dict[str, Any] = {
    "type": "SMTP",
    "server": "Mail.Example.com",
    "port": 587,
    "reply_to": '"Doe, Jane" <jane@example.com>',
    "username": "pbx@example.com",
    "auth": "PLAIN",
    "enable_tls_ssl": True,
    "enable_starttls_auto": True,
    "recipients": "a@example.com, Bob <b@münchen.de>",
    **dict.fromkeys(TENANT_SWITCHES, True),
}


def faults(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse_settings(raw, RULES)
    errors = caught.value.errors
    assert len({error.field for error in errors}) == len(errors)
    return {error.field: error.message for error in errors}


def system_faults(raw: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        parse_system_settings(LEAST | raw, OWN)
    return [error.field for error in caught.value.errors]


def test_what_is_left_out_takes_its_default() -> None:
    settings = parse_settings(LEAST, RULES)
    assert settings_to_json(settings, system_server_offered=True) == {
        "type": "SMTP",
        "server": "mail.example.com",
        "port": None,
        "reply_to": None,
        "username": "pbx@example.com",
        "auth": "AUTO",
        "enable_tls_ssl": True,
        "enable_starttls_auto": False,
        "recipients": None,
        "enable_system_email_server": True,
        "notify_user_registration": False,
        "notify_queue_sla_breached": False,
        "notify_queue_callback": False,
        "notify_queue_callback_failed": False,
        "notify_queue_call_lost": False,
    }


def test_null_and_blank_are_the_same_as_left_out() -> None:
    nothing = dict.fromkeys({*FULL} - {*LEAST}) | {"password": None}
    assert parse_settings(LEAST | nothing, RULES) == parse_settings(LEAST, RULES)
    blank = {"reply_to": " ", "recipients": ""}
    assert parse_settings(LEAST | blank, RULES) == parse_settings(LEAST, RULES)


def test_every_field_is_read() -> None:
    settings = parse_settings(FULL | {"password": " s3cret "}, RULES)
    assert settings.mail_server is not None
    assert settings.mail_server.password == Secret(" s3cret ")
    assert settings.mail_server.auth is Auth.PLAIN
    assert [address.wire for address in settings.recipients] == ["a@example.com", "b@xn--mnchen-3ya.de"]
    assert settings.switches == dict.fromkeys(TENANT_SWITCHES, True)


def test_what_get_returned_posted_back_changes_nothing() -> None:
    settings = parse_settings(FULL, RULES)
    shown = settings_to_json(settings, system_server_offered=True)
    assert shown == FULL | {"enable_system_email_server": True}
    assert parse_settings(json.loads(json.dumps(shown)), RULES) == settings


def test_before_anything_was_saved_there_are_defaults_and_nulls() -> None:
    shown = settings_to_json(Settings(), system_server_offered=False)
    assert shown.keys() == FULL.keys() | {"enable_system_email_server"}
    assert (shown["type"], shown["username"], shown["auth"]) == (None, None, "AUTO")
    assert (shown["enable_tls_ssl"], shown["enable_system_email_server"]) == (True, False)


def test_the_password_is_never_shown() -> None:
    settings = parse_settings(FULL | {"password": "s3cret"}, RULES)
    assert "password" not in settings_to_json(settings, system_server_offered=True)
    assert "s3cret" not in repr(settings)


def test_unknown_and_read_only_fields_are_ignored() -> None:
    raw = LEAST | {"enable_system_email_server": "yes", "colour": {"a": 1}, "hard_disk_threshold": 7}
    assert parse_settings(raw, RULES) == parse_settings(LEAST, RULES)


@pytest.mark.parametrize("value", [None, "", "smtp", "SMTP ", " SMTP", "EXCHANGE", 1, True, ["SMTP"], {}])
def test_the_type_is_one_of_three_words(value: object) -> None:
    assert list(faults(LEAST | {"type": value})) == ["type"]
    assert list(faults({key: LEAST[key] for key in ("server", "username")})) == ["type"]


def test_who_gives_no_type_learns_what_it_is() -> None:
    missing = faults({key: LEAST[key] for key in ("server", "username")})
    assert missing == {"type": "This field is required. It is one of SMTP, MS365, GMAIL."}
    assert "leave server, port, username and password out too" in faults(LEAST | {"type": None})["type"]


def test_who_gives_another_type_learns_of_all_that_are_taken() -> None:
    taken = "This must be one of SMTP, MS365, GMAIL or null (for no mail server), spelled exactly so."
    assert faults(LEAST | {"type": {}}) == {"type": taken}


@pytest.mark.parametrize("value", [-1, 65536, 25.5, 25.0, "25", "", True, False, [25], 10**299])
def test_a_port_is_a_whole_number_to_65535(value: object) -> None:
    assert list(faults(LEAST | {"port": value})) == ["port"]


@pytest.mark.parametrize("value", [None, 0, 25, 465, 587, 2465, 2525, 2587])
def test_the_usual_ports_and_none_are_fine(value: int | None) -> None:
    settings = parse_settings(LEAST | {"port": value}, RULES)
    assert settings.mail_server is not None
    assert settings.mail_server.port == value


@pytest.mark.parametrize(
    "value", [None, "", "  ", "\u00a0", "u" * 129, 5, False, "a\r\nb", "a\r\n", "\na", "a\x00", "a\u202eb"]
)
def test_the_username_is_required_and_one_line_of_128_characters(value: object) -> None:
    assert list(faults(LEAST | {"username": value})) == ["username"]
    assert list(faults({key: LEAST[key] for key in ("type", "server")})) == ["username"]


@pytest.mark.parametrize("value", ["u" * 128, "ü" * 128, "EXAMPLE\\pbx"])
def test_a_username_need_not_be_an_address(value: str) -> None:
    assert parse_mail_server(LEAST | {"username": f" {value}\t"}, RULES).username == value


@pytest.mark.parametrize("value", ["CRAM-MD5", "plain", "", " ", 0, False])
def test_auth_is_one_of_four_words(value: object) -> None:
    assert list(faults(LEAST | {"auth": value})) == ["auth"]


@pytest.mark.parametrize("field", ["enable_tls_ssl", "enable_starttls_auto", *TENANT_SWITCHES])
@pytest.mark.parametrize("value", [0, 1, "true", "", [], 1.0])
def test_a_flag_is_true_or_false_only(field: str, value: object) -> None:
    assert list(faults(LEAST | {field: value})) == [field]


@pytest.mark.parametrize("value", [5, True, ["p"], "a\nb", "a\x00", "a\x7f", "p" * 1025])
def test_a_wrong_password_field_is_refused_without_repeating_it(value: object) -> None:
    found = faults(LEAST | {"password": value})
    assert list(found) == ["password"]
    assert str(value) not in found["password"]


@pytest.mark.parametrize("value", ["", " ", " pass word ", "pässwörd", "p" * 1024])
def test_a_password_is_kept_as_it_is(value: str) -> None:
    assert parse_mail_server(LEAST | {"password": value}, RULES).password == Secret(value)


@pytest.mark.parametrize(
    "value", ["a@x.com, b@x.com", "a@x.com;b@x.com", "bob", "a@localhost", "a@x.com\r\nBcc: z@y", 5]
)
def test_reply_to_is_one_address(value: object) -> None:
    assert list(faults(LEAST | {"reply_to": value})) == ["reply_to"]


def test_bad_recipients_are_named_by_item() -> None:
    with pytest.raises(Invalid) as caught:
        parse_settings(LEAST | {"recipients": "a@x.com; bob; c@x.com"}, RULES)
    (error,) = caught.value.errors
    assert (error.field, error.item) == ("recipients", "bob")


@pytest.mark.parametrize(
    "value", [["a@x.com"], 5, True, ", ".join(f"r{n}@x.com" for n in range(16)), "a@x.com\r\nBcc: z@y"]
)
def test_recipients_are_text_of_at_most_15_addresses(value: object) -> None:
    assert list(faults(LEAST | {"recipients": value})) == ["recipients"]


def test_all_wrong_fields_are_told_at_once_in_the_order_of_the_fields() -> None:
    raw: dict[str, Any] = {name: [] for name in ("password", *FULL)}
    assert list(faults(raw)) == [
        "type",
        "server",
        "port",
        "reply_to",
        "username",
        "password",
        "auth",
        "enable_tls_ssl",
        "enable_starttls_auto",
        "recipients",
        *TENANT_SWITCHES,
    ]
    assert list(faults({})) == ["type", "username"]


def test_the_system_settings_have_their_defaults() -> None:
    settings = parse_system_settings(LEAST, OWN)
    assert settings == SystemSettings(settings.mail_server, (), dict.fromkeys(SYSTEM_SWITCHES, False))
    assert settings.enable_tenant_access is True
    assert (settings.hard_disk_threshold, settings.cpu_threshold, settings.memory_threshold) == (0, 0, 0)


@pytest.mark.parametrize("field", ["hard_disk_threshold", "cpu_threshold", "memory_threshold"])
def test_a_threshold_is_a_number_from_0_to_1(field: str) -> None:
    for value in (1.1, -0.1, 2, True, False, "0.5", 10**299, [0.5]):
        assert system_faults({field: value}) == [field]
    for value in (0, 0.0, 0.85, 1, 1.0, None):
        assert getattr(parse_system_settings(LEAST | {field: value}, OWN), field) == (value or 0)


def test_the_system_settings_posted_back_change_nothing() -> None:
    raw = {
        **LEAST,
        "recipients": "a@x.com",
        "enable_tenant_access": False,
        "cpu_threshold": 0.9,
        "notify_ip_blocked": True,
    }
    settings = parse_system_settings(raw, OWN)
    shown = system_settings_to_json(settings)
    assert shown.items() >= raw.items()
    assert parse_system_settings(shown, OWN) == settings
    assert set(SYSTEM_SWITCHES) < set(shown)
    assert not set(TENANT_SWITCHES) & set(shown)


@pytest.mark.parametrize("field", ["enable_tenant_access", *SYSTEM_SWITCHES])
def test_a_system_flag_is_true_or_false_only(field: str) -> None:
    assert system_faults({field: "true"}) == [field]


@pytest.mark.parametrize("value", [[], None, "x", 5, True])
def test_settings_are_an_object(value: object) -> None:
    with pytest.raises(Invalid):
        as_object(value)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text())
    | st.sampled_from([*ServerType, *Auth])
)


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(st.dictionaries(st.sampled_from(["password", *FULL]), VALUES))
def test_any_object_is_either_read_or_refused_by_its_fields(raw: dict[str, object]) -> None:
    try:
        settings = parse_settings(LEAST | raw, RULES)
    except Invalid as fault:
        refused = {error.field for error in fault.errors}
    else:
        refused: set[str] = set()
        shown = settings_to_json(settings, system_server_offered=False)
        assert not any(set("\r\n\x00") & set(str(value)) for value in shown.values())
        assert settings_to_json(parse_settings(shown, RULES), system_server_offered=False) == shown
    assert refused <= {"password", *FULL}
