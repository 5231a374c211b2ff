"""Processes on one SQLite file take turns to write: one after the other, also when one has lost its patience."""

import fcntl
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from ringpost.storage.turns import Turns


def until(what: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


def test_who_lost_patience_goes_without_and_gets_the_turn_later(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 20), Turns(tmp_path / "db", 0.1)
    one.take()
    other.take()
    other.give()
    assert not other.take_at_once()
    one.give()
    until(other.take_at_once)
    other.give()


def test_who_lost_patience_once_does_not_wait_again_while_nothing_moves(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 20), Turns(tmp_path / "db", 1)
    one.take()
    began = time.monotonic()
    for _ in range(50):
        other.take()
        other.give()
    one.give()
    assert time.monotonic() - began < 25, "not a second each"


def test_who_lost_patience_and_writes_no_more_keeps_nobody_from_writing(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 20), Turns(tmp_path / "db", 0.1)
    one.take()
    other.take()
    other.give()
    one.give()
    until(one.take_at_once)
    one.give()


STANDS_IN_LINE = """
import sys
from pathlib import Path
from ringpost.storage.turns import Turns
turns = Turns(Path(sys.argv[1]), float(sys.argv[2]))
print("begins", flush=True)
turns.take()
print("took", flush=True)
sys.exit(75)
"""


def test_who_is_stopped_while_it_waits_keeps_nobody_from_writing(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db", 0.5), Turns(tmp_path / "db", 0.5)
    one.take()
    with _stands_in_line(tmp_path / "db", 60) as sleeper:
        until(lambda: _is_kept(tmp_path / "db-line"))
        sleeper.send_signal(signal.SIGSTOP)
        one.give()
        began = time.monotonic()
        for _ in range(50):
            for turns in (one, other):
                turns.take()
                turns.give()
        assert time.monotonic() - began < 25, "each has waited once"
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(20) == 75


def test_who_lost_patience_can_end(tmp_path: Path) -> None:
    one = Turns(tmp_path / "db", 1)
    one.take()
    with _stands_in_line(tmp_path / "db", 0.1) as other:
        assert other.wait(10) == 75
    one.give()


def _is_kept(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _stands_in_line(path: Path, patience_s: float) -> Generator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", STANDS_IN_LINE, str(path), str(patience_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begins\n"
            yield process
        finally:
            process.kill()
