"""How Ringpost introduces itself to mail servers when nobody has said how."""

import socket
from typing import Any

import pytest

from ringpost.config import Config

ROUTES: dict[str, tuple[dict[int, str], str]] = {
    "both": ({socket.AF_INET: "192.0.2.7", socket.AF_INET6: "2001:db8::7"}, "[192.0.2.7]"),
    "IPv6 only": ({socket.AF_INET6: "2001:db8::7"}, "[IPv6:2001:db8::7]"),
    "an address with a zone": ({socket.AF_INET6: "fe80::7%eth0"}, "[127.0.0.1]"),
    "none": ({}, "[127.0.0.1]"),
}
"""What the system sends from -> the name. RFC 5321 4.1.3."""


@pytest.mark.parametrize(("addresses", "name"), ROUTES.values(), ids=ROUTES)
def test_a_host_without_a_full_name_gives_the_address_that_it_has(
    monkeypatch: pytest.MonkeyPatch, addresses: dict[int, str], name: str
) -> None:
    def connect(probe: socket.socket, _to: Any) -> None:
        if probe.family not in addresses:
            raise OSError("no route")

    def getsockname(probe: socket.socket) -> tuple[str, int]:
        return addresses[probe.family], 9

    monkeypatch.setattr(socket, "getfqdn", lambda: "pbx")
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "getsockname", getsockname)

    assert Config().introduced_as == name


def test_a_full_name_goes_before_any_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "pbx.example.com")

    assert Config().introduced_as == "pbx.example.com"
