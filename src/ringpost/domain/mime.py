"""How text and bytes become 7-bit MIME: headers, encoded words, quoted-printable, base64.

Everything here is pure ASCII with CRLF and lines of at most 76 octets, so that no server on the way has to change it
and nothing in it can end a header or a message early. `header` is the only function that writes a header.
"""

import re
from binascii import b2a_base64, hexlify
from collections.abc import Iterable
from typing import Final

MAX_LINE: Final = 76
"""Octets of an encoded line without CRLF (RFC 2045 6.7 and 6.8, RFC 2047 2)."""

_CRLF = "\r\n"
_BREAKS = re.compile(r"[\r\n\0]")
_QP_SPECIAL = re.compile(rb"[^\n -<>-~]+")
# A line that begins with a dot, a dash or `From ` gets its first octet encoded: some programs on the way still take
# these for something else (RFC 2049 3).
_QP_PLAIN = re.compile(r"(?![.-]|From )[ -<>-~]{1,75}")
_QP_WHOLE = re.compile(r"(?![.-]|From )[ -~]{1,75}")
# In encoded words within phrases only these may stand for themselves (RFC 2047 5 (3)); we keep to them everywhere.
_Q_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")
_Q = tuple("_" if octet == 32 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in range(256))
_WORD_ROOM = 75 - len("=?utf-8?q?") - len("?=")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def is_composite(kind: str) -> bool:
    """Whether a media type is one of mails, not of files: what is of it may not be in base64 (RFC 2045 6.4)."""
    return kind.lower().startswith(("multipart/", "message/"))


def header(name: str, value: str) -> str:
    """One header with its CRLF. `value` may hold folds (CRLF and a space), but no other line break and no NUL.

    ValueError when it does: a value that could begin a header of its own is never written.
    """
    if not value.isprintable() and _BREAKS.search(value.replace("\r\n ", " ")):
        raise ValueError(f"The value of {name} has a line break or NUL.")
    return f"{name}: {value}\r\n"


def unstructured(text: str, first: int) -> str:
    """Folded value of a header of free text, such as Subject; `first` is the octets before it on its line.

    ASCII goes as it is where it fits or folds at single spaces (RFC 5322 2.2.3), all else as encoded words (RFC 2047).
    """
    if not text:
        return ""
    if text.isascii() and text.isprintable() and text == text.strip(" ") and "=?" not in text:
        if first + len(text) <= MAX_LINE:
            return text
        if "  " not in text and len(max(text.split(" "), key=len)) < MAX_LINE - first:
            return _folded(text, first)
    return encoded_words(text, first)


def encoded_words(text: str, first: int) -> str:
    """`text` as encoded words of at most 75 octets, one a line (RFC 2047 2); no character is cut in two."""
    data = text.encode("utf-8", "replace")
    in_base64 = 4 * len(data) < 3 * sum(len(_Q[octet]) for octet in data)
    words: list[str] = []
    word: list[str] = []
    room = _WORD_ROOM - max(first - 1, 0)
    used = 0
    for character in text:
        octets = character.encode("utf-8", "replace")
        size = len(octets) if in_base64 else sum(len(_Q[octet]) for octet in octets)
        if word and used + size > (room // 4 * 3 if in_base64 else room):
            words.append("".join(word))
            word, used, room = [], 0, _WORD_ROOM
        word.append(character)
        used += size
    words.append("".join(word))
    return "\r\n ".join(_b_word(word) if in_base64 else _q_word(word) for word in words)


def phrase(text: str, first: int) -> str:
    """A display name (RFC 5322 3.2.5): a quoted string, or encoded words when it is long or not ASCII."""
    if text.isascii() and text.isprintable() and first + len(text) <= 60 and "=?" not in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encoded_words(text, first)


def parameter(name: str, value: str) -> str:
    """A parameter of a MIME header on lines of its own: quoted when it is plain ASCII, else cut and percent-encoded
    (RFC 2231 3 and 4)."""
    if re.fullmatch(r"[\w .,()+@-]{1,50}", value, re.ASCII):
        return f';\r\n {name}="{value}"'
    safe = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
    octets = [chr(o) if o in safe else f"%{o:02X}" for o in value.encode("utf-8", "replace")]
    pieces = [octets[start : start + 18] for start in range(0, len(octets), 18)] or [[]]
    charset = "utf-8''"
    if len(pieces) == 1:
        return f";\r\n {name}*={charset}{''.join(pieces[0])}"
    return "".join(
        f";\r\n {name}*{number}*={'' if number else charset}{''.join(piece)}" for number, piece in enumerate(pieces)
    )


def date(timestamp: int) -> str:
    """The value of a Date header (RFC 5322 3.3) for milliseconds since 1970, UTC."""
    days, rest = divmod(timestamp // 1000, 86400)
    year, month, day = _civil(days)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} +0000"


def quoted_printable(text: str) -> str:
    """`text` as whole encoded lines (RFC 2045 6.7): results can be joined to one body, in any order.

    What ends without a line break ends in a soft one. CR LF, CR and LF are all line breaks.
    """
    if not text:
        return ""
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    encoded = _QP_SPECIAL.sub(_hexadecimal, data).decode("ascii")
    if _QP_WHOLE.fullmatch(encoded):
        return f"{encoded}=\r\n"
    *lines, last = encoded.split("\n")
    return "".join([*(_qp_line(line, _CRLF) for line in lines), _qp_line(last, "=\r\n") if last else ""])


def plain_lines(texts: Iterable[str]) -> dict[str, str]:
    """Those of the texts that stay as they are in `quoted_printable`, with what it makes of them: most values do."""
    return {text: f"{text}=\r\n" for text in filter(_QP_PLAIN.fullmatch, texts)}


def base64_lines(data: bytes) -> bytes:
    """Base64 in lines of 76 octets, each with its CRLF (RFC 2045 6.8)."""
    encoded = b2a_base64(data, newline=False)
    return b"".join([encoded[start : start + MAX_LINE] + b"\r\n" for start in range(0, len(encoded), MAX_LINE)])


def prefers_base64(text: str) -> bool:
    """True when base64 is the shorter way to write it, which is so from one part in six that is not ASCII."""
    size = len(text.encode("utf-8", "replace"))
    plain = sum(character < "\x80" for character in text) if not text.isascii() else size
    return 6 * (size - plain) > size


def _folded(text: str, first: int) -> str:
    lines: list[str] = []
    line, room = "", MAX_LINE - first
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, MAX_LINE - 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _b_word(text: str) -> str:
    return f"=?utf-8?b?{b2a_base64(text.encode('utf-8', 'replace'), newline=False).decode('ascii')}?="


def _q_word(text: str) -> str:
    return f"=?utf-8?q?{''.join([_Q[octet] for octet in text.encode('utf-8', 'replace')])}?="


def _qp_line(encoded: str, end: str) -> str:
    """One line of text, cut into lines that are short enough."""
    if end == _CRLF and encoded.endswith(" "):
        encoded = encoded[:-1] + "=20"
    pieces: list[str] = []
    start, size = 0, len(encoded)
    while True:
        first = encoded[start : start + 1]
        awkward = first in (".", "-") or (first == "F" and encoded.startswith("From ", start))
        room = MAX_LINE - 1 - 2 * awkward
        stop = start + room
        if stop < size:
            stop -= 1 if encoded[stop - 1] == "=" else 2 if encoded[stop - 2] == "=" else 0
        piece = encoded[start:stop]
        pieces.append(f"={ord(first):02X}{piece[1:]}" if awkward else piece)
        if stop >= size:
            return "=\r\n".join(pieces) + end
        start = stop


def _hexadecimal(octets: re.Match[bytes]) -> bytes:
    return b"=" + hexlify(octets[0], "=").upper()


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day number since 1970-01-01, by the proleptic Gregorian calendar.

    Counted from 1 March of year 0, so that the leap day is the last of its year.
    """
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return era * 400 + year_of_era + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1
