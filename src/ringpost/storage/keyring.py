"""The key ring: the keys that seal, by name. The first is the current one; the others only open what they sealed.

As text it is `name:key` items, separated by commas or lines; a key is 32 bytes in base64.
"""

import base64
import binascii
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, final

from ringpost.storage import files

KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)


class KeyRingError(Exception):
    """The keys cannot be used. The message says what to change and never shows a key."""


@final
class KeyRing(Mapping[str, bytes]):
    """Name -> key, the current one first. Its repr shows names only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise KeyRingError("The key ring is empty; it needs one key at least.")
        for name, key in keys.items():
            if not _NAME.fullmatch(name):
                raise KeyRingError("A key's name is 1 to 32 of the characters A-Z a-z 0-9 _ -")
            if len(key) != KEY_BYTES:
                raise KeyRingError(f"The key {name} has {len(key)} bytes; it needs {KEY_BYTES}.")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read `name:base64,name2:base64`. Raises KeyRingError."""
        keys: dict[str, bytes] = {}
        for item in filter(None, (item.strip() for item in re.split(r"[,\n]", text))):
            name, colon, encoded = item.partition(":")
            if not colon:
                raise KeyRingError("Every key is written as name:base64.")
            if name in keys:
                raise KeyRingError("A key's name stands twice in the key ring.")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise KeyRingError("A key is not base64.") from None
        return cls(keys)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the key file; make it with one fresh key (mode 0600) when there is none. Raises KeyRingError."""
        try:
            return cls.load(path)
        except FileNotFoundError:
            _create(path, cls.fresh().to_text())
            return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the key file. Raises FileNotFoundError, and KeyRingError also when others than its owner may read it."""
        with path.open(encoding="ascii", errors="replace") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyRingError(f"{path} holds keys but others may read it. Run: chmod 600 {path}")
            return cls.from_text(file.read())

    @classmethod
    def fresh(cls) -> Self:
        """A ring of one new key."""
        return cls({secrets.token_hex(4): secrets.token_bytes(KEY_BYTES)})

    def with_fresh_key(self) -> "KeyRing":
        """A ring with a new current key in front of these. Reseal, then `without_older_than` ends the old ones."""
        return KeyRing({**KeyRing.fresh(), **self})

    def without_older_than(self, name: str) -> "KeyRing":
        """A ring of the key of this name and of what came in front of it; of all keys when it is not among them."""
        newest_first = list(self)
        kept = newest_first[: newest_first.index(name) + 1] if name in self else newest_first
        return KeyRing({each: self[each] for each in kept})

    def to_text(self) -> str:
        """The keys themselves, a line each, as `from_text` reads them. For the key file only."""
        return "".join(f"{name}:{base64.b64encode(key).decode()}\n" for name, key in self.items())

    @staticmethod
    def change(path: Path, change: "Callable[[KeyRing], KeyRing]") -> "KeyRing":
        """Put what `change` makes of the ring in place of the key file; the new ring.

        A crash leaves the old file or the new one and never a part, and what two processes change at once is changed
        by one after the other: a key that is lost may have sealed something already. A link stays one, and the file
        that it leads to is replaced: who laid it there would lead to the old keys again. What a process that was killed
        has drafted goes.
        """
        file = path.resolve()
        with _alone_in(file.parent):
            ring = change(KeyRing.load(file))
            files.remove_drafts(file)
            files.replace(file, ring.to_text())
        return ring

    def __getitem__(self, name: str) -> bytes:
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"


def _create(path: Path, text: str) -> None:
    """Make the key file; one that another process has made stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone_in(path.parent), files.draft(path, text, 0o600) as draft, suppress(FileExistsError):
        path.hardlink_to(draft)  # unlike a rename, it fails when the file is there
        files.sync_folder(path.parent)


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Wait for whoever else writes the key file here. The lock is the folder's: the file is replaced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
