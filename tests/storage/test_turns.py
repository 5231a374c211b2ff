"""Processes on one SQLite file take turns to write: one after the other, also when one has lost its patience."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ringpost.errors import StorageUnavailable
from ringpost.storage.turns import Turns


def test_one_waits_for_the_other_and_is_woken_up(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 20), Turns(tmp_path / "db", 20)
    order: list[str] = []
    one.take()

    def wait() -> None:
        other.take()
        order.append("other")
        other.give()

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.1)
    order.append("one")
    one.give()
    waiting.join(10)
    assert order == ["one", "other"]


def test_who_lost_patience_gets_the_turn_later(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 20), Turns(tmp_path / "db", 0.1)
    one.take()
    with pytest.raises(StorageUnavailable):
        other.take()
    one.give()
    time.sleep(0.1)
    other.take()
    other.give()


def test_who_lost_patience_and_writes_no_more_keeps_nobody_from_writing(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 1), Turns(tmp_path / "db", 0.1)
    one.take()
    with pytest.raises(StorageUnavailable):
        other.take()
    one.give()
    time.sleep(0.1)
    try:
        one.take()
        one.give()
    finally:
        other.take()  # so that no thread is left that waits
        other.give()


LOSES_PATIENCE = """
import sys
from pathlib import Path
from ringpost.errors import StorageUnavailable
from ringpost.storage.turns import Turns
try:
    Turns(Path(sys.argv[1]), 0.1).take()
except StorageUnavailable:
    sys.exit(75)
"""


def test_who_lost_patience_can_end(tmp_path: Path) -> None:
    one = Turns(tmp_path / "db", 1)
    one.take()
    with subprocess.Popen([sys.executable, "-c", LOSES_PATIENCE, str(tmp_path / "db")]) as other:
        try:
            assert other.wait(10) == 75
        finally:
            one.give()
