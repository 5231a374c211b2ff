"""Addresses: what people type, what attackers type, and what goes out."""

import contextlib
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ringpost.domain.addresses import (
    MAX_RECIPIENTS,
    Address,
    format_address,
    format_recipients,
    parse_address,
    parse_recipients,
    unseen_character,
    visible,
)
from ringpost.errors import Invalid

LONGEST_DOMAIN = ".".join(["d" * 61, "d" * 61, "d" * 59, "com"])


def specs(text: str) -> list[str]:
    return [address.spec for address in parse_recipients(text)]


def refusal(text: str) -> tuple[str, str, str | None]:
    with pytest.raises(Invalid) as caught:
        parse_recipients(text)
    (error,) = caught.value.errors
    return error.field, error.message, error.item


@pytest.mark.parametrize("separator", [",", ", ", ";", " ; ", "\n", "\r\n", ",\r\n", ",,;;\n\n,"])
def test_commas_semicolons_and_line_breaks_separate_recipients(separator: str) -> None:
    assert specs(f"a@example.com{separator}b@example.com") == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("text", ["", " ", ",", " , ;\r\n,\t"])
def test_empty_items_are_skipped(text: str) -> None:
    assert parse_recipients(text) == ()


def test_a_comma_in_a_quoted_name_separates_nothing() -> None:
    (address,) = parse_recipients('"Doe, John" <a@x.com>')
    assert address == Address("a", "x.com", "x.com", "Doe, John")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<a@x.com>", ""),
        ('"" <a@x.com>', ""),
        ("Jane <a@x.com>", "Jane"),
        ("Jane<a@x.com>", "Jane"),
        ("Jane  Q.   Doe <a@x.com>", "Jane Q. Doe"),
        ("Jane (Sales) <a@x.com>", "Jane (Sales)"),
        ("Zoë Müller <a@x.com>", "Zoë Müller"),
        (r'"a \"b\" \\ c" <a@x.com>', r'a "b" \ c'),
        ('"<b@y.com>" <a@x.com>', "<b@y.com>"),
        ("O'Brien <a@x.com>", "O'Brien"),
    ],
)
def test_display_names_are_kept(text: str, name: str) -> None:
    address = parse_address(text)
    assert (address.spec, address.display_name) == ("a@x.com", name)
    assert parse_address(format_address(address)) == address


def test_fifteen_recipients_are_fine() -> None:
    assert len(specs(", ".join(f"r{n}@example.com" for n in range(15)))) == MAX_RECIPIENTS == 15


def test_sixteen_recipients_are_refused() -> None:
    field, message, item = refusal(", ".join(f"r{n}@example.com" for n in range(16)))
    assert (field, item) == ("recipients", None)
    assert "15" in message


def test_the_limit_counts_different_recipients() -> None:
    fifteen = [f"r{n}@example.com" for n in range(15)]
    assert len(specs(", ".join([*fifteen, "r0@EXAMPLE.com", "r1@example.com"]))) == 15


def test_fifteen_of_the_longest_recipients_are_not_too_long() -> None:
    items = [f'"{"n" * 200}" <{"l" * 60}{n:02}@{"d" * 60}.{"d" * 60}.{"d" * 60}.com>' for n in range(15)]
    assert len(specs("; ".join(items))) == 15


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a@x.com, a@x.com", ["a@x.com"]),
        ("a@x.com, a@X.COM", ["a@x.com"]),
        ("a@münchen.de, a@xn--mnchen-3ya.de", ["a@münchen.de"]),
        ("Ann <a@x.com>, a@x.com", ["a@x.com"]),
        ("a@x.com, A@x.com", ["a@x.com", "A@x.com"]),
    ],
)
def test_duplicates_merge_by_exact_local_part_and_same_domain(text: str, kept: list[str]) -> None:
    assert specs(text) == kept


def test_the_first_of_duplicates_stays_with_its_name() -> None:
    assert format_recipients(parse_recipients("Ann <a@x.com>, a@x.com")) == "Ann <a@x.com>"


@pytest.mark.parametrize(
    "text",
    [
        "alice@example.org)bob@example.com",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@127.0.0.1",
        "a@localhost",
        "=?utf-8?q?a=40b?=@x",
        "=?utf-8?q?a=40b?=@example.com",
        "=?utf-8?q?Bob?= <a@example.com>",
        "bob",
        "@example.com",
        "a@",
        "a@example",
        "a@example.com.",
        "a@.example.com",
        "a@exam ple.com",
        "a@-example.com",
        "a@example-.com",
        "a@exa_mple.com",
        "a@example.com:25",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a b@example.com",
        '"a b"@example.com',
        "a(comment)@example.com",
        "@relay.example:a@example.com",
        "a@b@example.com",
        "Bcc: z@example.com",
        "<a@example.com",
        "a@example.com>",
        "a@example.com <b@example.com>",
        "<a@example.com> Ann",
        "<>",
        'Ann" <a@example.com>',
        '"Ann <a@example.com>',
        '"Ann\r\nBcc: z@example.com" <a@example.com>',
        '"Ann\tDoe" <a@example.com>',
        "a\x00@example.com",
        "a@example.com\x0bBcc",
        "a@example.com\u2028b",
        '"a\u2028b" <a@example.com>',
        '"a\u2029b" <a@example.com>',
        '"a\u0085b" <a@example.com>',
        "a\ud800@example.com",
        "a@xn--zzzzzz.com",
        "a@exam\u2100ple.com",
        "a\uff20b@example.com",
        "a\uff0eb@example.com",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    refusal(text)
    with pytest.raises(Invalid):
        parse_address(text)


@pytest.mark.parametrize(
    "character", list("\u200b\u200c\u200d\u2060\ufeff\u00ad\u202a\u202e\u2066\u2069\u200e\u061c\u3164\u2800\ufe0f")
)
@pytest.mark.parametrize(
    "template", ["a{}b@example.com", "a@exam{}ple.com", "An{}n <a@example.com>", '"{}" <a@example.com>']
)
def test_invisible_and_direction_turning_characters_are_refused(template: str, character: str) -> None:
    _, message, item = refusal(template.format(character))
    assert f"U+{ord(character):04X}" in message
    assert item is not None
    assert character not in item


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
        (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x16FE4, 0x16FE4), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ],
)  # fmt: skip
def test_nothing_that_unicode_shows_as_nothing_is_in_an_address(first: int, last: int) -> None:
    # Default_Ignorable_Code_Point of DerivedCoreProperties, and U+16FE4, the blank filler of Khitan.
    for number in range(first, last + 1):
        for template in ("a{}b@example.com", "An{}n <a@example.com>"):
            assert f"U+{number:04X}" in refusal(template.format(chr(number)))[1]


def test_a_smuggled_header_is_refused_and_named() -> None:
    assert refusal("a@x.com\r\nBcc: z@y")[2] == "Bcc: z@y"
    assert refusal("a@x.com\r\nBcc: z@y.com")[2] == "Bcc: z@y.com"


@pytest.mark.parametrize("text", ["a@x.com\r\nBcc: z@y", "a@x.com\n", "a@x.com, b@x.com", "a@x.com; b@x.com", "", " "])
def test_one_address_means_one(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_address(text, "reply_to")
    assert caught.value.errors[0].field == "reply_to"


def test_two_addresses_where_one_belongs_are_called_that() -> None:
    with pytest.raises(Invalid, match="Only one address"):
        parse_address("a@x.com, b@x.com")


def test_a_local_part_of_64_octets_is_the_longest() -> None:
    assert parse_address("a" * 64 + "@x.com").local == "a" * 64
    for local in ("a" * 65, "é" * 33):
        assert "longer than 64" in refusal(f"{local}@x.com")[1]


def test_a_domain_that_is_too_long_is_refused() -> None:
    refusal("a@" + ".".join(["d" * 63, "d" * 63, "d" * 63, "d" * 64]))
    refusal("a@" + ".".join(["d" * 63] * 3 + ["d" * 59, "com"]))
    refusal("a@" + "d" * 64 + ".com")
    refusal("a@" + ".".join(["ü" * 50] * 5))


def test_a_whole_address_has_at_most_254_octets() -> None:
    longest = "a" * 64 + "@" + ".".join(["d" * 63, "d" * 63, "d" * 57, "com"])
    assert len(parse_address(longest).wire) == 254
    assert "254" in refusal(longest.replace(".com", ".info"))[1]


def test_a_german_domain_is_kept_as_typed_and_sent_as_a_labels() -> None:
    address = parse_address("a@München.de")
    assert (address.spec, address.wire) == ("a@München.de", "a@xn--mnchen-3ya.de")
    assert not address.needs_smtputf8


def test_sharp_s_is_not_spelled_out() -> None:
    assert parse_address("a@straße.de").ascii_domain == "xn--strae-oqa.de"


def test_a_chinese_address_needs_smtputf8() -> None:
    address = parse_address("用户@例子.公司")
    assert address.wire == "用户@xn--fsqu00a.xn--55qx5d"
    assert address.needs_smtputf8


def test_an_upper_case_domain_goes_out_in_lower_case() -> None:
    assert parse_address("Joe@EXAMPLE.Com").wire == "Joe@example.com"
    assert parse_address("Joe@EXAMPLE.Com").spec == "Joe@EXAMPLE.Com"


def test_composed_and_decomposed_letters_are_the_same_mailbox() -> None:
    local = "zoë"
    keys = {parse_address(f"{unicodedata.normalize(form, local)}@x.com").key for form in ("NFC", "NFD")}
    assert len(keys) == 1


def test_several_bad_items_are_told_at_once() -> None:
    _, message, item = refusal("good@x.com, bob, carol, dave, erin, frank")
    assert item == "bob"
    assert "`carol`, `dave`, `erin`" in message


def test_a_bad_item_is_shown_short_and_harmless() -> None:
    _, _, item = refusal("a@x.com, " + "\u202e\x1b" + "z" * 500)
    assert item is not None
    assert item.startswith("<U+202E><U+001B>zzz")
    assert len(item) < 130


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("a@x.com;b@x.com", "a@x.com, b@x.com"),
        ("a@x.com\r\nb@x.com\r\n", "a@x.com, b@x.com"),
        ('"Doe, Jane" <j@x.com>;Bob <b@x.com>', '"Doe, Jane" <j@x.com>, Bob <b@x.com>'),
        ('"Bob" <b@x.com>', "Bob <b@x.com>"),
        ("J. Doe <b@x.com>", '"J. Doe" <b@x.com>'),
        ("", ""),
    ],
)
def test_recipients_are_normalised_once_and_for_all(text: str, normalised: str) -> None:
    assert format_recipients(parse_recipients(text)) == normalised
    assert format_recipients(parse_recipients(normalised)) == normalised


@pytest.mark.parametrize(
    "unit",
    [
        ",",
        "@",
        "a",
        '"',
        '"\\',
        "<",
        "a@x.com,",
        "é",
        '"a" ',
        "a.",
        '"a"@x.com,',
        "\r\n",
        "a@x.com\n",
        "\\",
        "=?",
        "ü.",
        "xn--",
    ],
)
def test_a_mebibyte_of_anything_is_read_in_no_time(unit: str) -> None:
    text = unit * ((1 << 20) // len(unit))
    started = time.perf_counter()
    for limit in (MAX_RECIPIENTS, 1 << 20):
        with contextlib.suppress(Invalid):
            parse_recipients(text, limit)
    with pytest.raises(Invalid):
        parse_address(text)
    assert time.perf_counter() - started < 10  # seconds; a quadratic reader takes hours


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(st.text())
def test_any_text_is_either_read_or_refused(text: str) -> None:
    try:
        shown = [format_address(one) for one in parse_recipients(text)]
    except Invalid as fault:
        shown = [error.item or "" for error in fault.errors]
    assert not any(map(unseen_character, shown))


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=30)
LOCALS = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=^_`{|}~é用-]{1,20}(\.[a-z0-9é]{1,10}){0,2}", fullmatch=True)
DOMAINS = st.sampled_from(
    ["example.com", "Sub.Example.COM", "münchen.de", "例子.公司", "xn--mnchen-3ya.de", LONGEST_DOMAIN]
)


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(st.lists(st.tuples(NAMES, LOCALS, DOMAINS), max_size=15))
def test_what_is_formatted_reads_back_as_the_same(parts: list[tuple[str, str, str]]) -> None:
    escaped = [(name.replace("\\", "\\\\").replace('"', '\\"'), local, domain) for name, local, domain in parts]
    try:
        read = parse_recipients("; ".join(f'"{name}" <{local}@{domain}>' for name, local, domain in escaped))
    except Invalid:
        return  # an encoded word, a blank that is a letter, or too long
    assert parse_recipients(format_recipients(read)) == read
    assert not any(set("\r\n\x00") & set(one.wire + one.display_name) for one in read)


JOINED = "xn--11b2ezcw70k.com"
"""\u0915\u094d\u200d\u0937.com: a zero width joiner, where RFC 5892 A.2 permits it."""
LETTERS = (
    st.text(st.sampled_from("\u0915\u094d\u0937\u0628\u0631\u200c\u200d"))
    | st.text("a\u00e9\u00df\u03c2\u4f8b\u30fb\u00b7l-")
    | st.text()
)
A_LABELS = LETTERS.map(lambda text: "xn--" + text.encode("punycode", "replace").decode())


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(DOMAINS | A_LABELS.map("{}.com".format))
@example(JOINED)
def test_what_is_kept_of_an_address_reads_back_as_the_same_mailbox(domain: str) -> None:
    try:
        address = parse_address(f"Jane@{domain}")
    except Invalid:
        return  # not what IDNA permits
    kept = parse_address(address.canonical)
    assert (kept.key, kept.canonical) == (address.key, address.canonical)


@hypothesis_settings(deadline=None)  # machines that test are busy
@given(st.text())
def test_what_is_shown_of_a_text_has_nothing_unseen(text: str) -> None:
    assert unseen_character(visible(text)) is None
