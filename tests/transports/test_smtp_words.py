"""The parts of the SMTP client that need no network: reading replies, writing commands, reading capabilities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transports.mail_samples import PASSWORD, with_login

from ringpost.domain.addresses import Address
from ringpost.domain.deliveries import Stage
from ringpost.domain.endpoints import Auth
from ringpost.transports.smtp import SmtpOptions, commands
from ringpost.transports.smtp.capabilities import Capabilities, read_capabilities
from ringpost.transports.smtp.classify import Judge
from ringpost.transports.smtp.hints import for_reply
from ringpost.transports.smtp.login import Login, choose_mechanisms
from ringpost.transports.smtp.replies import Garbage, Reply, ReplyParser
from ringpost.transports.words import clean


def read(*chunks: bytes) -> list[Reply | Garbage]:
    parser = ReplyParser()
    return [reply for chunk in chunks for reply in parser.feed(chunk)]


def codes(replies: list[Reply | Garbage]) -> list[int | None]:
    return [reply.code if isinstance(reply, Reply) else None for reply in replies]


def test_a_reply_of_many_lines_is_one_reply() -> None:
    (reply,) = read(b"250-first\r\n250-\r\n250 last\r\n")

    assert isinstance(reply, Reply)
    assert (reply.code, reply.lines, reply.text) == (250, (b"first", b"", b"last"), "first  last")


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\r\n250 b\r\n", b"354\r\n", b"421 4.3.2 bye\n"])), st.data())
def test_replies_do_not_depend_on_how_they_are_cut(replies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(replies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert codes(read(*chunks)) == codes(read(stream)) == [int(reply[:3]) for reply in replies]


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 200 OK\r\n", b"\r\n", b"25\r\n", b"2500 x\r\n", b"150 x\r\n", b"650 x\r\n", b"250x\r\n", b"\x00\xff\n"],
)
def test_what_is_no_reply_is_garbage_and_ends_the_stream(garbage: bytes) -> None:
    parser = ReplyParser()

    assert codes(parser.feed(b"220 hi\r\n" + garbage + b"250 ok\r\n")) == [220, None]
    assert parser.feed(b"250 ok\r\n") == []


def test_lines_of_one_reply_have_one_code() -> None:
    assert codes(read(b"250-a\r\n550 b\r\n")) == [None]


def test_a_line_is_at_most_two_kibibytes() -> None:
    assert codes(read(b"250 " + b"x" * 2042 + b"\r\n")) == [250]
    assert codes(read(b"250 " + b"x" * 2043 + b"\r\n")) == [None]
    assert codes(read(*[b"250 " + b"x" * 500] * 5)) == [None]


def test_a_reply_is_at_most_64_kibibytes() -> None:
    assert codes(read(b"250-xx\r\n" * 8191 + b"250 xx\r\n")) == [250]
    assert codes(read(b"250-xx\r\n" * 8192 + b"250 xx\r\n")) == [None]


@pytest.mark.parametrize(
    ("reply", "enhanced"),
    [
        (b"550 5.7.1 no", "5.7.1"),
        (b"550 5.7.1", "5.7.1"),
        (b"250 2.0.0 ok", "2.0.0"),
        (b"550 4.7.1 no", None),
        (b"550 5.7.1234 no", None),
        (b"550 5.7.1no", None),
        (b"550 no 5.7.1", None),
        (b"354 3.0.0 go", None),
    ],
)
def test_an_enhanced_code_counts_at_the_start_and_in_its_class(reply: bytes, enhanced: str | None) -> None:
    (one,) = read(reply + b"\r\n")

    assert isinstance(one, Reply)
    assert one.enhanced_code == enhanced


@given(st.binary(max_size=3000))
def test_words_of_a_server_are_one_printable_line_of_at_most_512_octets(words: bytes) -> None:
    text = clean(words)

    assert text.isprintable()
    assert len(text.encode()) <= 512


def test_cutting_words_leaves_no_half_character() -> None:
    assert clean("ü".encode() * 300) == "ü" * 256
    assert clean(b"x" + "ü".encode() * 300) == "x" + "ü" * 255


def test_words_that_are_no_utf_8_are_read_as_older_servers_mean_them() -> None:
    assert clean("Postfach überfüllt € Größe".encode("cp1252")) == "Postfach überfüllt € Größe"
    assert clean("Postfach überfüllt".encode()) == "Postfach überfüllt"


def capabilities_of(*lines: str) -> Capabilities:
    return read_capabilities(Reply(250, tuple(line.encode() for line in ("host.example", *lines))))


def test_capabilities_are_read_without_regard_to_case() -> None:
    assert capabilities_of("Pipelining", "size 1000", "8bitmime", "SmtpUtf8", "starttls", "EnhancedStatusCodes") == (
        Capabilities(
            starttls=True,
            pipelining=True,
            smtputf8=True,
            eight_bit_mime=True,
            enhanced_status_codes=True,
            size_offered=True,
            size_limit=1000,
        )
    )


@pytest.mark.parametrize("lines", [("AUTH PLAIN LOGIN",), ("AUTH=PLAIN LOGIN",), ("AUTH PLAIN", "AUTH=LOGIN PLAIN")])
def test_both_forms_of_auth_are_read(lines: tuple[str, ...]) -> None:
    assert capabilities_of(*lines).login == {"PLAIN", "LOGIN"}


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE x", "SIZE -5", "SIZE " + "9" * 5000])
def test_a_size_without_a_number_is_no_limit(size: str) -> None:
    assert capabilities_of(size).size_limit is None
    assert capabilities_of(size).size_offered


def test_the_first_line_of_the_answer_to_ehlo_is_no_capability() -> None:
    assert read_capabilities(Reply(250, (b"PIPELINING",))) == Capabilities()
    assert capabilities_of("", " ", "\x00") == Capabilities()


NO_LITERALS = (
    "[300.1.1.1]",
    "[192.0.2]",
    "[2001:db8::1]",
    "[IPv6:192.0.2.1]",
    "[fe80::1%eth0]",
    "[]",
    "[a]",
    "[1",
    "::1",
)
"""RFC 5321 4.1.3."""
TEXT = st.text(st.characters(codec=None), max_size=40)


@given(TEXT, TEXT)
def test_no_line_break_gets_into_a_command(local: str, domain: str) -> None:
    hostile = Address(local, domain, domain)
    for command in (commands.mail, commands.rcpt):
        try:
            line = command(hostile)
        except ValueError:
            continue
        assert line.endswith(b">\r\n")
        assert not {b"\r", b"\n", b"\0"} & {bytes([octet]) for octet in line[:-2]}


@pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL", "a\n", "a\0", "ü.example", "x" * 256, *NO_LITERALS])
def test_an_ehlo_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="EHLO"):
        SmtpOptions(ehlo_name=name)


@pytest.mark.parametrize("literal", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::ffff:192.0.2.1]"])
def test_an_ehlo_name_may_be_an_address_literal(literal: str) -> None:
    assert commands.ehlo(literal) == f"EHLO {literal}\r\n".encode()


@pytest.mark.parametrize(
    ("local", "written"),
    [
        ("alice", b"alice@x.example"),
        ("a.b+c", b"a.b+c@x.example"),
        ('"john doe"', b'"john doe"@x.example'),
        ("john doe", b'"john doe"@x.example'),
        ('a"b', b'"a\\"b"@x.example'),
        ("a>b", b'"a>b"@x.example'),
        ('"', b'"\\""@x.example'),
    ],
)
def test_a_local_part_is_quoted_where_it_has_to_be(local: str, written: bytes) -> None:
    assert commands.path(Address(local, "x.example", "x.example")) == written


@pytest.mark.parametrize("local", ["a\x85b", "é\u2028b", "é\u2029b", "é\x9fb", "é\x7fb"])
def test_a_local_part_with_a_line_break_of_any_script_is_refused(local: str) -> None:
    with pytest.raises(ValueError, match="address"):
        commands.path(Address(local, "x.example", "x.example"))


@pytest.mark.parametrize("domain", ["x.example>", "x y", "", "münchen.de", "x\r\n", "[127.0.0.1]", "-x.example"])
def test_only_an_a_label_domain_goes_on_the_wire(domain: str) -> None:
    with pytest.raises(ValueError, match="domain"):
        commands.path(Address("a", domain, domain))


@pytest.mark.parametrize(
    ("message", "framed"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"", b"\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n..\r\nb\r\n", b"a\r\n..\r\n...\r\nb\r\n.\r\n"),
        (b"a\r\n\r\n", b"a\r\n\r\n.\r\n"),
    ],
)
def test_a_message_is_dot_stuffed_and_ended(message: bytes, framed: bytes) -> None:
    assert commands.stuffed(message) + commands.LONE_DOT == framed


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_a_framed_message_ends_where_it_ends_and_comes_out_as_it_went_in(message: bytes) -> None:
    framed = commands.stuffed(message) + commands.LONE_DOT

    lines = framed.removesuffix(b"\r\n").split(b"\r\n")
    assert lines.index(b".") == len(lines) - 1
    assert b"\r\n".join(line.removeprefix(b".") for line in lines[:-1]) == message.removesuffix(b"\r\n")


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"."]), max_size=12).map(b"".join))
def test_a_bare_cr_or_lf_in_a_message_is_refused(message: bytes) -> None:
    bare = message.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        with pytest.raises(ValueError, match="bare"):
            commands.stuffed(message)
    else:
        assert commands.stuffed(message).endswith(b"\r\n")


@pytest.mark.parametrize("filler", [b"", b"a" * 100_000])
@pytest.mark.parametrize("message", [b"a\rb\nc\r\n", b"a\nb\rc\r\n", b"\r.\n", b"\n\r", b"a\r\n\rb\n", b"a\r\r\n\n"])
def test_a_bare_cr_does_not_make_up_for_a_bare_lf(message: bytes, filler: bytes) -> None:
    with pytest.raises(ValueError, match="bare"):
        commands.stuffed(filler + message)


def test_parameters_are_only_what_is_offered() -> None:
    everything = Capabilities(size_offered=True, eight_bit_mime=True, smtputf8=True)

    assert commands.mail_parameters(everything, 7, utf8=True, eight_bit=True) == b" SIZE=7 BODY=8BITMIME SMTPUTF8"
    assert commands.mail_parameters(everything, 7, utf8=False, eight_bit=False) == b" SIZE=7"
    assert commands.mail_parameters(Capabilities(), 7, utf8=True, eight_bit=True) == b""


@pytest.mark.parametrize(
    ("auth", "offered", "chosen"),
    [
        (Auth.AUTO, {"LOGIN", "PLAIN", "CRAM-MD5"}, ["PLAIN", "LOGIN"]),
        (Auth.AUTO, {"LOGIN"}, ["LOGIN"]),
        (Auth.AUTO, {"CRAM-MD5"}, []),
        (Auth.PLAIN, {"LOGIN"}, []),
        (Auth.LOGIN, {"LOGIN", "PLAIN"}, ["LOGIN"]),
        (Auth.DISABLE, {"LOGIN", "PLAIN"}, []),
    ],
)
def test_a_mechanism_is_chosen_from_settings_and_offer(auth: Auth, offered: set[str], chosen: list[str]) -> None:
    assert choose_mechanisms(auth, frozenset(offered)) == chosen


def test_a_login_is_in_utf_8() -> None:
    # RFC 4616 2: NUL user NUL password in UTF-8, in base64.
    assert Login("PLAIN", "zoë", "naïve").first() == b"AUTH PLAIN AHpvw6sAbmHDr3Zl\r\n"


def test_the_password_is_taken_out_of_words_in_every_form() -> None:
    judge = Judge(with_login(25))

    said = judge.refused(Stage.AUTH, Reply(535, (f"5.7.8 {PASSWORD} is wrong".encode(),)))

    assert said.reply == "5.7.8 *** is wrong"


@pytest.mark.parametrize(
    ("stage", "line", "words"),
    [
        (Stage.RCPT_TO, b"550 5.7.1 Relaying denied", "other domains"),
        (Stage.MAIL_FROM, b"553 5.7.1 Sender address rejected: not owned by user", "own address as sender"),
        (Stage.DATA, b"550 5.7.26 Unauthenticated, DMARC failed", "DMARC"),
        (Stage.DATA, b"554 5.7.1 looks like spam", "spam"),
        (Stage.RCPT_TO, b"550 5.1.1 unknown", "no such mailbox"),
        (Stage.DATA, b"552 5.3.4 big", "larger"),
        (Stage.DATA, b"552 big", "larger"),
        (Stage.GREETING, b"421 busy", "closing or overloaded"),
        (Stage.MAIL_FROM, b"550 5.7.1 policy", "policy"),
        (Stage.RCPT_TO, b"450 4.2.0 greylisted", "greylisting"),
        (Stage.RCPT_TO, b"451 4.7.1 Greylisting in action, please come back later", "greylisting"),
        (Stage.RCPT_TO, b"451 Gray-listed, try again", "greylisting"),
        (Stage.RCPT_TO, b"554 5.7.1 Greylisting failed", "policy"),
        (Stage.DATA, b"451 4.7.1 Grey listing for spam protection", "greylisting"),
        (Stage.EHLO, b"550 name", "host name"),
        (Stage.RCPT_TO, b"599 strange", "refused the recipient"),
    ],
)
def test_a_refusal_is_explained_in_plain_words(stage: Stage, line: bytes, words: str) -> None:
    (reply,) = read(line + b"\r\n")

    assert isinstance(reply, Reply)
    assert words in for_reply(stage, reply).hint
