"""JSON: what is not parseable, what is parseable but unusable, and that the rest is read as everybody reads it."""

import contextlib
import json
import time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringpost.domain.strict_json import MalformedJson, check_text, loads, loads_any_text
from ringpost.errors import Invalid

EVENT = b"""{"type": "QUEUE_SLA", "id": "pbx-7f3a", "occurred_at": "2026-01-05T09:30:00Z",
 "variables": {"QUEUE_NAME": "Sales", "QUEUE_NUMBER": "8001", "CALLER_NUMBER": "+15550100", "SLA_TIME": 90.5},
 "recipients": ["manager@example.com"], "attachments": [], "more": [true, false, null, -1, 1e3]}"""


def paths(body: bytes) -> list[str]:
    with pytest.raises(Invalid) as caught:
        loads(body)
    return [error.field for error in caught.value.errors]


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_an_empty_body_is_malformed_and_called_empty(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="empty"):
        loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a"}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1, 2",
        b"{} {}",
        b"nul",
        b'"a\nb"',
        b'"a\x00b"',
        b'"\\x41"',
        b'"\\u12"',
        b"01",
        b".5",
        b"+1",
        b"NaN",
        b"Infinity",
        b'{"a": -Infinity}',
        b"[NaN]",
        b"/* no */ {}",
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(body)


@pytest.mark.parametrize(
    "body", [b'"\xff"', b'"\xc3"', b'{"a": "\xed\xa0\x80"}', b'"\xc0\x80"', '{"a": 1}'.encode("utf-16"), b"\x80"]
)
def test_invalid_utf8_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        loads(body)


def test_a_byte_order_mark_is_malformed() -> None:
    with pytest.raises(MalformedJson, match="byte order mark"):
        loads(b'\xef\xbb\xbf{"a": 1}')


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "b": 2, "a": 3}}]', b'{"a": 1, "\\u0061": 2}'])
def test_a_key_twice_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="twice"):
        loads(body)


def test_the_same_key_in_different_objects_is_fine() -> None:
    assert loads(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_32_levels_are_fine_and_33_are_malformed(pair: tuple[str, str]) -> None:
    inner = "1" if pair[0] != "[" else ""
    assert loads((pair[0] * 32 + inner + pair[1] * 32).encode()) is not None
    with pytest.raises(MalformedJson, match="32"):
        loads((pair[0] * 33 + inner + pair[1] * 33).encode())


def test_levels_in_the_midst_of_others_are_found() -> None:
    body = b"[" + b'{"a": []},' * 100 + b'{"a": "[[[", "b": ' + b"[" * 30 + b"]" * 30 + b"}]"
    assert loads(body)
    with pytest.raises(MalformedJson, match="32"):
        loads(body.replace(b"[" * 30 + b"]" * 30, b"[" * 31 + b"]" * 31))


def test_brackets_in_text_are_no_levels() -> None:
    text = "[{" * 100 + '"\\'
    assert loads(json.dumps({"a": text, text: 1}).encode()) == {"a": text, text: 1}


@pytest.mark.parametrize("width", [1, 1000])
def test_many_brackets_side_by_side_are_fine(width: int) -> None:
    assert loads(json.dumps([{"a": [[]]}] * width).encode()) == [{"a": [[]]}] * width


@pytest.mark.parametrize(
    "number", ["1" * 5000, "-" + "9" * 301, "1e400", "-1e400", "1" * 400 + ".5", "0." + "1" * 5000, "1E+9999"]
)
def test_a_number_too_large_or_too_long_is_malformed(number: str) -> None:
    for body in (number, f'{{"a": [{number}]}}'):
        with pytest.raises(MalformedJson, match="number"):
            loads(body.encode())


@pytest.mark.parametrize("number", ["1" * 300, "1e308", "-0", "0.1", "1e-400", "25.0"])
def test_any_other_number_is_fine(number: str) -> None:
    assert loads(number.encode()) == json.loads(number)


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\uDFFF", "\\uD83D", "\\ude00\\ud83d"])
def test_unusable_text_is_named_by_its_path(escape: str) -> None:
    body = '{"events": [{}, {"id": "a@b", "variables": {"X": "x@"}}], "@": 1, "": {"b": "@"}}'.replace("@", escape)
    shown = "\ufffd" * (2 if escape.count("\\") == 2 else 1)
    assert paths(body.encode()) == ["events[1].id", "events[1].variables.X", shown, "b"]


def test_unusable_text_alone_has_no_path() -> None:
    assert paths(b'"\\u0000"') == [""]


def test_what_is_told_can_be_sent_and_is_short() -> None:
    found = paths(b"[" + b",".join([b'{"\\ud800' + b"k" * 1000 + b'": 1}'] * 1000) + b"]")
    assert len(found) == 20
    assert all(len(path.encode()) < 100 for path in found)


@pytest.mark.parametrize("text", ["\U0001f600", "\\u0000", "\\ud800", "\x01\x7f", "\uffff"])
def test_text_that_only_looks_unusable_is_fine(text: str) -> None:
    assert loads(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_list_may_look_at_its_items_one_by_one() -> None:
    items = cast("list[object]", loads_any_text(b'["fine", "\\ud800"]'))
    check_text(items[0])
    with pytest.raises(Invalid) as caught:
        check_text(items[1], "events[1]")
    assert caught.value.errors[0].field == "events[1]"


def test_an_error_never_repeats_the_body() -> None:
    for body in (b'{"password": "s3cret" oops', b'{"password": "s3cret", "password": "s3cret"}', b'"s3cret\xff"'):
        with pytest.raises(MalformedJson) as caught:
            loads(body)
        assert "s3cret" not in caught.value.message
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "unit", [b"[", b"{", b"[]", b'{"a":', b'"\\', b'\\"', b"1", b'"', b'["', b'"\\u0000",', b" ", b"]", b"\\"]
)
@pytest.mark.parametrize("start", [b"", b"[", b'["'])
def test_a_mebibyte_of_anything_is_read_in_no_time(start: bytes, unit: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises((MalformedJson, Invalid)):
        loads(start + unit * ((1 << 20) // len(unit)))
    assert time.perf_counter() - started < 5  # seconds; a quadratic reader takes hours


def test_an_event_is_read_fast_enough_for_the_hot_path() -> None:
    best = min(_seconds_for(200) for _ in range(20)) / 200
    assert best < 100e-6  # measured 8 us; the margin is for busy machines


def _seconds_for(times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        loads(EVENT)
    return time.perf_counter() - started


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**200), 10**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), inner)
    ),
)


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(JSON, st.booleans())
def test_a_valid_document_is_read_as_the_standard_library_reads_it(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(body.encode()) == json.loads(body)


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(st.binary())
def test_any_bytes_are_either_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(MalformedJson, Invalid):
        loads(body)
