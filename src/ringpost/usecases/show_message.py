"""Show the message of a delivery as it is, or will be, sent; never one with a secret in it."""

import email
import email.policy
from base64 import b64encode
from dataclasses import dataclass
from email.message import EmailMessage
from typing import cast

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.messages import Message
from ringpost.storage import deliveries
from ringpost.storage.sealing import Place, SealBroken
from ringpost.usecases.room import Room


@dataclass(frozen=True, slots=True)
class Shown:
    """A message, opened."""

    from_name: str
    subject: str
    html: str
    """"" when there is only text. Images in the mail stand in it as data: URLs."""
    text: str
    attachments: tuple[str, ...]
    """File names."""


async def show_message(room: Room, principal: Principal, delivery: str) -> Shown | None:
    """The message; None when it is erased, cannot be opened, or carries a secret. Raises NotFound."""
    return await room.database.read(_show, room, principal, delivery)


def _show(connection: Connection, room: Room, principal: Principal, delivery: str) -> Shown | None:
    row = deliveries.show(connection, principal.tenant, delivery)
    if row.secret:
        return None
    sealed = deliveries.content_of(connection, principal.tenant, row.event)
    if sealed is None:
        return None
    try:
        place = Place(principal.tenant, "messages", row.event, "content")
        return _opened(Message.unpack(room.sealer.unseal(place, sealed)))
    except (SealBroken, ValueError):
        return None


def _opened(message: Message) -> Shown:
    mail = email.message_from_bytes(message.content, policy=email.policy.default)
    html = _text_of(mail, "html")
    for part in mail.walk():
        name = part.get("Content-ID", "").strip("<>")
        if name and part.get_content_maintype() == "image":
            data = b64encode(cast("bytes", part.get_payload(decode=True))).decode()
            html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{data}")
    files = tuple(
        part.get_filename() or "" for part in mail.iter_attachments() if part.get_content_disposition() == "attachment"
    )
    return Shown(message.from_name, str(mail["Subject"] or ""), html, _text_of(mail, "plain"), files)


def _text_of(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    return cast("str", part.get_content()) if part is not None else ""
