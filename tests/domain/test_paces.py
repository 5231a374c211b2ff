"""How many mails a minute a mail server is given."""

import pytest

from ringpost.domain.paces import parse_paces, per_minute

RULES = parse_paces("smtp.example.com=30, *.example.com=60,*.eu.example.com=90 , mailpit=5")


@pytest.mark.parametrize(
    ("host", "mails"),
    [
        ("smtp.example.com", 30),
        ("mx.example.com", 60),
        ("a.mx.example.com", 60),
        ("mx.eu.example.com", 90),
        ("example.com", None),
        ("notexample.com", None),
        ("mailpit", 5),
    ],
)
def test_the_rule_closest_to_the_host_counts(host: str, mails: int | None) -> None:
    assert per_minute(RULES, host) == mails


def test_names_are_read_as_hosts_are() -> None:
    assert per_minute(parse_paces("*.MÜNCHEN.example=7"), "mx.xn--mnchen-3ya.example") == 7


@pytest.mark.parametrize(
    "text", ["smtp.example.com", "smtp.example.com=", "smtp.example.com=0", "a b=3", "=3", "*=3", "x.example=1.5"]
)
def test_what_is_no_pace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse_paces(text)
