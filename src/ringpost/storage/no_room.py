"""Whether SQLite met a quota or a limit of file sizes, which it calls an I/O error like that of a failed sync.

It is found out by writing to a file of our own beside the log, behind where the log ends. Whoever goes on after such a
commit has to know that nothing is lost: SQLite undoes what it could not write to the log, nobody reads the log behind
its last commit, and the next one is written over that and synced anew. So the log must be one that can still be synced.
"""

import errno
import os
import tempfile
from pathlib import Path
from typing import Final

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PIECE: Final = bytes(64 * 1024)
"""More than what a failed commit leaves: it takes what room there is, until there is none."""


def has_no_room(database: Path) -> bool:
    """Whether there is no room for its log to grow, and all else is well with the disk. False when nobody knows."""
    log = database.with_name(f"{database.name}-wal")
    try:
        return not _can_be_written(database.parent, behind=log.stat().st_size) and _syncs(log)
    except OSError:
        return False


def _can_be_written(folder: Path, behind: int) -> bool:
    """Whether a file may have some more bytes than so many. OSError when something else is wrong than that."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.seek(behind)
            left = len(_PIECE)
            while left:  # the last bytes that there is room for are still written
                left -= file.write(_PIECE[:left])
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _NO_ROOM:
            return False
        raise
    return True


def _syncs(log: Path) -> bool:
    """OSError when it does not. A file of its own can be closed: SQLite's locks are on other ones."""
    with log.open("rb+", buffering=0) as file:
        os.fsync(file.fileno())
    return True
