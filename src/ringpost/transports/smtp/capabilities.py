"""What a server says that it can do, read from its answer to EHLO (RFC 5321 4.1.1.1). No I/O."""

import re
from dataclasses import dataclass
from typing import Final

from ringpost.transports.smtp.replies import Reply

MECHANISM: Final = re.compile(r"[A-Z0-9_-]{1,20}")
"""The name of a way to log in (RFC 4422 3.1)."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The service extensions that matter to a sender. All are absent after HELO."""

    starttls: bool = False
    """RFC 3207."""
    pipelining: bool = False
    """RFC 2920."""
    smtputf8: bool = False
    """RFC 6531."""
    eight_bit_mime: bool = False
    """RFC 6152."""
    enhanced_status_codes: bool = False
    """RFC 2034."""
    size_offered: bool = False
    """RFC 1870: MAIL takes SIZE=."""
    size_limit: int | None = None
    """Octets of the largest message; None when there is no limit or none is told."""
    login: frozenset[str] = frozenset()
    """Names of the AUTH mechanisms in capitals (RFC 4954)."""


NOTHING = Capabilities()


def read_capabilities(reply: Reply) -> Capabilities:
    """Capabilities from the answer to EHLO. Lines that make no sense are passed over, as RFC 5321 4.1.1.1 asks."""
    words: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # `AUTH=LOGIN PLAIN` is the form of old Outlook and Exchange times, still sent beside or instead of the new one.
        keyword, *values = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ", 1).split() or [""]
        words.setdefault(keyword, []).extend(values)
    size = words.get("SIZE", [])
    limit = int(size[0]) if size and size[0].isdecimal() and len(size[0]) <= 20 else 0
    return Capabilities(
        starttls="STARTTLS" in words,
        pipelining="PIPELINING" in words,
        smtputf8="SMTPUTF8" in words,
        eight_bit_mime="8BITMIME" in words,
        enhanced_status_codes="ENHANCEDSTATUSCODES" in words,
        size_offered="SIZE" in words,
        size_limit=limit or None,
        login=frozenset(filter(MECHANISM.fullmatch, words.get("AUTH", []))),
    )
