"""Which hosts and addresses a tenant's mail server may have."""

# ruff: noqa: RUF001  the look-alike digits are what is tested

from ipaddress import ip_address, ip_network

import pytest

from ringpost.domain.hosts import AllowedNetwork, is_refused, parse_allowed_networks, parse_host, parse_ip


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("mail.example.com", "mail.example.com"),
        ("Mail.Example.COM", "mail.example.com"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("例子.公司", "xn--fsqu00a.xn--55qx5d"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("3com.com", "3com.com"),
        ("1.2.3.com", "1.2.3.com"),
    ],
)
def test_a_name_or_a_strict_address_is_a_host(typed: str, host: str) -> None:
    assert parse_host(typed) == host


@pytest.mark.parametrize(
    "typed",
    [
        *("", ".", "a..b", ".a.b", "a.b.", "mail", "localhost", "-a.example", "a-.example", "a_b.example"),
        *("0", "127.1", "0x7f.1", "2130706433", "0x7f000001", "017700000001", "127.0.0.1.", "127.0.0.01", "1.2.3"),
        *("1.2.3.4.5", "256.1.1.1", "0x7f.0.0.1", "example.0x1", "１２７.1", "127。1", "２１３０７０６４３３"),
        *("http://x", "http://x.example", "x:25", "x.example:25", "user@x.example", "x.example/", "x y.example"),
        *(
            "x.example\r\nEHLO",
            "x.example\n",
            "x\0.example",
            "x.example ",
            "fe80::1%eth0",
            "[1.2.3.4]",
            "[mail.example]",
        ),
        *("::1]", "[::1", "1::2::3", ":25", "a" * 64 + ".example", ".".join(["abcdefg"] * 40), "☃︎.\u202e.example"),
    ],
)
def test_everything_else_is_no_host(typed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_host(typed)


def test_a_name_has_253_characters_at_most() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

    assert parse_host(longest) == longest
    with pytest.raises(ValueError, match=r".*"):
        parse_host(f"{longest}d")


def test_what_is_too_long_for_a_name_is_not_normalised(normalised: list[int]) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        parse_host("\u0323" * 1000 + ".example")
    assert normalised == []


def test_a_name_without_a_dot_is_for_the_system_administrator_only() -> None:
    assert parse_host("mailpit", single_label=True) == "mailpit"


@pytest.mark.parametrize("typed", ["0", "2130706433", "0x7f"])
def test_a_number_is_no_name_for_the_system_administrator_either(typed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_host(typed, single_label=True)


def test_only_a_literal_address_parses_as_one() -> None:
    assert parse_ip("192.0.2.1") == ip_address("192.0.2.1")
    assert parse_ip("mail.example.com") is None


ALWAYS = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),  # noqa: S104
    *("100.100.100.200", "168.63.129.16", "::", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fec0::1", "ff02::1"),
    *("fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::"),
    *("2001:0:a9fe:a9fe::1", "2001:0:808:808:0:0:5601:5601", "2a00::5efe:169.254.169.254", "fe80::5efe:8.8.8.8"),
    *("2a00::200:5efe:169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "::ffff:168.63.129.16"),
    *("64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:64:6464:c800:0", "64:ff9b:1::", "64:ff9b:1::0.1.2.3", "fd20:ce::254"),
]
UNLESS_ALLOWED = [
    *("127.0.0.1", "127.8.8.8", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("198.18.0.1", "198.19.255.255", "192.0.0.1", "fc00::1", "fd12::1", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *("2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::"),
    *("2001:0:a00:1:0:0:f7f7:f7f7", "2a00::5efe:10.0.0.1", "64:ff9b:1::10.0.0.1"),
    *("192.88.99.1", "100::1", "2001:2::1", "3fff::1", "3fff:fff::1", "5f00::1", "fdff::1", "100.100.100.201"),
]
FINE = [
    *("8.8.8.8", "9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1"),
    *("1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.0.1", "169.255.0.1", "192.169.0.0", "192.0.1.1", "192.0.3.1"),
    *("198.17.255.255", "198.20.0.0", "198.51.99.1", "203.0.112.1", "223.255.255.255"),
    *(
        "2a00:1450:4001:81b::1",
        "2606:4700::1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
    ),
]


@pytest.mark.parametrize("address", ALWAYS)
def test_some_addresses_are_refused_whatever_the_operator_allows(address: str) -> None:
    everything = parse_allowed_networks("0.0.0.0/0, ::/0")

    assert is_refused(ip_address(address), 25)
    assert is_refused(ip_address(address), 25, everything)


@pytest.mark.parametrize("address", UNLESS_ALLOWED)
def test_private_addresses_are_refused_unless_the_operator_allows_them(address: str) -> None:
    everything = parse_allowed_networks("0.0.0.0/0, ::/0")

    assert is_refused(ip_address(address), 25)
    assert not is_refused(ip_address(address), 25, everything)


@pytest.mark.parametrize("address", FINE)
def test_public_addresses_are_fine(address: str) -> None:
    assert not is_refused(ip_address(address), 25)


def test_a_network_can_be_allowed_for_one_port() -> None:
    allowed = parse_allowed_networks("10.0.0.0/8,192.168.1.0/24:2525, [fd00::/8]:25 ,[fd99::/16]")

    assert allowed == (
        AllowedNetwork(ip_network("10.0.0.0/8")),
        AllowedNetwork(ip_network("192.168.1.0/24"), 2525),
        AllowedNetwork(ip_network("fd00::/8"), 25),
        AllowedNetwork(ip_network("fd99::/16")),
    )
    assert not is_refused(ip_address("192.168.1.7"), 2525, allowed)
    assert is_refused(ip_address("192.168.1.7"), 25, allowed)
    assert is_refused(ip_address("192.168.2.7"), 2525, allowed)
    assert not is_refused(ip_address("fd00::7"), 25, allowed)
    assert is_refused(ip_address("fd00::7"), 587, allowed)
    assert not is_refused(ip_address("10.9.8.7"), 587, allowed)


def test_a_single_address_is_a_network() -> None:
    assert parse_allowed_networks("10.1.2.3, fd00::8") == (
        AllowedNetwork(ip_network("10.1.2.3/32")),
        AllowedNetwork(ip_network("fd00::8/128")),
    )
    assert parse_allowed_networks("") == ()


@pytest.mark.parametrize("text", ["10.0.0.1/8", "x", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/33", "[fd00::/8]:x"])
def test_a_network_that_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_allowed_networks(text)
