"""Rendering: one pass, safe in every place, nothing raw, nothing broken, and fast whatever the template holds."""

import time
from collections.abc import Callable
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.renderings import PNG, STAMP, html_of, render

from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.rendering import LONGEST_SUBJECT, Rendered, Value, compose, prepare
from ringpost.domain.templates import LARGEST_BODY, Template
from ringpost.errors import Invalid


def test_variables_are_replaced_in_every_part() -> None:
    rendered = render("<p>%%A%%</p>", {"A": "x"}, from_="f %%A%%", subject="s %%A%%", text_body="t %%A%%")

    assert (rendered.from_name, rendered.subject, rendered.html, rendered.text) == ("f x", "s x", "<p>x</p>", "t x")


def test_a_value_is_never_expanded_again() -> None:
    rendered = render("<p>%%A%%%%B%%</p>", {"A": "%%B%%", "B": "%%A%%"}, subject="%%A%%")

    assert rendered.html == "<p>%%B%%%%A%%</p>"
    assert rendered.subject == "%%B%%"


def test_values_that_would_make_a_variable_together_do_not() -> None:
    assert render("%%A%%B%%A%%", {"A": "%%", "B": "x"}).text == "%%B%%"


@pytest.mark.parametrize("text", ["{{7*7}}", "${x}", "{0.__class__}", "%s", "%%a%%", "%% A %%", "%%A", "%A%", "%%%%"])
def test_nothing_else_is_a_variable(text: str) -> None:
    assert render(text, {"A": "x"}, subject=text).text == text
    assert render(text, {"A": "x"}, subject=text).subject == text


@pytest.mark.parametrize(
    ("digits", "character"), [("9" * 5000, "\ufffd"), ("0" * 5000 + "65", "A"), ("0" * 20, "\ufffd")]
)
def test_a_reference_may_have_more_digits_than_a_number(digits: str, character: str) -> None:
    reference = f"&#{digits};"

    rendered = render(f"<p>{reference} <a href='https://x.example/%%A%%{reference}'>y</a></p>", {"A": reference})

    assert rendered.text.startswith(f"{character} y: https://x.example/")
    assert rendered.html is not None
    assert rendered.html.startswith(f"<p>{reference} ")
    assert compose("s", f"<p>{reference}</p>", "n", STAMP).content


@pytest.mark.parametrize("zeros", [0, 1, 18, 5000])
def test_a_scheme_is_told_however_its_colon_is_written(zeros: int) -> None:
    assert html_of("<a href='%%A%%'>y</a>", f"javascript&#{'0' * zeros}58;alert(1)") == "<a href=''>y</a>"
    assert html_of(f"<a href='javascript&#{'0' * zeros}58;%%A%%'>y</a>", "alert(1)").endswith("58;'>y</a>")


def test_a_name_has_at_most_64_characters() -> None:
    assert render(f"%%{'A' * 64}%%").text == ""
    assert render(f"%%{'A' * 65}%%").text == f"%%{'A' * 65}%%"


@pytest.mark.parametrize(
    ("value", "text"),
    [(90.0, "90"), (0.1 + 0.2, "0.3"), (12.5, "12.5"), (1e20, "1e+20"), (-3, "-3"), (True, "true"), (False, "false")],
)
def test_numbers_and_booleans_read_as_people_write_them(value: Value, text: str) -> None:
    assert render("%%A%%", {"A": value}).text == text


def test_unknown_and_empty_variables_become_empty_text_and_are_reported() -> None:
    rendered = render("<p>[%%ZZZ%%] [%%QUEUE_NAME%%] [%%EXTRA%%]</p>", {"EXTRA": ""})

    assert rendered.html == "<p>[] [] []</p>"
    assert rendered.unknown == ("ZZZ",)
    assert rendered.empty == ("QUEUE_NAME", "EXTRA")


def test_aliases_find_the_value_under_either_name() -> None:
    assert render("%%DATA_TIME%%", {"DATE_TIME": "now"}).text == "now"
    assert render("%%DATE_TIME%%", {"DATA_TIME": "now"}).text == "now"
    assert render("%%CALLER_EXTENSION_NUMBER%%", {"CALLER_NUMBER": 7}).text == "7"


def test_a_name_whose_value_is_blank_does_not_hide_the_value_of_another() -> None:
    values = {"CALLER_NUMBER": "", "CALLER_EXTENSION_NUMBER": "100"}

    assert render("%%CALLER_NUMBER%%", values, kind="EMERGENCY_CALL").text == "100"
    assert render("%%CALLER_EXTENSION_NUMBER%%", values, kind="EMERGENCY_CALL").text == "100"


def test_the_repr_shows_no_value() -> None:
    assert "hunter2" not in repr(render("%%USER_PASSWORD%%", {"USER_PASSWORD": "hunter2"}, kind="USER_CREATION"))


# --- Lines ---


@pytest.mark.parametrize("part", ["subject", "from_"])
@given(value=st.text())
def test_a_value_cannot_break_a_line(part: str, value: str) -> None:
    rendered = render("", {"A": value}, **{part: "a %%A%% b"})
    line = rendered.subject if part == "subject" else rendered.from_name

    assert len(line.splitlines()) == 1
    assert line.startswith("a")


@pytest.mark.parametrize("unseen", list("\u200e\u200f\u202a\u202e\u2066\u2069\ufeff"))
def test_a_value_cannot_turn_the_direction_of_a_line(unseen: str) -> None:
    assert render("", {"A": f"gpj{unseen}fdp"}, subject="%%A%%").subject == "gpj fdp"


def test_a_subject_is_cut_rather_than_refused() -> None:
    assert len(render("", {"A": "x" * 5000}, subject="%%A%%").subject) == LONGEST_SUBJECT


def test_a_subject_whose_last_part_is_empty_does_not_end_in_a_colon() -> None:
    assert render("", {}, subject="New voicemail: %%CALLER_NAME%% %%CALLER_NUMBER%%").subject == "New voicemail"


def test_an_empty_variable_leaves_no_gap_in_a_subject() -> None:
    rendered = render("", {"CALLER_NUMBER": "100"}, subject="112 EMERGENCY CALL: %%CALLER_NAME%% %%CALLER_NUMBER%%")

    assert rendered.subject == "112 EMERGENCY CALL: 100"


# --- Images and conditions ---


def qr(body: str, png: bytes | None) -> Rendered:
    template = Template("USER_CREATION", "", "", body)
    return prepare(template, CATALOGUE["USER_CREATION"]).render({"QR_CODE": "secret"}, STAMP, qr_png=png)


@pytest.mark.parametrize("name", ["QR_CODE", "QR_CODE_URL"])
@pytest.mark.parametrize("body", ["<p>[<img alt=x src=%%{}%%>]", "<p>[<img src='%%{}%%'>]", "<p>[%%{}%%]"])
def test_the_qr_code_is_an_inline_image_or_nothing(body: str, name: str) -> None:
    shown, absent = qr(body.format(name), PNG), qr(body.format(name), None)

    assert 'src="cid:qr-code@ringpost"' in (shown.html or "")
    assert "data-when" not in (shown.html or "")
    assert "data:image/png;base64," in (shown.html_for_preview or "")
    assert absent.html == "<p>[]"
    assert b"image/png" in shown.message.content
    assert b"image/png" not in absent.message.content


def test_the_qr_code_is_no_text_anywhere() -> None:
    rendered = qr("<p class='%%QR_CODE%%'>x</p><a href='%%QR_CODE%%'>y</a><title>%%QR_CODE%%</title>", PNG)

    assert "secret" not in f"{rendered.html}{rendered.text}"
    assert qr("Code: %%QR_CODE%%\nend", PNG).text == "end"


def test_an_image_that_the_template_does_not_show_is_not_sent() -> None:
    assert b"image/png" not in qr("<p>nothing</p>", PNG).message.content


def test_an_element_is_left_out_when_its_variables_are_all_empty() -> None:
    body = "<p>a<b data-when='A B'>[%%A%%%%B%%<b>c</b>]</b>d</p>"

    assert html_of(body, "") == "<p>ad</p>"
    assert html_of(body, "x") == "<p>a<b >[x<b>c</b>]</b>d</p>"
    assert html_of(body, "y", "B") == "<p>a<b >[y<b>c</b>]</b>d</p>"


def test_a_variable_whose_part_is_left_out_is_not_reported_as_empty() -> None:
    assert render("<p><b data-when=QUEUE_NAME>%%QUEUE_NAME%%</b>").empty == ()


def test_a_condition_within_a_line_holds_in_the_derived_text_too() -> None:
    body = "<p>Hello<span data-when=A> %%A%%</span>.</p>"

    assert render(body).text == "Hello.\n"
    assert render(body, {"A": "Jane"}).text == "Hello Jane.\n"


def test_a_condition_that_is_never_closed_does_not_count() -> None:
    assert html_of("<p><b data-when=A>x", "") == "<p><b >x"


def test_a_line_of_text_that_only_labels_an_empty_variable_is_left_out() -> None:
    rendered = render("Queue: %%QUEUE_NAME%%\nCaller: %%CALLER_NAME%%\nHi %%CALLER_NAME%%!\nNo: %%A%%", {"A": "1"})

    assert rendered.text == "Hi !\nNo: 1"


def test_a_paragraph_that_only_labels_empty_variables_goes_with_the_blank_line_behind_it() -> None:
    body = "Hello.\n\nQueue: %%QUEUE_NAME%%\nNo: %%A%%\n\nLink: %%B%%\n\nGoodbye."

    assert render(body).text == "Hello.\n\nGoodbye."
    assert render(body, {"A": "1"}).text == "Hello.\n\nNo: 1\n\nGoodbye."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>Hello</p><p>%%A%%</p><p>Goodbye</p>", "Hello\n\nGoodbye\n"),
        ("<p>%%A%%</p><p>Goodbye</p>", "Goodbye\n"),
        ("<p>Hello</p><p>%%A%%</p>", "Hello\n"),
        ("<p>Hello</p><p>%%QUEUE_NAME%%</p><p>%%A%%</p>", "Hello\n\nSales\n"),
        ("<p>Hello</p><p>%%A%%<br>%%QUEUE_NAME%%<br>%%A%%</p><p>Goodbye</p>", "Hello\n\nSales\n\nGoodbye\n"),
        ("<p>Hello</p><p><a href='%%A%%'>%%A%%</a></p><p>Goodbye</p>", "Hello\n\nGoodbye\n"),
    ],
)
def test_an_empty_variable_that_stands_alone_leaves_no_blank_lines(body: str, text: str) -> None:
    rendered = render(body, {"QUEUE_NAME": "Sales"})

    assert rendered.text == text
    assert rendered.unknown == ("A",)


def test_a_variable_that_stands_alone_is_reported_as_empty() -> None:
    assert render("<p>Hello</p><p>%%QUEUE_NAME%%</p>").empty == ("QUEUE_NAME",)


@pytest.mark.parametrize("blanks", [" ", "\t", "\u00a0 \n"])
def test_a_value_of_blanks_is_empty(blanks: str) -> None:
    rendered = render("Caller: %%CALLER_NAME%%\n%%QUEUE_NAME%%.", {"CALLER_NAME": blanks, "QUEUE_NAME": blanks})

    assert rendered.text == "."
    assert rendered.empty == ("QUEUE_NAME",)
    assert html_of("<p data-when=A>From %%A%%</p>.", blanks) == "."


# --- Sizes and time ---


def test_line_breaks_of_a_template_are_alike_in_every_encoding() -> None:
    for letter in ("a", "电"):
        content = render(f"<p>{letter * 9}\r\n{letter}\r{letter}</p>").message.content
        html = message_from_bytes(content, policy=policy.default).get_body(("html",))

        assert html is not None
        assert html.get_content() == f"<p>{letter * 9}\n{letter}\n{letter}</p>".replace("\n", "\r\n")


def test_a_mail_that_would_be_too_large_is_refused_before_it_is_made() -> None:
    with pytest.raises(Invalid):
        render("%%A%%" * 100_000, {"A": "x" * 1_000_000})
    with pytest.raises(Invalid):
        render("<p>%%A%%", {"A": "&" * 500_000})


def test_a_mebibyte_of_percent_signs_takes_no_time() -> None:
    percents = "%" * (1 << 20)
    started = time.process_time()
    template = prepare(Template("QUEUE_SLA", "", "", percents), CATALOGUE["QUEUE_SLA"])
    prepared = time.process_time()
    rendered = template.render({}, STAMP)

    assert prepared - started < 0.2  # 0.04 on an idle machine
    assert time.process_time() - prepared < 0.05
    assert rendered.text == percents


@pytest.mark.parametrize(
    "piece", ["<!--", "<!--[if-->", "%%A%%", "a=%%A%% ", "<a href='%%A%%'>", "<b data-when=A>%%A%%"]
)
@pytest.mark.parametrize("before", ["<p>", "<a ", "<a href='", "<!--[if mso]>"])
def test_the_time_to_prepare_grows_with_the_length_and_no_faster(before: str, piece: str) -> None:
    def seconds(length: int) -> float:
        template = Template("QUEUE_SLA", "", "", before + piece * (length // len(piece)) + "'></a>")
        return min(_seconds(lambda: prepare(template, CATALOGUE["QUEUE_SLA"])) for _ in range(2))

    assert seconds(LARGEST_BODY // 8) < 40 * max(seconds(LARGEST_BODY // 64), 0.005)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


@given(st.text(alphabet="<>!-/%A'\"= &;#[]p\n", max_size=200), st.text(alphabet="<>-'\"&;%A/ ", max_size=20))
def test_preparing_and_rendering_never_fail(body: str, value: str) -> None:
    rendered = render(f"<p>{body}", {"A": value})

    assert isinstance(rendered.html, str)
    assert rendered.message.content.isascii()


def test_composing_makes_html_of_what_looks_like_it() -> None:
    plain = compose("Hi", "a < b %%A%%", "Me", STAMP)
    rich = compose("Hi\r\nBcc: x", "<p>Hello</p>", "Me", STAMP)

    assert b"multipart" not in plain.content
    assert b"a < b %%A%%" in plain.content
    assert b"multipart/alternative" in rich.content
    assert rich.content.startswith(b"Subject: Hi Bcc: x\r\nDate: ")
