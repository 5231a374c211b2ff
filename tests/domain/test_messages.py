"""Messages: what was put in comes out of the standard library's parser, and nothing on the way can be misread."""

import quopri
import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringpost.domain import mime
from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.events import Attachment
from ringpost.domain.messages import Envelope, Message, assemble
from ringpost.domain.rendering import Rendered, Stamp, compose, prepare
from ringpost.domain.templates import Template

STAMP = Stamp(date=1_767_605_400_123, message_id_domain="mail.example.com")
PNG = bytes(range(256)) * 3
SENDER = parse_address("pbx@example.com")
TO = parse_address("Jane Doe <jane@example.com>")
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cf"]) | st.just(" "), max_size=300)
"""What a line keeps as it is."""
AWKWARD = st.sampled_from(
    ["a", " ", "=", "=3D", ".", "-", "From ", "\t", "\0", "\r", "\n", "\r\n", "é", "中", "x" * 74, "y" * 75, "z" * 76]
)
"""What quoted-printable has rules for."""


def render(
    body: str, *, subject: str = "", qr_png: bytes | None = None, files: tuple[Attachment, ...] = ()
) -> Rendered:
    template = Template("USER_CREATION", "", subject, body)
    return prepare(template, CATALOGUE["USER_CREATION"]).render({}, STAMP, qr_png=qr_png, attachments=files)


def parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def mail(message: Message, recipient: Address = TO, reply_to: Address | None = None, sender: Address = SENDER) -> bytes:
    return assemble(message, envelope=Envelope(sender, recipient), delivery_id="d-1", reply_to=reply_to)


def is_sound(content: bytes) -> None:
    """7-bit, CRLF and nothing else, and no line that is too long."""
    assert content.isascii()
    assert b"\0" not in content
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 78


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    assert not part.defects
    return cast("str", part.get_content()).replace("\r\n", "\n")


# --- Shape ---


def test_html_goes_with_a_text_alternative() -> None:
    message = parse(render("<p>Grüße</p>").message.content)

    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert text_of(message, "plain") == "Grüße\n"
    assert text_of(message, "html") == "<p>Grüße</p>"


def test_plain_text_goes_alone() -> None:
    message = parse(render("Hello\n").message.content)

    assert message.get_content_type() == "text/plain"
    assert text_of(message, "plain") == "Hello\n"


def test_images_are_related_to_the_html_and_files_are_mixed_in() -> None:
    file = Attachment("msg.wav", "audio/wav", b"RIFF" * 100)
    content = render("<img src=%%QR_CODE%%>", qr_png=PNG, files=(file,)).message.content
    message = parse(content)

    is_sound(content)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "audio/wav",
    ]
    image, wave = list(message.walk())[-2:]
    assert (image["Content-ID"], image.get_payload(decode=True)) == ("<qr-code@ringpost>", PNG)
    assert image.get_content_disposition() == "inline"
    assert wave.get_payload(decode=True) == file.data
    assert not any(part.defects for part in message.walk())


def test_every_message_says_that_it_is_automatic() -> None:
    message = parse(render("x").message.content)

    assert message["MIME-Version"] == "1.0"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Date"] == "Mon, 05 Jan 2026 09:30:00 +0000"


def test_text_that_is_mostly_not_ascii_goes_in_base64() -> None:
    body = "电话系统的通知请尽快处理。\n" * 20
    message = parse(render(body).message.content)

    assert message["Content-Transfer-Encoding"] == "base64"
    assert text_of(message, "plain") == body


# --- Round trips ---


@given(subject=WORDS)
def test_any_subject_reads_back(subject: str) -> None:
    rendered = render("x", subject=subject.replace("%%", "%"))

    is_sound(rendered.message.content)
    # The parser drops spaces at the ends of encoded words' lines only; a run of spaces is one to it there.
    assert _spaces(parse(rendered.message.content)["Subject"]) == _spaces(rendered.subject)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="%"), max_size=400))
def test_any_text_reads_back(text: str) -> None:
    rendered = render(text)

    is_sound(rendered.message.content)
    if rendered.html is None:
        assert text_of(parse(rendered.message.content), "plain") == rendered.text


@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=120), min_size=3, max_size=3))
def test_any_values_read_back(values: list[str]) -> None:
    template = Template("RECHARGE", "", "", "<p>%%A%%</p>\n%%B%%<i title='%%C%%'>.\n%%A%%</i>", "%%A%%\n%%B%%-%%C%%.")
    rendered = prepare(template, CATALOGUE["RECHARGE"]).render(dict(zip("ABC", values, strict=True)), STAMP)
    message = parse(rendered.message.content)

    is_sound(rendered.message.content)
    assert text_of(message, "plain") == rendered.text
    assert text_of(message, "html") == rendered.html


@given(data=st.binary(max_size=400), name=st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_any_file_reads_back(data: bytes, name: str) -> None:
    content = render("x", files=(Attachment(name, "application/pdf", data),)).message.content
    file = next(parse(content).iter_attachments())

    is_sound(content)
    assert file.get_payload(decode=True) == data
    assert file.get_filename()
    assert not re.search(r"[/\\\x00-\x1f]", file.get_filename() or "")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("report.pdf", "report.pdf"),
        ("\u2003", "attachment"),
        ("Bericht für März.pdf", "Bericht für März.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"; x="b.txt', 'a"; x="b.txt'),
        ("", "attachment"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("\u2066a\u2069\u200e.wav", "a.wav"),
        ("\u202e", "attachment"),
        ("录音" * 40 + ".wav", "录音" * 40 + ".wav"),
    ],
)
def test_file_names_are_kept_as_far_as_they_are_safe(name: str, read: str) -> None:
    content = render("x", files=(Attachment(name, "audio/wav", b""),)).message.content

    assert next(parse(content).iter_attachments()).get_filename() == read


@pytest.mark.parametrize("kind", ["text/html\r\nX: y", "nonsense", "message/rfc822", "multipart/mixed", "a/b; c=d"])
def test_a_file_of_a_strange_type_is_just_bytes(kind: str) -> None:
    content = render("x", files=(Attachment("a", kind, b"x"),)).message.content

    assert next(parse(content).iter_attachments()).get_content_type() == "application/octet-stream"


@pytest.mark.parametrize(
    "line", ["From me", ".", "..", "--", "--=_ringpost_alternative", " trailing ", "a" * 2000, "="]
)
def test_lines_that_programs_mistake_are_hidden_from_them(line: str) -> None:
    body = f"<p>x</p>\n{line}\n{line}\nend"
    content = render(body).message.content
    body_lines = content.split(b"\r\n\r\n", 2)[2].split(b"\r\n")

    is_sound(content)
    assert text_of(parse(content), "html") == body
    assert not [one for one in body_lines if one.startswith((b"From ", b".")) or one.endswith(b" ")]


@given(text=st.lists(AWKWARD, max_size=6).map("".join))
@example(text="z" * 76)
def test_quoted_printable_reads_back_and_is_the_same_at_a_glance(text: str) -> None:
    encoded = mime.quoted_printable(text)

    assert quopri.decodestring(encoded) == re.sub("\r\n|\r|\n", "\r\n", text).encode()
    for line in encoded.split("\r\n"):
        assert re.fullmatch("(?![.-]|From )(?:[ -<>-~]|=[0-9A-F]{2}){0,75}=?", line)
        assert not line.endswith(" ")
    assert mime.plain_lines([text]) in ({text: encoded}, {})


# --- Headers ---


@pytest.mark.parametrize(
    "value",
    ["a\r\nBcc: z@y", "a\nb", "a\rb", "a\0b", "\r\n", "a\r\n", "a\n b", "a\r b", "a\r\n\r\nb", "a\r\n\r\n b", "\n"],
)
def test_a_line_break_that_is_no_fold_is_no_value(value: str) -> None:
    with pytest.raises(ValueError, match="line break or NUL"):
        mime.header("X", value)


@given(value=st.lists(st.sampled_from(["a", " ", "\r", "\n", "\r\n", "\r\n ", "\0", ":"]), max_size=5).map("".join))
def test_a_header_cannot_begin_another(value: str) -> None:
    try:
        written = mime.header("X", value)
    except ValueError:
        assert re.search("[\r\n\0]", value)
    else:
        assert "\0" not in written
        assert [line for line in written.split("\r\n") if line and not line.startswith(" ")] == [
            f"X: {value}".split("\r\n")[0]
        ]


@given(text=WORDS, first=st.integers(0, 30))
def test_folded_headers_fit_and_words_are_whole(text: str, first: int) -> None:
    lines = mime.unstructured(text, first).split("\r\n ")

    assert first + len(lines[0]) <= 78
    assert all(len(line) <= 77 for line in lines[1:])
    assert lines[0][:1] != " "
    assert lines[-1][-1:] != " "


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
        (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 +0000"),
    ],
)
def test_dates_are_those_of_the_calendar(timestamp: int, text: str) -> None:
    assert mime.date(timestamp) == text


# --- The whole mail ---


def test_the_mail_has_its_address_headers_first() -> None:
    message = Message("Northwind Traders", "mail.example.com", b"Subject: x\r\n\r\n")

    assert mail(message, reply_to=parse_address("desk@example.com")) == (
        b'From: "Northwind Traders" <pbx@example.com>\r\n'
        b'To: "Jane Doe" <jane@example.com>\r\n'
        b"Reply-To: desk@example.com\r\n"
        b"Message-ID: <d-1@mail.example.com>\r\n"
        b"Subject: x\r\n\r\n"
    )


@given(name=WORDS)
def test_any_senders_name_reads_back(name: str) -> None:
    name = name.strip()
    content = mail(Message(name, "mail.example.com", b"Subject: x\r\n\r\n"))
    written = message_from_bytes(content, policy=policy.compat32)["From"]
    shown, spec = parseaddr(re.sub(r"\r\n", "", written))

    is_sound(content)
    # Not by policy.default: until Python 3.13 it puts spaces between the encoded words of a phrase (RFC 2047 6.2).
    assert (_spaces(str(make_header(decode_header(shown)))), spec) == (_spaces(name), "pbx@example.com")


def test_international_domains_are_a_labels_and_only_local_parts_need_utf8() -> None:
    message = compose("x", "y", "", STAMP)

    assert b"To: a@xn--mnchen-3ya.de\r\n" in mail(message, parse_address("a@münchen.de"))
    assert "To: 用户@xn--fsqu00a.xn--55qx5d\r\n".encode() in mail(message, parse_address("用户@例子.公司"))


@pytest.mark.parametrize("delivery_id", ["", "a b", "a@b", "a\r\nX: y", "a>", "x" * 129])
def test_a_message_id_is_made_of_plain_letters_only(delivery_id: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        assemble(compose("x", "y", "", STAMP), envelope=Envelope(SENDER, TO), delivery_id=delivery_id, reply_to=None)


def test_the_same_delivery_always_has_the_same_content() -> None:
    assert mail(compose("x", "y", "", STAMP)) == mail(compose("x", "y", "", STAMP))


# --- Storage ---


@given(st.builds(Message, st.text(st.characters(exclude_categories=["Cs"])), st.just("h.example"), st.binary()))
def test_a_packed_message_unpacks_to_the_same(message: Message) -> None:
    assert Message.unpack(message.pack()) == message


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(8), b"\x01" + b"\xff" * 8])
def test_what_is_no_packed_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no packed message"):
        Message.unpack(data)


def _spaces(text: str) -> str:
    return " ".join(text.split())
