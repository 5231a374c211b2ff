"""Templates: what may be saved, what counts as HTML, how custom parts lie over the default, and what a check finds."""

import time

import pytest

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.templates import (
    LARGEST_BODY,
    LONGEST_LINE,
    Parts,
    Place,
    Template,
    UnknownVariable,
    check,
    customise,
    is_html,
    places_of,
    validate_parts,
    variables_of,
)
from ringpost.errors import Invalid

DEFAULT = Template("QUEUE_SLA", "%%TENANT_NAME%%", "Late", "<p>%%QUEUE_NAME%%</p>", "Text of the default")
LINE_BREAKS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("control", [*LINE_BREAKS, "\0", "\t", "\x1b", "\x7f", "\x9b"], ids=ascii)
@pytest.mark.parametrize("part", ["from", "subject"])
def test_a_line_with_a_line_break_or_control_character_is_refused(part: str, control: str) -> None:
    text = f"a{control}b"
    with pytest.raises(Invalid) as refusal:
        validate_parts(Parts(from_=text if part == "from" else None, subject=text if part == "subject" else None))

    assert [error.field for error in refusal.value.errors] == [part]


def test_every_wrong_part_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refusal:
        validate_parts(Parts(from_="a\n", subject="b\n", body="\0", text_body="\0"))

    assert [error.field for error in refusal.value.errors] == ["from", "subject", "body", "text_body"]


def test_the_longest_parts_are_taken_and_one_more_is_refused() -> None:
    validate_parts(Parts(from_="x" * LONGEST_LINE, subject="x" * LONGEST_LINE, body="x" * LARGEST_BODY))
    with pytest.raises(Invalid):
        validate_parts(Parts(subject="x" * (LONGEST_LINE + 1)))
    with pytest.raises(Invalid):
        validate_parts(Parts(body="ü" * (LARGEST_BODY // 2) + "x"))


def test_bodies_may_have_lines_and_parts_may_be_left_out() -> None:
    validate_parts(Parts(body="one\r\ntwo\n\tthree"))
    validate_parts(Parts())


@pytest.mark.parametrize(
    "body",
    ["<p>a</p>", "a<br>b", "a<BR/>b", "<!DOCTYPE html>", '<a href="%%X%%">x</a>', "text </div>", "<h2 class=x\n>y"],
)
def test_a_body_with_an_html_element_is_html(body: str) -> None:
    assert is_html(body)


@pytest.mark.parametrize(
    "body", ["", "plain", "a < b > c", "Jane <jane@example.com>", "<unknown>", "x <b y", "<%%P%%>", "1<p", "<python>"]
)
def test_a_body_without_one_is_text(body: str) -> None:
    assert not is_html(body)


def test_parts_that_are_left_out_are_the_defaults() -> None:
    custom = customise(DEFAULT, Parts(subject="Mine"))

    assert custom == Template("QUEUE_SLA", "%%TENANT_NAME%%", "Mine", DEFAULT.body, DEFAULT.text_body)


def test_a_new_body_does_not_go_out_with_the_defaults_text() -> None:
    assert customise(DEFAULT, Parts(body="<p>Mine</p>")).text_body is None
    assert customise(DEFAULT, Parts(body="<p>Mine</p>", text_body="Mine")).text_body == "Mine"


def test_an_empty_part_is_not_one_that_was_left_out() -> None:
    assert customise(DEFAULT, Parts(subject="")).subject == ""


def test_the_check_names_unknown_variables_with_their_nearest() -> None:
    template = customise(DEFAULT, Parts(body="%%QEUE_NAME%% %%CALLER_NUMBER%% %%ZZZ%% %%queue_name%% %%DATA_TIME%%"))

    assert check(template, CATALOGUE["QUEUE_SLA"]).unknown_variables == (
        UnknownVariable("QEUE_NAME", "QUEUE_NAME"),
        UnknownVariable("ZZZ", None),
        UnknownVariable("queue_name", "QUEUE_NAME", is_slip=True),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Disk %%FREE_SIZE% low, %%free_size%%", [("%%FREE_SIZE%", "FREE_SIZE"), ("free_size", "FREE_SIZE")]),
        ("%%Free_Size%% of %%USED_SIZE%%", [("Free_Size", "FREE_SIZE")]),
        ("%%FREE_SIZE low", [("%%FREE_SIZE", "FREE_SIZE")]),
        ("%%FREE-SIZE%%", [("FREE-SIZE", "FREE_SIZE")]),
        ("%%data_time%%", [("data_time", "DATA_TIME")]),
        ("%%zzz%% and %%zzz%", [("zzz", None), ("%%zzz%", None)]),
        ("%%free_size%%USED_SIZE%%", [("free_size", "FREE_SIZE")]),
        ("%%free_size%%and%%used_size%%", [("free_size", "FREE_SIZE"), ("used_size", "USED_SIZE")]),
        (f"%%{'X' * 65}%%", [("X" * 65, None)]),
        ("100%%", []),
        ("50%% off", []),
        ("50%%off", []),
        ("100%%, %%FREE_SIZE%%%", []),
        ("%%%FREE_SIZE%%%", []),
        ("%%FREE_SIZE%%USED_SIZE%%", []),
    ],
)
def test_the_check_names_what_was_meant_as_a_variable_and_is_none(text: str, found: list[tuple[str, str]]) -> None:
    for part in ("from_", "subject", "body", "text_body"):
        template = customise(Template("DISK_LOW", "a", "b", "c", "d"), Parts(**{part: text}))

        assert [(one.name, one.nearest) for one in check(template, CATALOGUE["DISK_LOW"]).unknown_variables] == found


def test_what_was_meant_as_a_variable_has_its_places() -> None:
    places = places_of(Parts(subject="%%free_size%%", body="%%FREE_SIZE%%\n%%FREE_SIZE% left\n%%free_size%%"))

    assert places["free_size"] == (Place("subject", 1), Place("body", 3))
    assert places["%%FREE_SIZE%"] == (Place("body", 2),)


@pytest.mark.parametrize("text", ["%" * LARGEST_BODY, "%%a" * (LARGEST_BODY // 3), "%%" + "a" * (LARGEST_BODY - 2)])
def test_a_body_full_of_slips_is_checked_quickly(text: str) -> None:
    since = time.process_time()
    check(customise(DEFAULT, Parts(body=text)), CATALOGUE["USER_CREATION"])

    assert time.process_time() - since < 1


def test_the_check_names_what_a_reader_would_miss() -> None:
    template = customise(DEFAULT, Parts(body="%%CALLER_EXTENSION_NUMBER%%"))

    assert check(template, CATALOGUE["QUEUE_SLA"]).missing_variables == ("QUEUE_NAME",)


def test_a_type_does_not_know_the_variables_of_another() -> None:
    template = customise(DEFAULT, Parts(body="%%TRUNK_NAME%%"))

    assert [item.name for item in check(template, CATALOGUE["QUEUE_SLA"]).unknown_variables] == ["TRUNK_NAME"]


def test_variables_are_named_once_in_the_order_of_their_first_use() -> None:
    assert variables_of(Template("X", "%%B%%", "%%A%%%%B%%", "%%C%%", "%%A%%%%D%%")) == ("B", "A", "C", "D")


@pytest.mark.parametrize("what", ["<a>", "%%CALLER_NUMBER%%"], ids=["tags", "variables"])
def test_a_body_of_nothing_but_one_thing_is_refused_before_anyone_takes_it_apart(what: str) -> None:
    with pytest.raises(Invalid) as refused:
        validate_parts(Parts(body=what * 20_000))
    assert refused.value.errors[0].field == "body"
