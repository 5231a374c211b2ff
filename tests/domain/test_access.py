"""Names and passwords of people, however they are typed."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from ringpost.domain.access import parse_attempt, parse_password, parse_username
from ringpost.domain.secrets import Secret
from ringpost.errors import Invalid

MARKS = "a" + "\u0301" * 2000 + "\u0323" * 2000
"""The worst for Unicode to normalise: each mark of the second kind goes before all of the first."""


@pytest.mark.parametrize("parse", [parse_username, parse_password])
def test_what_is_too_long_is_refused_as_it_was_typed(parse: Callable[[str], Any], normalised: list[int]) -> None:
    with pytest.raises(Invalid) as caught:
        parse(MARKS)
    assert "1024 bytes at most" in str(caught.value) or "1 to 128 characters" in str(caught.value)
    assert normalised == []


def test_an_attempt_that_is_too_long_to_be_right_is_not_normalised(normalised: list[int]) -> None:
    assert parse_attempt(Secret(MARKS)).reveal() == ""
    assert normalised == []


@pytest.mark.parametrize("composed", ["\u00e4", "\u1ec7", "\ud55c", "x"])
def test_the_longest_username_may_be_typed_decomposed(composed: str) -> None:
    decomposed = unicodedata.normalize("NFD", composed)
    assert parse_username(f" {decomposed * 128} ") == parse_username(composed * 128)
    with pytest.raises(Invalid):
        parse_username(decomposed * 129)


def test_the_longest_password_may_be_typed_decomposed() -> None:
    assert parse_password("a\u0308" * 512).reveal() == "\u00e4" * 512
    with pytest.raises(Invalid):
        parse_password("a\u0308" * 513)
