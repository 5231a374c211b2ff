"""A transport for development: every mail becomes an .eml file in a folder."""

import asyncio
import os
import time
from itertools import count
from pathlib import Path

from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Outcome, Party, Stage
from ringpost.domain.messages import Envelope
from ringpost.transports.smtp import commands


class FolderTransport:
    """Writes mails into `folder`, which is made when it does not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    async def send(self, envelope: Envelope, message: bytes) -> Outcome:
        """Write one mail: complete and durable under its name, or not there at all."""
        # The time keeps apart what processes with the same number wrote, one after the other, into a kept folder.
        name = f"{time.time_ns()}-{os.getpid()}-{next(self._numbers):06d}.eml"
        try:
            content = _with_envelope(envelope, message)
            await asyncio.to_thread(_write, self._folder, name, content)
        except ValueError:
            return Outcome(REJECTED, Stage.MAIL_FROM, Party.MESSAGE, hint="An address has forbidden characters.")
        except OSError as error:
            hint = "The mail folder cannot be written to. Look at its place, its permissions and the free space."
            return Outcome(RETRY, Stage.DATA, Party.MAIL_SERVER, reply=str(error.strerror or "")[:128], hint=hint)
        return Outcome(SENT, Stage.ACCEPTED, reply=name)

    async def close(self) -> None:
        """Nothing is kept open."""


def _with_envelope(envelope: Envelope, message: bytes) -> bytes:
    """The message under the two lines that a mailbox would add (RFC 5321 4.4: Return-Path; Delivered-To by custom)."""
    sender, recipient = commands.path(envelope.sender), commands.path(envelope.recipient)
    return b"Return-Path: <%b>\r\nDelivered-To: %b\r\n%b" % (sender, recipient, message)


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
