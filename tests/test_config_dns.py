"""DNS servers of the doctor are read strictly."""

import pytest
from pydantic import ValidationError

from ringpost.config import Config


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("", ()),
        ("192.0.2.53", (("192.0.2.53", 53),)),
        ("192.0.2.53:5353, [2001:db8::53]:54", (("192.0.2.53", 5353), ("2001:db8::53", 54))),
        ("2001:db8::53", (("2001:db8::53", 53),)),
    ],
)
def test_dns_servers_are_addresses_with_a_port_or_without(text: str, servers: tuple[tuple[str, int], ...]) -> None:
    assert Config(dns_servers=text).name_servers == servers


@pytest.mark.parametrize("text", ["dns.example.com", "192.0.2.53:0", "192.0.2.53:65536", "[192.0.2.53", "1.2.3"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Config(dns_servers=text)
