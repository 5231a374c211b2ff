"""Sealed values open with their key, in their place, unchanged; and with nothing else."""

import base64
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringpost.storage.keyring import KEY_BYTES, KeyRingError
from ringpost.storage.sealing import KeyRing, Place, SealBroken, Sealer

PLACE = Place("tenant-a", "settings", "tenant-a", "password")
SEALER = Sealer(KeyRing.fresh())


@given(st.binary(max_size=10_000))
def test_what_was_sealed_opens_in_its_place(data: bytes) -> None:
    assert SEALER.unseal(PLACE, SEALER.seal(PLACE, data)) == data


@pytest.mark.parametrize(
    "elsewhere",
    [
        PLACE._replace(tenant="tenant-b"),
        PLACE._replace(table="events"),
        PLACE._replace(row="tenant-b"),
        PLACE._replace(field="username"),
    ],
    ids=["tenant", "table", "row", "field"],
)
def test_a_sealed_value_that_was_moved_does_not_open(elsewhere: Place) -> None:
    sealed = SEALER.seal(PLACE, b"secret")
    with pytest.raises(SealBroken):
        SEALER.unseal(elsewhere, sealed)


def test_every_single_flipped_bit_is_noticed() -> None:
    sealed = SEALER.seal(PLACE, b"a secret")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            SEALER.unseal(PLACE, bytes(changed))


def test_a_value_that_was_cut_short_does_not_open() -> None:
    sealed = SEALER.seal(PLACE, b"a secret")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            SEALER.unseal(PLACE, sealed[:length])


@given(st.binary(max_size=100))
def test_no_bytes_from_elsewhere_open(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        SEALER.unseal(PLACE, junk)


def test_the_same_value_never_looks_the_same_twice() -> None:
    assert len({SEALER.seal(PLACE, b"secret") for _ in range(100)}) == 100


def test_another_process_with_the_same_keys_opens_it() -> None:
    ring = KeyRing.fresh()
    assert Sealer(ring).unseal(PLACE, Sealer(ring).seal(PLACE, b"secret")) == b"secret"


def test_an_older_key_opens_until_it_is_taken_out_of_the_ring() -> None:
    old = KeyRing.fresh()
    both = old.with_fresh_key()
    sealed = Sealer(old).seal(PLACE, b"secret")
    assert Sealer(both).unseal(PLACE, sealed) == b"secret"
    with pytest.raises(SealBroken):
        Sealer(both.without_older_than(both.current)).unseal(PLACE, sealed)


def test_a_key_of_the_same_name_but_other_bytes_does_not_open() -> None:
    ring = KeyRing.fresh()
    impostor = KeyRing({ring.current: os.urandom(KEY_BYTES)})
    with pytest.raises(SealBroken):
        Sealer(impostor).unseal(PLACE, Sealer(ring).seal(PLACE, b"secret"))


def test_the_derived_key_is_changed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringpost.storage.sealing.SEALINGS_PER_KEY", 2)
    sealer = Sealer(KeyRing.fresh())
    sealed = [sealer.seal(PLACE, b"secret") for _ in range(6)]
    head = len(sealer.current_header) + 16
    assert len({value[:head] for value in sealed}) == 3
    assert {sealer.unseal(PLACE, value) for value in sealed} == {b"secret"}


def test_a_fingerprint_tells_the_same_from_the_other() -> None:
    stored = SEALER.fingerprint(b"an event")
    assert SEALER.same_fingerprint(b"an event", stored)
    assert not SEALER.same_fingerprint(b"another event", stored)


def test_fingerprints_of_an_older_key_are_still_understood() -> None:
    old = KeyRing.fresh()
    both = Sealer(old.with_fresh_key())
    stored = Sealer(old).fingerprint(b"an event")
    assert both.same_fingerprint(b"an event", stored)
    assert not both.same_fingerprint(b"another event", stored)


def test_a_fingerprint_whose_key_is_gone_counts_as_the_same() -> None:
    stored = Sealer(KeyRing.fresh()).fingerprint(b"an event")
    assert SEALER.same_fingerprint(b"another event", stored)


def test_fingerprints_say_nothing_without_the_key() -> None:
    assert Sealer(KeyRing.fresh()).fingerprint(b"an event")[-32:] != SEALER.fingerprint(b"an event")[-32:]


# The key ring -------------------------------------------------------------------------------------------------------


def test_the_first_start_makes_a_key_file_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys"
    made = KeyRing.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing.load_or_create(path) == made
    assert [file.name for file in path.parent.iterdir()] == ["keys"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    KeyRing.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match="chmod 600"):
        KeyRing.load_or_create(path)


def test_two_that_start_at_once_use_the_same_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    fresh = KeyRing.fresh

    def slower() -> KeyRing:
        """While this one makes its key, another has written the file."""
        monkeypatch.setattr(KeyRing, "fresh", fresh)
        KeyRing.load_or_create(path)
        return fresh()

    monkeypatch.setattr(KeyRing, "fresh", slower)
    assert KeyRing.load_or_create(path) == KeyRing.load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_the_key_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    old = KeyRing.load_or_create(path)
    ring = KeyRing.change(path, KeyRing.with_fresh_key)
    assert list(ring)[1:] == list(old)
    assert list(KeyRing.load(path).items()) == list(ring.items())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_to_the_key_file_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "elsewhere" / "keys", tmp_path / "keys"
    KeyRing.load_or_create(file)
    link.symlink_to(file)
    ring = KeyRing.change(link, KeyRing.with_fresh_key)
    assert link.is_symlink()
    assert KeyRing.load(file) == ring


def test_who_changes_the_key_file_at_once_with_others_keeps_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyRing.load_or_create(path)
    together = threading.Barrier(8)

    def rotate(_: int) -> str:
        together.wait()
        return KeyRing.change(path, KeyRing.with_fresh_key).current

    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(rotate, range(8)))
    assert made < set(KeyRing.load(path))


def test_what_a_process_that_was_killed_has_drafted_goes_with_the_next_change(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyRing.load_or_create(path)
    killed = """
        import os, signal, sys
        from pathlib import Path
        from ringpost.storage.keyring import KeyRing
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        KeyRing.change(Path(sys.argv[1]), KeyRing.with_fresh_key)
    """
    subprocess.run([sys.executable, "-c", dedent(killed), path], timeout=60, check=False)
    assert len(list(tmp_path.iterdir())) == 2
    KeyRing.change(path, KeyRing.with_fresh_key)
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_only_keys_that_came_before_one_are_dropped_for_being_older() -> None:
    two = KeyRing.fresh().with_fresh_key()
    three = two.with_fresh_key()
    assert list(three.without_older_than(two.current)) == [three.current, two.current]
    assert list(three.without_older_than(three.current)) == [three.current]
    assert list(three.without_older_than("unknown")) == list(three)


def test_a_key_file_that_root_replaces_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyRing.load_or_create(path)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)  # the service's user, who has to read it at the next start
    before = path.stat()
    KeyRing.change(path, KeyRing.with_fresh_key)
    assert (path.stat().st_uid, path.stat().st_gid) == (before.st_uid, before.st_gid)


def test_keys_are_read_from_text_the_first_is_current() -> None:
    one, two = (base64.b64encode(os.urandom(KEY_BYTES)).decode() for _ in range(2))
    ring = KeyRing.from_text(f"new:{one}, old:{two}")
    assert ring.current == "new"
    assert list(ring) == ["new", "old"]


@pytest.mark.parametrize(
    "text",
    ["", "one", "one:", "one:%%%", "one:c2hvcnQ=", "b l a:KEY", "ö:KEY", ":KEY", "one:KEY,one:KEY"],
)
def test_a_broken_key_ring_is_refused_without_showing_it(text: str) -> None:
    key = base64.b64encode(os.urandom(KEY_BYTES)).decode()
    with pytest.raises(KeyRingError) as caught:
        KeyRing.from_text(text.replace("KEY", key))
    assert key not in str(caught.value)


def test_a_key_ring_shows_names_only() -> None:
    ring = KeyRing.fresh()
    shown = f"{ring!r} {ring} {SEALER!r}"
    assert ring.current in shown
    assert base64.b64encode(ring[ring.current]).decode() not in shown
    assert repr(ring[ring.current]) not in shown


def test_a_key_that_comes_into_the_file_opens_without_a_restart_and_does_not_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.storage.sealing.REREAD_S", 0)
    file = tmp_path / "keys"
    old = KeyRing.load_or_create(file)
    running = Sealer(old, lambda: KeyRing.load(file))
    new = KeyRing.change(file, KeyRing.with_fresh_key)

    restarted = Sealer(new)
    assert running.unseal(PLACE, restarted.seal(PLACE, b"secret")) == b"secret"
    assert not running.same_fingerprint(b"one", restarted.fingerprint(b"another"))
    assert Sealer(old).unseal(PLACE, running.seal(PLACE, b"secret")) == b"secret"

    with pytest.raises(SealBroken):
        running.unseal(PLACE, Sealer(KeyRing.fresh()).seal(PLACE, b"secret"))
    file.unlink()
    with pytest.raises(SealBroken):
        running.unseal(PLACE, Sealer(KeyRing.fresh()).seal(PLACE, b"secret"))


@pytest.mark.parametrize("broken", ["", "junk", "new:c2hvcnQ="])
def test_a_key_file_that_is_broken_meanwhile_stops_nobody_who_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr("ringpost.storage.sealing.REREAD_S", 0)
    file = tmp_path / "keys"
    ring = KeyRing.load_or_create(file)
    running = Sealer(ring, lambda: KeyRing.load(file))
    file.write_text(broken)
    strange = Sealer(KeyRing.fresh())
    with pytest.raises(SealBroken):
        running.unseal(PLACE, strange.seal(PLACE, b"secret"))
    assert running.same_fingerprint(b"one", strange.fingerprint(b"another")), "nobody can tell"
    assert running.unseal(PLACE, Sealer(ring).seal(PLACE, b"secret")) == b"secret"


def test_keys_that_nobody_has_are_not_looked_for_again_and_again() -> None:
    looks: list[KeyRing] = []

    def reread() -> KeyRing:
        looks.append(KeyRing.fresh())
        return looks[-1]

    sealer, strange = Sealer(KeyRing.fresh(), reread), Sealer(KeyRing.fresh()).seal(PLACE, b"secret")
    for _ in range(100):
        with pytest.raises(SealBroken):
            sealer.unseal(PLACE, strange)
    assert len(looks) == 1
