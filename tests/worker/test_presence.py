"""Which workers of this machine are alive."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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


def test_without_a_folder_leases_alone_decide() -> None:
    presence = Presence(None, "ours")
    presence.begin()
    assert presence.dead({"other"}) == set()
    presence.end()
