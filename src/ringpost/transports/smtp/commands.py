"""The bytes that we say to a server. Nothing else writes command bytes, so nothing else can smuggle a line into them.

Every function raises ValueError for text that cannot be said safely: CR, LF, NUL and other controls never get through.
"""

import re
from base64 import b64encode
from functools import lru_cache
from typing import Final

from ringpost.domain.addresses import Address
from ringpost.domain.hosts import is_ehlo_name
from ringpost.transports.smtp.capabilities import MECHANISM, Capabilities

STARTTLS: Final = b"STARTTLS\r\n"
DATA: Final = b"DATA\r\n"
RSET: Final = b"RSET\r\n"
QUIT: Final = b"QUIT\r\n"
LONE_DOT: Final = b".\r\n"
CANCEL_AUTH: Final = b"*\r\n"

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a0-\U0010ffff-]+")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"')


def ehlo(name: str) -> bytes:
    """EHLO with our host name or address literal."""
    return b"EHLO %b\r\n" % _host_name(name)


def helo(name: str) -> bytes:
    """HELO, for servers that know no EHLO (RFC 5321 3.2)."""
    return b"HELO %b\r\n" % _host_name(name)


def auth(mechanism: str, initial: bytes | None = None) -> bytes:
    """AUTH with an initial response if there is one (RFC 4954 4). ValueError when there can be no such mechanism."""
    if not MECHANISM.fullmatch(mechanism):
        raise ValueError("This is no name of a login mechanism.")
    if initial is None:
        return b"AUTH %b\r\n" % mechanism.encode("ascii")
    return b"AUTH %b %b\r\n" % (mechanism.encode("ascii"), b64encode(initial) or b"=")


def auth_answer(answer: bytes) -> bytes:
    """The answer to a 334, in base64: any bytes are safe."""
    return b64encode(answer) + b"\r\n"


def mail(sender: Address, parameters: bytes = b"") -> bytes:
    """MAIL FROM with parameters from `mail_parameters`."""
    return b"MAIL FROM:<%b>%b\r\n" % (path(sender), parameters)


def rcpt(recipient: Address) -> bytes:
    """RCPT TO."""
    return b"RCPT TO:<%b>\r\n" % path(recipient)


def path(address: Address) -> bytes:
    """An address as it stands between < and > (RFC 5321 4.1.2): domain in A-labels, local part quoted if need be."""
    return _path(address.local, address.ascii_domain)


@lru_cache(4096)
def _path(local: str, domain: str) -> bytes:
    """Kept, because the senders and recipients of a phone system are the same again and again."""
    if _DOMAIN.fullmatch(domain) is None:
        raise ValueError("The domain of the address cannot be written in a command.")
    if _DOT_ATOM.fullmatch(local) is None:
        local = _quoted(local)
    elif not local.isascii() and _CONTROL.search(local):
        raise ValueError("The address has a control character.")
    return f"{local}@{domain}".encode()


def needs_smtputf8(sender: Address, recipient: Address) -> bool:
    """True when a local part is not ASCII; domains go as A-labels and need no extension (RFC 6531 3.2)."""
    return sender.needs_smtputf8 or recipient.needs_smtputf8


def mail_parameters(capabilities: Capabilities, size: int | None, *, utf8: bool, eight_bit: bool) -> bytes:
    """What follows MAIL FROM:<...>, only what the server offers. `size` is in octets, dots not stuffed (RFC 1870 5)."""
    parameters = b" SIZE=%d" % size if size is not None and capabilities.size_offered else b""
    if eight_bit and capabilities.eight_bit_mime:
        parameters += b" BODY=8BITMIME"
    if utf8 and capabilities.smtputf8:
        parameters += b" SMTPUTF8"
    return parameters


def stuffed(message: bytes) -> bytes:
    """A message as DATA takes it before the final dot: dots stuffed (RFC 5321 4.5.2). Mostly it is the message itself.

    ValueError for a bare CR or LF: servers disagree on whether it ends a line, and that is how mail is smuggled.
    """
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if _has_bare_line_end(message):
        raise ValueError("The message has a bare CR or LF.")
    message = message.replace(b"\r\n.", b"\r\n..")
    return b"." + message if message.startswith(b".") else message


def _has_bare_line_end(message: bytes) -> bool:
    # Three times as fast as counting, at the cost of a copy. What is left of CR CRLF LF looks like a CRLF, and is bare.
    rest = message.replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


def _quoted(local: str) -> str:
    if _QUOTED.fullmatch(local) is None:
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if _QUOTED.fullmatch(local) is None or _CONTROL.search(local):
        raise ValueError("The local part of the address cannot be written in a command.")
    return local


def _host_name(name: str) -> bytes:
    if not is_ehlo_name(name):
        raise ValueError("The EHLO name has to be a host name or an address literal.")
    return name.encode("ascii")
