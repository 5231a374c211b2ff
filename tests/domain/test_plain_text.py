"""The text part that is derived from HTML reads well."""

import time

import pytest
from tests.domain.renderings import render

from ringpost.domain.plain_text import derive_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<p>One</p><p>Two\n  words</p>", "One\n\nTwo words\n"),
        ("a<br>b<br/>c", "a\nb\nc\n"),
        ("<b>bold</b> and <i> slanted</i>", "bold and slanted\n"),
        ("&lt;a&gt; &amp; &uuml;&nbsp;x", "<a> & ü x\n"),
        ("<ul><li>a</li><li>b</li></ul><ol><li>c<li>d</ol>", "- a\n- b\n\n1. c\n2. d\n"),
        (
            "<ul>\n<li>\n<p>a</p><p>b</p></li>\n<li><div><p>c</p></div></li><li><p></p></li></ul>d",
            "- a\n\nb\n\n- c\n\n-\n\nd\n",
        ),
        (
            "<ol><li data-when=A><h3>a</h3><li><ul><li><p>b</ul><li><table><tr><td>c</table></ol>",
            "1. a\n\n2.\n\n- b\n\n3.\n\nc\n",
        ),
        ("<h1>Title</h1><div>x</div><div>y</div>", "Title\n\nx\ny\n"),
        ("a<hr>b", "a\n\n----\n\nb\n"),
        ("<img src=x alt='A logo'> and <img src=y>", "A logo and\n"),
        ("%%A%% <b>%%B%%</b>", "%%A%% %%B%%\n"),
    ],
)
def test_text_keeps_its_shape(html: str, text: str) -> None:
    assert derive_text(html).text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<pre>a\n  b</pre>", "a\n  b\n"),
        ("<pre>  a\r\n    b  c</pre>", "  a\n    b  c\n"),
        ("x  y<pre>  a <b> b</b></pre>x  y", "x y\n\n  a  b\n\nx y\n"),
        ("<table><tr><td><pre>a\n  b</pre></td></tr></table>", "a\n  b\n"),
        ("<pre>%%A%%\n  %%B%%</pre>", "%%A%%\n  %%B%%\n"),
        ("<pre>  </pre>", ""),
        ("<pre>a\x05b</pre>", "ab\n"),
    ],
)
def test_preformatted_text_keeps_its_blanks(html: str, text: str) -> None:
    assert derive_text(html).text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://x.example/">Open it</a>', "Open it: https://x.example/\n"),
        ('See <a href="%%LINK%%">the report</a>.', "See the report: %%LINK%%.\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="tel:%%N%%">Call back</a>', "Call back: %%N%%\n"),
        ('<a href="#top">Up</a> <a>none</a>', "Up none\n"),
        ('<a href="https://x.example/"><img src=y></a>', "https://x.example/\n"),
        ('<a href=" https://x.example/a\r\n\t/b?c=d e&#10;f ">g</a>', "g: https://x.example/a/b?c=d%20ef\n"),
        ('<a href="https://x.example/%%A%% %%B%%\n">g</a>', "g: https://x.example/%%A%%%20%%B%%\n"),
    ],
)
def test_links_show_where_they_lead(html: str, text: str) -> None:
    assert derive_text(html).text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="http://x/1">Yes</a><a href="http://x/2">No</a>', "Yes: http://x/1 No: http://x/2\n"),
        ('<a href="http://x/1"><img src=y></a><a href="%%V%%">No</a>', "http://x/1 No: %%V%%\n"),
        ('<a href="http://x/1">Join </a>now', "Join: http://x/1 now\n"),
        ('<a href="#">Join </a>now', "Join now\n"),
        ('<a href="http://x/1">Join</a>%%NOW%%', "Join: http://x/1 %%NOW%%\n"),
        ('<a href="http://x/1">Join</a><span data-when="A">, %%A%%</span>', "Join: http://x/1, %%A%%\n"),
        ('<b data-when="A"><a href="http://x/1">Join</a></b>us', "Join: http://x/1 us\n"),
        ('<a href="http://x/1">Join</a><b data-when="A">%%A%%</b>', "Join: http://x/1 %%A%%\n"),
        (
            '(<a href="http://x/1">here</a>). <a href="http://x/2">There</a>.',
            "(here: http://x/1). There: http://x/2.\n",
        ),
        ('<p><a href="http://x/1">a</a></p><p>b</p>', "a: http://x/1\n\nb\n"),
        ('<table><tr><td><a href="http://x/1">a</a><td>b</table>', "a: http://x/1: b\n"),
    ],
)
def test_a_link_ends_before_what_follows_it(html: str, text: str) -> None:
    assert derive_text(html).text == text


@pytest.mark.parametrize("mark", ["\x069\x06", "\x039\x03\x049\x04", "\x07", "\x05", "\x01", "\x02", "&#6;9&#6;"])
def test_control_characters_in_an_address_do_no_harm(mark: str) -> None:
    html = f"<b data-when=A>%%A%%</b> <a href='https://x.example/%%B%%/{mark}'>y{mark}</a>"
    digit = "9" * mark.count("9")

    text = render(html, {"A": "a", "B": "b"}).text

    assert text == f"a y{digit}: https://x.example/b/{digit}\n"


def test_rows_of_two_cells_are_label_and_value() -> None:
    html = "<table><tr><th>Queue:</th><td>%%QUEUE_NAME%%</td></tr><tr><td>Caller</td><td>Jane</td></tr></table>"

    assert derive_text(html).text == "Queue: %%QUEUE_NAME%%\nCaller: Jane\n"


def test_longer_rows_have_bars_between_their_cells() -> None:
    assert derive_text("<table><tr><td>a<td>b<td>c</table>").text == "a | b | c\n"


def test_tables_that_only_lay_out_read_from_top_to_bottom() -> None:
    html = "<table><tr><td><table><tr><td><p>One</p><p>Two</p></td></tr></table></td></tr><tr><td>Three</table>"

    assert derive_text(html).text.split() == ["One", "Two", "Three"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<title>x</title>",
        "<style>p{}</style>",
        "<script>x</script>",
        "<!-- x -->",
        "<div style='display:none'>x<div>y</div></div>",
        "<span hidden>x</span>",
        "<p style='display:none;mso-hide:all'>x</p>",
        "<!--[if mso]><table><tr><td>x<![endif]-->",
    ],
)
def test_what_is_hidden_is_left_out(hidden: str) -> None:
    assert derive_text(f"<p>before</p>{hidden}<p>after</p>").text == "before\n\nafter\n"


@pytest.mark.parametrize(
    "html",
    [
        "<html><head><title>x</title><style>p{}</style><body>shown",
        "<p hidden>x <b>y</b><p>shown",
        "<p hidden>x<div>shown</div>",
        "<div><p hidden>x</div>shown",
        "<ul><li hidden>x</ul>shown",
        "<ol hidden><li>x<li>y</ol>shown",
        "<dl><dt hidden>x<dd hidden>y</dl>shown",
        "<table><tr><td style='display:none'>x<td>shown</table>",
        "<table><tr><td style='display:none'>x</table>shown",
        "<table><tr hidden><td>x<td>y<tr><td>shown</table>",
        "<table><tbody hidden><tr><td>x<tr><td>y<tbody><tr><td>shown</table>",
        "<table><tr><td hidden><table><tr><td>x<tr><td>y</table>z<td>shown</table>",
        "<table><tr><td><span style='display:none'>x</td></tr></table>shown",
        "<div hidden><p>x<p>y<table><tbody><tr><td>z</tbody></table><br><img alt=a></div>shown",
        "<div hidden><span hidden>x</span><div>y</div></i>z</div>shown",
    ],
)
def test_what_is_hidden_ends_where_its_element_does(html: str) -> None:
    assert derive_text(html).text.removeprefix("- ") == "shown\n"


@pytest.mark.parametrize(
    "seen",
    [
        "<!--[if !mso]><!--><p>shown</p><!--<![endif]-->",
        "<!--[if !mso]>--><p>shown</p><!--<![endif]-->",
        "<!--[if !mso]><!-- --><p>shown</p><!-- <![endif]-->",
        "<!--[if !mso]><! --><p>shown</p><!-- <![endif]-->",
        "<![if !mso]><p>shown</p><![endif]>",
        "<!--[if mso]>x<!-- y --><p>shown</p><!-- z --><![endif]-->",
        "<p style='mso-hide: all'>shown</p>",
    ],
)
def test_what_only_outlook_does_not_see_is_shown(seen: str) -> None:
    assert derive_text(seen).text == "shown\n"


def test_a_button_that_outlook_gets_in_a_form_of_its_own_is_in_the_text_once() -> None:
    html = """<div><!--[if mso]><v:roundrect href="%%JOIN_LINK%%"><center>Join</center></v:roundrect><![endif]-->
    <a href="%%JOIN_LINK%%" style="background-color:#1d4ed8;mso-hide:all">Join</a></div>"""

    assert derive_text(html).text == "Join: %%JOIN_LINK%%\n"


def test_words_under_a_condition_are_a_block() -> None:
    derived = derive_text("<p>Hello<span data-when='A B'> %%A%%<span>!</span></span>, you</p>")
    block = derived.blocks[0]

    assert derived.text == "Hello %%A%%!, you\n"
    assert (derived.text[block.start : block.end], block.names) == (" %%A%%!", {"A", "B"})


CONDITIONS = [
    ("<p>a</p><p data-when='A'>%%A%% b</p><p>c</p>", "a\n\nx b\n\nc\n", "a\n\nc\n"),
    ("<h1 data-when=A>b</h1><p>c</p>", "b\n\nc\n", "c\n"),
    ("<p>a</p><div data-when=A><h2>b</h2><p>%%A%%</p></div>c", "a\n\nb\n\nx\n\nc\n", "a\n\nc\n"),
    ("<ul><li>a<li data-when=A>b</li><li>c</ul>", "- a\n- b\n- c\n", "- a\n- c\n"),
    (
        "<table><tr><td>a<td>1</tr><tr data-when=A><td>b<td>%%A%% of 2</tr><tr><td>c<td>3</table>",
        "a: 1\nb: x of 2\nc: 3\n",
        "a: 1\nc: 3\n",
    ),
    ("a<table data-when=A><tr><td><a href='http://y/'>b</a></table>c", "a\n\nb: http://y/\n\nc\n", "a\n\nc\n"),
    ("<table><tr><td>a<td data-when=A><p>b</p></td></table>", "a: b\n", "a: \n"),
    ("<table><tr><td><div data-when=A><p>b</p></div></td><td>c</table>", "b: c\n", ": c\n"),
    ("a<hr data-when=A>b", "a\n\n----\n\nb\n", "a\n\nb\n"),
    ("a <img data-when=A alt=b> c", "a b c\n", "a  c\n"),
    ("a<br data-when=A>b", "a\nb\n", "ab\n"),
    ("<p data-when=A>b<p>c", "b\n\nc\n", "b\n\nc\n"),
    ("<b data-when=B>a<i data-when=A>b</b> c</i> d", "ab c d\n", "a d\n"),
]


@pytest.mark.parametrize(("html", "text", "without"), CONDITIONS)
def test_whatever_is_shown_under_a_condition_is_a_block(html: str, text: str, without: str) -> None:
    assert render(html, {"A": "x", "B": "y"}).text == text
    assert render(html, {"B": "y"}).text == without


def test_what_only_shows_an_image_is_left_out() -> None:
    html = "<p>a</p><div data-when=QR_CODE>Scan this</div><img src=%%QR_CODE%% alt=Code><p>b</p>"

    assert derive_text(html).text == "a\n\nb\n"


@pytest.mark.parametrize(
    "piece",
    [
        *("<td>", "<tr><td>", "<", "<!--", "<a href='", "&", "<b>", "</td>", "<p hidden>", " ", "\n", "<li>"),
        *("<p data-when=A>", "<b data-when=A></b>", "<td data-when=A>", "<hr data-when=A> ", "<!--[if x]>", "-->"),
        *("<div hidden>", "<li hidden>", "<div hidden><b></i>", "<td hidden><b></td>"),
    ],
)
def test_time_grows_with_length_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        html = "<p>" + piece * (length // len(piece)) + "x" * 1000
        started = time.process_time()
        derive_text(html)
        return time.process_time() - started

    assert min(seconds(100_000), seconds(100_000)) < 50 * max(seconds(10_000), 0.005)
