"""The words of a server, as text for people. No I/O."""

from typing import Final

MAX_TEXT: Final = 512
"""Octets of a server's words that we keep."""


def clean(words: bytes) -> str:
    """A server's words as text for people: one line, no control or format characters, at most 512 octets of UTF-8."""
    text = words[: 4 * MAX_TEXT].decode("utf-8", "replace")
    if not text.isprintable():
        # isprintable is false for controls, format characters such as bidi overrides, separators and surrogates.
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(text) * 4 > MAX_TEXT:
        text = text.encode()[:MAX_TEXT].decode("utf-8", "ignore")  # never half a character
    return text.strip()
