"""Sealing: what must not be readable in the database file, encrypted so that it opens only in its own place.

AES-256-GCM (NIST SP 800-38D). The associated data is the place (tenant, table, row, field), so a sealed value that is
moved to another row or tenant does not open. Sealed bytes are

    1 version (1) | 1 length of the key id | key id | 16 salt | 12 nonce | ciphertext and 16 tag

The key of the ring is never used itself: each sealer derives a key of its own from it with a random salt, and a new
one after 2**24 sealings. With random nonces one key may not seal more than 2**32 values (SP 800-38D 8.3), which a busy
mail room would pass within days. Fingerprints (HMAC-SHA-256) have a derived key too.
"""

import hmac
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ringpost.storage.chance import chance
from ringpost.storage.keyring import KeyRing, KeyRingError

VERSION = 1
SALT_BYTES = 16
NONCE_BYTES = 12
SEALINGS_PER_KEY = 1 << 24
OPENERS_KEPT = 256
"""Derived keys kept ready; one process uses one or two, so this many serve all that wrote lately."""
REREAD_S: Final = 2.0
"""How long not to look for new keys again after a look."""


class SealBroken(Exception):
    """Sealed bytes do not open: changed, in another place than they were sealed for, or their key is gone."""


class Place(NamedTuple):
    """Where a sealed value lives. `row` is the primary key of the row; for settings that is the tenant."""

    tenant: str
    table: str
    row: str
    field: str


@dataclass(slots=True)
class _Epoch:
    """One derived key that seals, and how often it may do so yet."""

    header: bytes
    key: AESGCM
    left: int


class Sealer:
    """Seals and opens with the keys of one ring. Safe for threads: at worst, a race makes a derived key too many."""

    def __init__(self, ring: KeyRing, reread: Callable[[], KeyRing] | None = None) -> None:
        """`reread` gives the ring as it is now. What it has got since then opens too; only the first ring seals."""
        self._reread = reread
        self._reread_at = float("-inf")
        self.current = ring.current
        """The name of the key that seals."""
        self._current = ring[ring.current]
        self.current_header = _header(ring.current)
        """How everything begins that was sealed with the current key of the ring."""
        self._epoch = self._begin_epoch()
        self._openers: dict[bytes, AESGCM] = {}
        self._keys: dict[bytes, bytes] = {}
        self._fingerprint_keys: dict[bytes, bytes] = {}
        self._learn(ring)

    def seal(self, place: Place, data: bytes) -> bytes:
        """Encrypt `data` so that it opens only in `place`."""
        epoch = self._epoch
        epoch.left -= 1
        if epoch.left < 0:
            epoch = self._epoch = self._begin_epoch()
        nonce = chance.take(NONCE_BYTES)
        return b"".join((epoch.header, nonce, epoch.key.encrypt(nonce, data, _associated(place))))

    def unseal(self, place: Place, sealed: bytes) -> bytes:
        """The bytes that were sealed in `place`. Raises SealBroken."""
        header_end = 2 + (sealed[1] if len(sealed) > 1 else 0) + SALT_BYTES
        nonce_end = header_end + NONCE_BYTES
        key = self._openers.get(sealed[:header_end]) or self._opener(sealed[:header_end])
        try:
            return key.decrypt(sealed[header_end:nonce_end], sealed[nonce_end:], _associated(place))
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise SealBroken(f"{place.table}.{place.field} does not open") from None

    def fingerprint(self, data: bytes) -> bytes:
        """A keyed hash of `data`: equal for equal data, and tells nothing about it without the key."""
        header = self.current_header
        return header + hmac.digest(self._fingerprint_keys[header], data, "sha256")

    def same_fingerprint(self, data: bytes, stored: bytes) -> bool:
        """Whether `stored` is a fingerprint of `data`.

        True as well when its key is no longer in the ring: then nobody can tell, and to take an event for the
        repetition that it most likely is harms less than to refuse it for ever.
        """
        header = stored[: 2 + (stored[1] if len(stored) > 1 else 0)]
        key = self._fingerprint_keys.get(header) if self._knows(header) else None
        return key is None or hmac.compare_digest(stored, header + hmac.digest(key, data, "sha256"))

    def _begin_epoch(self) -> _Epoch:
        salt = os.urandom(SALT_BYTES)
        key = AESGCM(_derive(self._current, b"seal" + salt))
        return _Epoch(self.current_header + salt, key, SEALINGS_PER_KEY)

    def _opener(self, header: bytes) -> AESGCM:
        if len(header) < 2 + SALT_BYTES or header[0] != VERSION or len(header) != 2 + header[1] + SALT_BYTES:
            raise SealBroken("Not sealed by this version")
        of_key, salt = header[:-SALT_BYTES], header[-SALT_BYTES:]
        if not self._knows(of_key):
            raise SealBroken(f"The key {of_key[2:].decode('ascii', 'replace')!a} is not in the key ring")
        opener = AESGCM(_derive(self._keys[of_key], b"seal" + salt))
        if len(self._openers) >= OPENERS_KEPT:
            self._openers.clear()
        self._openers[header] = opener
        return opener

    def _knows(self, header: bytes) -> bool:
        """Whether the key of this header is known, also if it came into the ring only lately."""
        if header not in self._keys and self._reread is not None and time.monotonic() - self._reread_at >= REREAD_S:
            self._reread_at = time.monotonic()
            with suppress(KeyRingError, OSError):  # whoever starts with that file next is told
                self._learn(self._reread())
        return header in self._keys

    def _learn(self, ring: KeyRing) -> None:
        for name, key in ring.items():
            self._keys[_header(name)] = key
            self._fingerprint_keys[_header(name)] = _derive(key, b"fingerprint")


def _header(name: str) -> bytes:
    return bytes((VERSION, len(name))) + name.encode("ascii")


def _derive(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose: HMAC as a pseudo-random function (NIST SP 800-108), so none tells about another."""
    return hmac.digest(key, b"ringpost 1 " + purpose, "sha256")


def _associated(place: Place) -> bytes:
    return "\0".join(place).encode()  # no id holds a NUL, so no two places read alike
