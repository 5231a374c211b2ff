"""The words of a server, as text for people. No I/O."""

from codecs import getincrementaldecoder
from typing import Final

MAX_TEXT: Final = 512
"""Octets of a server's words that we keep."""


def clean(words: bytes) -> str:
    """A server's words as text for people: one line, no control or format characters, at most 512 octets of UTF-8."""
    text = _read(words[: 4 * MAX_TEXT])
    if not text.isprintable():
        # isprintable is false for controls, format characters such as bidi overrides, separators and surrogates.
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) * 4 > MAX_TEXT:
        text = text.encode()[:MAX_TEXT].decode("utf-8", "ignore")  # never half a character
    return text.strip()


def _read(words: bytes) -> str:
    """As UTF-8 (RFC 6531 3.7.4); what is none is mostly of an older server, in the letters of Western Europe."""
    try:
        return words.decode()
    except UnicodeDecodeError:
        pass
    try:
        return getincrementaldecoder("utf-8")().decode(words)  # without complaint of a last letter that was cut
    except UnicodeDecodeError:
        return words.decode("cp1252", "replace")
