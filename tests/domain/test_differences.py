"""What differs between two texts, and between two templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringpost.domain.differences import MOST_LINES, Change, compare, compare_templates
from ringpost.domain.templates import Parts, Place, Template, customise, places_of

DEFAULT = Template("RECHARGE", "%%TENANT_NAME%%", "Paid", "<p>one</p>\n<p>two</p>", "one\ntwo")
LINES = st.lists(st.sampled_from(["a", "b", "c", "<p>", ""]), max_size=30)


def test_a_change_is_shown_with_the_lines_around_it() -> None:
    before = "\n".join(f"line {number}" for number in range(1, 21))

    lines = compare(before, before.replace("line 10", "line ten"))

    assert [(line.change.value, line.before, line.after, line.text) for line in lines] == [
        ("left_out", None, None, ""),
        ("same", 7, 7, "line 7"),
        ("same", 8, 8, "line 8"),
        ("same", 9, 9, "line 9"),
        ("removed", 10, None, "line 10"),
        ("added", None, 10, "line ten"),
        ("same", 11, 11, "line 11"),
        ("same", 12, 12, "line 12"),
        ("same", 13, 13, "line 13"),
        ("left_out", None, None, ""),
    ]


@given(LINES, LINES)
def test_every_change_is_shown_and_numbered_as_it_stands(old: list[str], new: list[str]) -> None:
    lines = compare("\n".join(old), "\n".join(new))
    before, after = "\n".join(old).splitlines(), "\n".join(new).splitlines()

    assert all(before[line.before - 1] == line.text for line in lines if line.before)
    assert all(after[line.after - 1] == line.text for line in lines if line.after)
    removed = sum(line.change is Change.REMOVED for line in lines)
    added = sum(line.change is Change.ADDED for line in lines)
    assert len(before) - removed == len(after) - added
    assert bool(lines) == (before != after)


def test_long_texts_are_not_matched_line_by_line() -> None:
    old = "\n".join(f"a{number}" for number in range(MOST_LINES * 50))
    new = "\n".join(f"b{number}" for number in range(MOST_LINES * 50))

    assert len(compare(old, new)) == MOST_LINES * 100


def test_line_ends_are_no_difference() -> None:
    assert compare("a\r\nb\r\n", "a\nb") == ()


@pytest.mark.parametrize("character", ["\v", "\f", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_lines_end_where_the_editor_ends_them(character: str) -> None:
    """So that a line has one number everywhere, and one of these in the place of a line end is a difference."""
    assert [line.text for line in compare(f"a{character}b", "")] == [f"a{character}b"]
    assert compare(f"a{character}b", "a\nb") != ()


def test_only_parts_that_differ_are_named() -> None:
    custom = customise(DEFAULT, Parts(subject="Thank you"))

    assert [one.part for one in compare_templates(DEFAULT, custom)] == ["subject"]


def test_a_text_made_from_the_html_is_no_removed_text() -> None:
    body, text = compare_templates(DEFAULT, customise(DEFAULT, Parts(body="<p>other</p>")))

    assert (body.part, body.derived) == ("body", False)
    assert (text.part, text.derived, text.lines) == ("text_body", True, ())


def test_variables_are_found_with_their_lines() -> None:
    places = places_of(Parts(subject="%%A%%", body="x\n%%A%% %%A%%\n%%B%%"))

    assert places == {"A": (Place("subject", 1), Place("body", 2)), "B": (Place("body", 3),)}
