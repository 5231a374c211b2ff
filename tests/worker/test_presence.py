"""Which workers of this machine are alive."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ringpost.worker.presence import Presence

HOLD = """
import sys, time
from pathlib import Path
from ringpost.worker.presence import Presence
Presence(Path(sys.argv[1]), "other").begin()
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_worker_is_dead_at_once_and_a_living_one_is_not(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        ours = Presence(tmp_path, "ours")
        ours.begin()
        assert ours.dead({"ours", "other"}) == set()
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert ours.dead({"ours", "other"}) == {"other"}
        ours.end()
    finally:
        other.kill()
        other.communicate()


def test_a_worker_that_stands_still_is_not_dead(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        os.kill(other.pid, signal.SIGSTOP)
        assert Presence(tmp_path, "ours").dead({"other"}) == set()
    finally:
        other.kill()
        other.communicate()


def test_a_worker_that_said_goodbye_has_nothing_in_hand(tmp_path: Path) -> None:
    gone = Presence(tmp_path, "gone")
    gone.begin()
    gone.end()
    assert Presence(tmp_path, "ours").dead({"gone"}) == {"gone"}
    assert list(tmp_path.iterdir()) == []


def test_what_killed_workers_leave_behind_is_taken_away_by_the_next_one(tmp_path: Path) -> None:
    alive, ours = Presence(tmp_path, "alive"), Presence(tmp_path, "ours")
    alive.begin()
    for number in range(20):  # killed with nothing in hand, so nobody ever asks for them
        (tmp_path / f"killed{number}").touch()
    ours.begin()
    assert {path.name for path in tmp_path.iterdir()} == {"alive", "ours"}
    assert ours.dead({"alive"}) == set()
    alive.end()
    ours.end()


def test_workers_that_begin_at_once_do_not_take_each_other_for_dead(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    begun: list[Presence] = []

    def begin(name: str) -> None:
        presence = Presence(tmp_path, name)
        together.wait()
        presence.begin()
        begun.append(presence)

    for round_ in range(20):
        names = [f"w{round_}-{number}" for number in range(8)]
        threads = [threading.Thread(target=begin, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Presence(tmp_path, "ours").dead(names) == set()
    for presence in begun:
        presence.end()


def test_who_looks_late_does_not_take_away_what_a_worker_has_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening a file and locking it, another one took it away, and its worker made a new one."""
    alive, late = Presence(tmp_path, "alive"), Presence(tmp_path, "late")
    (tmp_path / "alive").touch()  # made, and not locked yet
    lock, meanwhile = fcntl.flock, [alive.begin, (tmp_path / "alive").unlink]

    def lock_late(file: int, how: int) -> None:
        while meanwhile:
            meanwhile.pop()()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)

    assert late.dead({"alive"}) == set()
    assert Presence(tmp_path, "ours").dead({"alive"}) == set()
    alive.end()


def test_a_worker_whose_file_may_not_be_opened_is_not_taken_for_dead(tmp_path: Path) -> None:
    alive = Presence(tmp_path, "alive")
    alive.begin()
    (tmp_path / "alive").chmod(0)  # as one of another user; root opens it all the same
    assert Presence(tmp_path, "ours").dead({"alive"}) == set()
    alive.end()


def test_nobody_is_dead_because_the_folder_has_gone(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    alive, ours = Presence(folder, "alive"), Presence(folder, "ours")
    alive.begin()
    ours.begin()
    shutil.rmtree(folder)
    assert ours.dead({"alive"}) == set(), "leases tell"
    alive.end()
    ours.end()


def test_a_worker_whose_own_file_has_gone_does_not_take_itself_for_dead(tmp_path: Path) -> None:
    ours = Presence(tmp_path, "ours")
    ours.begin()
    (tmp_path / "ours").unlink()
    assert ours.dead({"ours"}) == set()
    ours.end()


def test_without_a_folder_leases_alone_decide() -> None:
    presence = Presence(None, "ours")
    presence.begin()
    assert presence.dead({"other"}) == set()
    presence.end()
