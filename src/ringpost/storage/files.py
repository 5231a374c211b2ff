"""Files that are there as a whole or not at all, also after a crash: drafted beside their place, then moved into it."""

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft(path: Path, text: str, mode: int) -> Generator[Path]:
    """A file beside it with this text, on the disk already; at the end it goes, unless it was moved into place."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield made
    finally:
        made.unlink(missing_ok=True)


def remove_drafts(path: Path) -> None:
    """Those of processes that were killed. Only for who knows that nobody drafts this file just now."""
    for left in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 16}"):
        left.unlink(missing_ok=True)


def replace(path: Path, text: str) -> None:
    """Put this text in place of what is there; whose it is and who may read it stays."""
    was = path.stat()
    with draft(path, text, 0o600) as made:
        if os.geteuid() == 0:  # root may renew what is another user's, who has to read it
            os.chown(made, was.st_uid, was.st_gid)
        made.chmod(stat.S_IMODE(was.st_mode))
        made.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the disk know what the files in it are called."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
