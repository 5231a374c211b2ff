"""What each of the operator's settings may be. What a setting must be like is said in a ValueError, without its value.

`config` names the rule of each setting in its type. A text that is left empty is a setting that is left out.
"""

import re
import ssl
from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from ringpost.domain import credentials, hosts, paces, tenants
from ringpost.storage import engines, keyring

_TOKEN = re.compile(r"[\x21-\x7e]{32,512}")
_NAME_SERVER = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?")


def _or_empty(rule: Callable[[str], str]) -> Callable[[str], str]:
    """The rule, for a setting that may be left empty."""

    @wraps(rule)
    def check(text: str) -> str:
        return rule(text) if text else text

    return check


def named_folder(path: str | Path) -> str | Path:
    """A folder by its name. No name at all, as in an empty file of secrets, would be the folder that we are in."""
    if path == "":
        raise ValueError("this must name a folder; . is the one that Ringpost is started in")
    return path


def existing_folder(path: Path) -> Path:
    """A folder that is there."""
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    return path


def database_url(url: str) -> str:
    """A URL of a kind of database that we know."""
    engines.check_url(url)
    return url


def key_ring(keys: SecretStr) -> SecretStr:
    """A key ring as text."""
    try:
        keyring.KeyRing.from_text(keys.get_secret_value())
    except keyring.KeyRingError as error:
        raise ValueError(str(error)) from None
    return keys


def token(text: SecretStr) -> SecretStr:
    """A token that nobody guesses."""
    if not _TOKEN.fullmatch(text.get_secret_value()):
        raise ValueError(
            "this must be 32 to 512 printable ASCII characters without blanks; to make one: "
            'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return text


def proxies(text: str) -> str:
    """Addresses and networks, or `*` for all."""
    try:
        for item in list_of(text) if text.strip() != "*" else ():
            ip_network(item)
    except ValueError:
        raise ValueError("this must be IP addresses, networks such as 10.0.0.0/8, or * alone") from None
    return text


@_or_empty
def machine_name(name: str) -> str:
    """A name of a host, of one label or more."""
    try:
        return hosts.parse_host(name, single_label=True)
    except ValueError:
        raise ValueError("this must be a host name, such as pbx-7 or pbx-7.example.com") from None


@_or_empty
def web_domain(text: str) -> str:
    """A host with or without a port, as it stands in an https:// address."""
    try:
        parts = urlsplit(f"https://{text}")
        hosts.parse_host(parts.hostname or "", single_label=True)
        plain = parts.netloc == text and parts.username is None and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("this must be a host name, such as pbx.example.com, with an optional port")
    return text


def locale(tag: str) -> str:
    """A BCP 47 tag."""
    if not tenants.is_locale(tag):
        raise ValueError("this must be a BCP 47 tag, such as en or de-CH")
    return tag


@_or_empty
def ehlo_name(name: str) -> str:
    """A host name or an address literal."""
    if name.strip().rstrip(".").lower().partition(".")[0] == "localhost":
        raise ValueError("mail servers refuse localhost; give the host's full name, or leave it out")
    if not hosts.is_ehlo_name(name):
        raise ValueError("this must be a host name, or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]")
    return name


def networks(text: str) -> str:
    """Networks that mail servers may be in."""
    hosts.parse_allowed_networks(text)
    return text


def ports(text: str) -> str:
    """Port numbers, comma-separated."""
    for port in list_of(text):
        if not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError(f"{port} is not a port from 1 to 65535")
    return text


def certificates(path: Path) -> Path:
    """A PEM file of certificate authorities."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return path


def https_address(text: str) -> str:
    """The address of a service, without a slash at its end."""
    try:
        parts = urlsplit(text)
        more = parts.query or parts.fragment or parts.username
        plain = parts.scheme == "https" and parts.hostname and parts.port != 0 and not more
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("this must be an https:// address")
    return text.rstrip("/")


def smtp_host(text: str) -> str:
    """A host and its port."""
    credentials.parse_smtp_host(text)
    return text


def name_servers(text: str) -> str:
    """DNS servers, comma-separated."""
    for item in list_of(text):
        name_server(item)
    return text


def pace_rules(text: str) -> str:
    """Mails a minute by host."""
    paces.parse_paces(text)
    return text


def list_of(text: str) -> list[str]:
    """The items of a comma-separated list."""
    return [item.strip() for item in text.split(",") if item.strip()]


def name_server(text: str) -> tuple[str, int]:
    """An IP address with an optional port. ValueError when it is none."""
    found = _NAME_SERVER.fullmatch(text)
    host, port = (found[1] or found[2], int(found[3] or 53)) if found else (text, 53)
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port from 1 to 65535")
    return str(ip_address(host)), port
