"""A transport for development: every mail becomes an .eml file in a folder."""

import asyncio
import os
from itertools import count
from pathlib import Path

from ringpost.domain.deliveries import RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.messages import Envelope


class FolderTransport:
    """Writes mails into `folder`, which is made when it does not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    async def send(self, envelope: Envelope, message: bytes) -> Outcome:
        """Write one mail: complete and durable under its name, or not there at all."""
        name = f"{os.getpid()}-{next(self._numbers):08d}.eml"
        try:
            await asyncio.to_thread(_write, self._folder, name, _with_envelope(envelope, message))
        except OSError as error:
            hint = "The mail folder cannot be written to. Look at its place, its permissions and the free space."
            return Outcome(RETRY, Stage.DATA, Party.MAIL_SERVER, reply=str(error.strerror or "")[:128], hint=hint)
        return Outcome(SENT, Stage.ACCEPTED, reply=name)

    async def close(self) -> None:
        """Nothing is kept open."""


def _with_envelope(envelope: Envelope, message: bytes) -> bytes:
    """The message under the two lines that a mailbox would add (RFC 5321 4.4: Return-Path; Delivered-To by custom)."""
    sender, recipient = envelope.sender, envelope.recipient
    head = f"Return-Path: <{sender.local}@{sender.ascii_domain}>\r\n"
    head += f"Delivered-To: {recipient.local}@{recipient.ascii_domain}\r\n"
    return head.encode() + message


def _write(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.part"
    with unfinished.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / name)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)  # The name itself is durable only after this.
    finally:
        os.close(directory)
