"""The parts of a mail that a reader wants to see."""

import re
from base64 import b64encode
from dataclasses import dataclass
from email.message import EmailMessage
from typing import cast

from ringpost.demo.mailbox import Mail

_CID = re.compile(r"cid:([^\"'\s>)]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """An attachment."""

    name: str
    content_type: str
    data: bytes


def html_of(mail: Mail) -> str | None:
    """The HTML part with its inline images in it, as `data:` addresses; None when there is none."""
    part = mail.message.get_body(("html",))
    if part is None:
        return None
    images = {_content_id(one): _data_url(one) for one in mail.message.walk() if one["Content-ID"]}

    def image(found: re.Match[str]) -> str:
        return images.get(found[1], found[0])

    return _CID.sub(image, _text(cast("EmailMessage", part)))


def text_of(mail: Mail) -> str | None:
    """The text part; None when there is none."""
    part = mail.message.get_body(("plain",))
    return None if part is None else _text(cast("EmailMessage", part))


def files_of(mail: Mail) -> list[File]:
    """The attachments."""
    return [
        File(part.get_filename() or "attachment", part.get_content_type(), _bytes(part))
        for part in mail.message.walk()
        if part.get_content_disposition() == "attachment"
    ]


def source_of(mail: Mail) -> str:
    """The mail as it came over the wire."""
    return mail.raw.decode("utf-8", "replace")


def headers_of(mail: Mail) -> list[tuple[str, str]]:
    """Names and values, in order."""
    return [(name, str(value)) for name, value in mail.message.items()]


def size(octets: int) -> str:
    """For people."""
    return f"{octets} B" if octets < 1024 else f"{octets / 1024:.1f} KB"


def _text(part: EmailMessage) -> str:
    content = part.get_content()
    return content if isinstance(content, str) else bytes(content).decode("utf-8", "replace")


def _bytes(part: EmailMessage) -> bytes:
    return cast("bytes | None", part.get_payload(decode=True)) or b""


def _content_id(part: EmailMessage) -> str:
    return str(part["Content-ID"]).strip().strip("<>")


def _data_url(part: EmailMessage) -> str:
    return f"data:{part.get_content_type()};base64,{b64encode(_bytes(part)).decode()}"
