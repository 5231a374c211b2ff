"""Mail as files."""

import asyncio
from pathlib import Path

from tests.transports.mail_samples import MESSAGE, envelope

from ringpost.domain.addresses import Address
from ringpost.domain.deliveries import REJECTED, RETRY, SENT, Party
from ringpost.domain.messages import Envelope
from ringpost.transports.folder import FolderTransport


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def test_every_mail_becomes_one_complete_file(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "new" / "mail")
    outcomes = await asyncio.gather(*(transport.send(envelope(), MESSAGE) for _ in range(20)))
    await transport.close()

    files = files_in(tmp_path / "new" / "mail")
    assert {outcome.verdict for outcome in outcomes} == {SENT}
    assert [file.name for file in files] == sorted(outcome.reply for outcome in outcomes)
    assert {file.read_bytes() for file in files} == {
        b"Return-Path: <pbx@sender.example>\r\nDelivered-To: alice@recipient.example\r\n" + MESSAGE
    }


async def test_a_folder_that_cannot_be_written_to_is_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    outcome = await FolderTransport(blocked).send(envelope(), MESSAGE)

    assert (outcome.verdict, outcome.party) == (RETRY, Party.MAIL_SERVER)


async def test_an_address_cannot_add_a_header(tmp_path: Path) -> None:
    hostile = Envelope(envelope().sender, Address("a\r\nX-Evil: 1", "x.example", "x.example"))

    outcome = await FolderTransport(tmp_path).send(hostile, MESSAGE)

    assert outcome.verdict is REJECTED
    assert files_in(tmp_path) == []
