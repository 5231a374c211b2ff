"""A message is the rendered content of one event: all of the mail but the headers that depend on the mail server.

    multipart/mixed                only with attachments
      multipart/alternative        only with HTML
        text/plain
        multipart/related          only with an inline image
          text/html
          image/png
      attachments

Every boundary holds `=_`, which neither quoted-printable nor base64 can hold (RFC 2045 6.7 (5)), so it is fixed.
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Self

from ringpost.domain.addresses import Address
from ringpost.domain.events import Attachment
from ringpost.domain.mime import base64_lines, date, header, is_composite, parameter, phrase, unstructured

_PACKED = struct.Struct(">BII")
_PACKED_VERSION = 1
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9_-]{1,128}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?>")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,60}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_AUTOMATIC: Final = (
    header("MIME-Version", "1.0")
    + header("Auto-Submitted", "auto-generated")  # RFC 3834 5
    + header("X-Auto-Response-Suppress", "All")  # the same for Exchange, which does not heed it
)
_TURNS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""What turns the direction of writing (UAX 9), and so can show one extension and be another."""
_MULTIPART: Final = {
    subtype: (
        f'Content-Type: multipart/{subtype};\r\n boundary="=_ringpost_{subtype}"\r\n'.encode("ascii"),
        f"\r\n--=_ringpost_{subtype}\r\n".encode("ascii"),
        f"\r\n--=_ringpost_{subtype}--\r\n".encode("ascii"),
    )
    for subtype in ("mixed", "alternative", "related")
}
"""What stands before, between and after the entities (RFC 2046 5.1.1)."""


class Envelope(NamedTuple):
    """Who it comes from and who it goes to, as SMTP sees it (RFC 5321 2.3.1: reverse-path and forward-path)."""

    sender: Address
    recipient: Address


@dataclass(frozen=True, slots=True)
class Message:
    """Rendered content, the same at every attempt and for every recipient."""

    from_name: str
    """Display name of the sender, one line of plain text; may be empty."""
    message_id_domain: str
    """Right side of the Message-ID, an A-label host name."""
    content: bytes
    """Subject, Date, MIME and automatic-mail headers and the body, CRLF lines of at most 76 octets (headers 78)."""

    def pack(self) -> bytes:
        """One string of bytes, for storage."""
        name, domain = self.from_name.encode("utf-8", "replace"), self.message_id_domain.encode()
        return b"".join([_PACKED.pack(_PACKED_VERSION, len(name), len(domain)), name, domain, self.content])

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """What `pack` was given. ValueError when it is not from there."""
        try:
            version, name, domain = _PACKED.unpack_from(data)
        except struct.error:
            raise ValueError("This is no packed message.") from None
        at = _PACKED.size
        if version != _PACKED_VERSION or at + name + domain > len(data):
            raise ValueError("This is no packed message, or one of another version.")
        return cls(
            data[at : at + name].decode(), data[at + name : at + name + domain].decode(), data[at + name + domain :]
        )


class Bodies(NamedTuple):
    """The bodies of a message, encoded: each an entity with its headers (RFC 2045 2.4)."""

    text: bytes
    html: bytes | None = None
    image: bytes | None = None
    attachments: tuple[Attachment, ...] = ()


def write_content(subject: str, timestamp: int, bodies: Bodies) -> bytes:
    """The `content` of a message. `subject` is one line; `timestamp` is milliseconds since 1970."""
    entity = bodies.text
    if bodies.html is not None:
        shown = _multipart("related", bodies.html, bodies.image) if bodies.image else bodies.html
        entity = _multipart("alternative", bodies.text, shown)
    if bodies.attachments:
        entity = _multipart("mixed", entity, *[_attachment(file) for file in bodies.attachments])
    head = header("Subject", unstructured(subject, len("Subject: "))) + _written_at(timestamp // 1000)
    return head.encode("ascii") + entity


def text_entity(subtype: str, encoded: str) -> bytes:
    """A text part whose body is in quoted-printable already."""
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{encoded}"
    ).encode("ascii")


def text_entity_in_base64(subtype: str, text: str) -> bytes:
    """A text part, for text that is mostly not ASCII."""
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode("ascii") + base64_lines(text.replace("\n", "\r\n").encode("utf-8", "replace"))


def image_entity(png: bytes, content_id: str) -> bytes:
    """An inline PNG image that HTML refers to as `cid:` and `content_id`."""
    head = (
        'Content-Type: image/png; name="qr-code.png"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-ID: <{content_id}>\r\nContent-Disposition: inline; filename="qr-code.png"\r\n\r\n'
    )
    return head.encode("ascii") + base64_lines(png)


def assemble(message: Message, *, envelope: Envelope, delivery_id: str, reply_to: Address | None) -> bytes:
    """The whole mail, ready for a transport.

    It is 7-bit but for a local part that is not ASCII, which stands in its address as UTF-8 (RFC 6532 3.2).
    ValueError when `delivery_id` or the domain of the Message-ID could not stand there (RFC 5322 3.6.4).
    """
    message_id = f"<{delivery_id}@{message.message_id_domain}>"
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("The delivery id or the domain cannot be part of a Message-ID.")
    head = _mailbox("From", message.from_name, envelope.sender)
    head += _mailbox("To", envelope.recipient.display_name, envelope.recipient)
    if reply_to is not None:
        head += _mailbox("Reply-To", reply_to.display_name, reply_to)
    head += header("Message-ID", message_id if len(message_id) <= 64 else f"\r\n {message_id}")
    return head.encode() + message.content


@lru_cache(16)
def _written_at(second: int) -> str:
    """The headers that all messages of one second have."""
    return header("Date", date(second * 1000)) + _AUTOMATIC


def _mailbox(name: str, display_name: str, address: Address) -> str:
    spec = address.wire
    if not display_name:
        return header(name, spec)
    shown = phrase(display_name, len(name) + 2)
    fold = "\r\n " if "\r" in shown or len(name) + len(shown) + len(spec) > 70 else " "
    return header(name, f"{shown}{fold}<{spec}>")


def _multipart(subtype: str, *entities: bytes) -> bytes:
    head, delimiter, end = _MULTIPART[subtype]
    return delimiter.join((head, *entities)) + end


def _attachment(file: Attachment) -> bytes:
    kind = file.content_type if _MEDIA_TYPE.fullmatch(file.content_type) else "application/octet-stream"
    if is_composite(kind):
        kind = "application/octet-stream"
    filename = _TURNS.sub("", file.filename)
    filename = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029/\\]+", "_", filename)
    filename = re.sub(r"^[\s.]+|[\s.]+$", "", filename) or "attachment"  # blanks of every kind, which readers drop
    fallback = filename if filename.isascii() and len(filename) <= 50 else _ascii_filename(filename)
    disposition = f"attachment{parameter('filename', filename)}"
    head = header("Content-Type", f"{kind}{parameter('name', fallback)}")
    head += header("Content-Transfer-Encoding", "base64") + header("Content-Disposition", disposition) + "\r\n"
    return head.encode("ascii") + base64_lines(file.data)


def _ascii_filename(filename: str) -> str:
    """For programs that do not know RFC 2231: the extension stays, so that the file opens."""
    stem, dot, extension = filename.rpartition(".")
    if not dot:
        stem, extension = filename, ""
    stem, extension = (re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_") for part in (stem, extension))
    return f"{stem[:30] or 'attachment'}.{extension[:10]}" if extension else stem[:30] or "attachment"
