"""Who of the workers on this machine is alive: each holds a lock on a file of its own, which the kernel takes back.

The embedded database is used by processes of one machine only, so what a killed worker had in hand can be taken over at
once; nobody has to wait until its lease has run out. A worker that stands still keeps its lock, and its leases do run
out. Without a folder (other databases), leases alone decide.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path


class Presence:
    """Shows that one worker is alive."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._folder = folder
        self.name = name
        self._file: int | None = None

    def begin(self) -> None:
        """Show that this worker is alive, before it claims anything; take away what the dead have left behind."""
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for path in list(self._folder.iterdir()):
                _is_free(path)
            self._file = _locked(self._folder / self.name)

    def end(self) -> None:
        """This worker has nothing in hand any more."""
        if self._folder is not None and self._file is not None:
            (self._folder / self.name).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def dead(self, names: Iterable[str]) -> set[str]:
        """Those of these workers that are certainly not alive."""
        if self._folder is None:
            return set()
        found = {name for name in names if name != self.name and _is_free(self._folder / name)}
        return found if self._folder.is_dir() else set()  # without it, nobody's file is found


def _locked(path: Path) -> int:
    """A new file of this name with a lock on it, and still there: who looks for the dead may just take it away."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # who looks keeps it for a moment only
        if _is_at(path, file):
            return file
        os.close(file)


def _is_free(path: Path) -> bool:
    """Whether nobody holds the lock; then the file is taken away, by nobody but who has its lock."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True  # it said goodbye, or its file was taken away before
        except PermissionError:
            return False  # of another user, so nobody can tell; its leases will
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                path.unlink()
                return True
        except BlockingIOError:
            return False
        finally:
            os.close(file)


def _is_at(path: Path, file: int) -> bool:
    """Whether an open file is the one at this path: it may have been taken away, and a new one made, meanwhile."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
