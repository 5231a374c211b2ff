"""The host that this process runs on: its disk, CPU and memory, read every few seconds."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import structlog

from ringpost.domain.watch import Gauge, Reading
from ringpost.errors import StorageUnavailable
from ringpost.usecases.room import Room
from ringpost.usecases.watch_host import watch_host

INTERVAL_S: Final = 10.0
AVERAGED: Final = 6
"""Readings that CPU and memory are averaged over: a minute."""

_log = structlog.get_logger("ringpost.watch")


class Host:
    """Reads the gauges of this machine. The disk is the one that `folder` is on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._cpu: deque[float] = deque(maxlen=AVERAGED)
        self._memory: deque[float] = deque(maxlen=AVERAGED)
        self._worked = _processors()

    def read(self) -> Sequence[Reading]:
        """The readings that there are by now: of the disk while the folder is there, of the others after a minute."""
        memory = psutil.virtual_memory()
        before, self._worked = self._worked, _processors()
        self._cpu.append(self._worked.load_since(before))
        self._memory.append(memory.percent / 100)
        readings = self._disk()
        if len(self._cpu) == AVERAGED:
            readings.append(Reading(Gauge.CPU, sum(self._cpu) / AVERAGED, {}))
            available = {"FREE_SIZE": size(memory.available)}
            readings.append(Reading(Gauge.MEMORY, sum(self._memory) / AVERAGED, available))
        return readings

    def _disk(self) -> list[Reading]:
        try:
            disk = psutil.disk_usage(str(self._folder))
        except FileNotFoundError:
            return []
        facts = {"FREE_SIZE": size(disk.free), "DISK_PATH": str(self._folder)}
        return [Reading(Gauge.HARD_DISK, disk.percent / 100, facts)]


class HostWatch:
    """Looks at the host until it is told to stop."""

    def __init__(self, room: Room, read: Callable[[], Sequence[Reading]], interval_s: float = INTERVAL_S) -> None:
        self._room = room
        self._read = read
        self._interval_s = interval_s
        self._stopping = asyncio.Event()
        self._folder = ""
        """Where the disk was when it was read last."""
        self._missed = 0
        """Looks in a row that have not found it."""
        self._gone = False

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Look every few seconds until `stop`. What goes wrong is logged; the next look may do better."""
        while not self._stopping.is_set():
            try:
                readings = await asyncio.to_thread(self._read)
                await watch_host(self._room, readings)
                self._tell_of_the_folder(readings)
            except StorageUnavailable:
                pass  # whoever writes says so already
            except Exception:  # noqa: BLE001  watching the host must not stop the mail
                _log.exception("host_not_read")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._stopping.wait()

    def _tell_of_the_folder(self, readings: Sequence[Reading]) -> None:
        """Once when it goes, and once when it is back. With the database in it, that is told of the database alone.

        It is gone when two looks in a row have not found it: one may have begun before it was back, and ended after it.
        """
        known = [reading.facts["DISK_PATH"] for reading in readings if reading.gauge is Gauge.HARD_DISK]
        self._folder = known[0] if known else self._folder
        self._missed = 0 if known else self._missed + 1
        gone = self._missed > 1
        if self._gone != gone:
            self._gone = gone
            tell = _log.error if self._gone else _log.info
            tell("data_folder_gone" if self._gone else "data_folder_back", folder=self._folder)


def size(count: float) -> str:
    """Bytes for people: `8.4 GB`, in powers of 1000 as disks are sold."""
    for unit in ("bytes", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


class _Worked(NamedTuple):
    """Seconds that all processors have been at work since the machine started, and that they have been there."""

    busy: float
    passed: float

    def load_since(self, before: "_Worked") -> float:
        """The share of the time since then that they were at work, 0 to 1."""
        passed = self.passed - before.passed
        return min(1.0, max(0.0, (self.busy - before.busy) / passed)) if passed > 0 else 0.0


def _processors() -> _Worked:
    """`psutil.cpu_percent` measures from the last call of the same thread, and readings come from any."""
    times = psutil.cpu_times()._asdict()
    spent = {name: seconds for name, seconds in times.items() if name not in ("guest", "guest_nice")}  # in user, nice
    passed = sum(spent.values())
    return _Worked(passed - spent["idle"] - spent.get("iowait", 0.0), passed)
