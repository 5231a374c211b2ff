"""What the machine says: CPU time and memory of process trees, stolen time, and which cores are whose."""

import os
import platform
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

ROOT: Final = Path(__file__).parent.parent
BUILD: Final = ROOT / "build" / "bench"
"""What was installed for the benchmarks."""
DISK: Final = Path("/var/tmp")  # noqa: S108  on a disk where /tmp may be memory, and open to the users that daemons become
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Postfix's tools are where ordinary users do not look."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Which cores the contender has, and which the load and the mail server."""

    contender: frozenset[int]
    load: frozenset[int]

    @property
    def words(self) -> str:
        """For the report."""
        if self.contender == self.load:
            return f"contender, load and mail server share all {len(self.contender)} cores"
        return f"contenders have {len(self.contender)} cores, load and mail server {len(self.load)} others"


def cores() -> Cores:
    """The first half and the second of four cores or more; below that, everybody shares all."""
    ours = sorted(os.sched_getaffinity(0))
    half = len(ours) // 2
    if len(ours) < 4:
        return Cores(frozenset(ours), frozenset(ours))
    return Cores(frozenset(ours[:half]), frozenset(ours[half:]))


def pinned(command: Sequence[str | Path], to: Iterable[int]) -> list[str]:
    """The command, held on these cores."""
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(to))), *map(str, command)]


def description() -> str:
    """Cores, processor, memory, kernel and Python, in one line."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), {memory:.0f} GB of memory, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def file_system(path: Path = DISK) -> str:
    """The kind of file system that a folder is on."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(len(fields[1]), fields[2]) for fields in mounts if path.resolve().is_relative_to(fields[1])]
    return max(holding)[1]


def jiffies() -> tuple[int, int]:
    """CPU time stolen by other machines, and in all (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[7], sum(fields)


class Steal:
    """The share of CPU time that other machines have taken since this was made."""

    def __init__(self) -> None:
        self._begin = jiffies()

    def share(self) -> float:
        """From 0 to 1."""
        stolen, total = (now - then for now, then in zip(jiffies(), self._begin, strict=True))
        return stolen / max(1, total)


def cpu_s(roots: Iterable[int]) -> float:
    """User and system seconds so far of these processes and of all that descend from them, ended ones included.

    A process that ended counts in its parent once it was waited for (times(2), cutime).
    """
    return sum(sum(_stat(pid)[1:]) for pid in family(roots)) / _TICKS


def pss_mb(roots: Iterable[int]) -> float:
    """Memory in MB of these processes and their descendants, what they share counted once (proc(5), Pss)."""
    return sum(map(_pss_kb, family(roots))) / 1024


def family(roots: Iterable[int]) -> list[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _stat(int(entry.name))[0]
            children.setdefault(parent, []).append(int(entry.name))
    found, wanted = list[int](), list(roots)
    while wanted:
        pid = wanted.pop()
        found.append(pid)
        wanted += children.get(pid, ())
    return found


class PeakMemory:
    """Looks four times a second at how much memory a family of processes has; the most that was seen."""

    def __init__(self, roots: Sequence[int]) -> None:
        self._roots = roots
        self.mb = 0.0

    @contextmanager
    def watching(self) -> Generator["PeakMemory"]:
        """Look until the block ends."""
        done = threading.Event()

        def look() -> None:
            while True:
                self.mb = max(self.mb, pss_mb(self._roots))
                if done.wait(0.25):
                    return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            done.set()
            thread.join()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[Any]", patience_s: float = 60) -> None:
    """Wait until the process listens. Raises RuntimeError when it ends or takes longer."""
    deadline = time.monotonic() + patience_s
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"process {process.pid} did not start to listen on port {port}")


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, *, stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Generator["subprocess.Popen[bytes]"]:
    """A process with its output in `log`, ended with all that descends from it."""
    with log.open("ab") as output:
        options = {"stdout": output, "stdin": subprocess.DEVNULL, **options}
        words = [str(part) for part in command]
        started = cast("subprocess.Popen[bytes]", subprocess.Popen(words, stderr=output, **options))
    try:
        yield started
    finally:
        descendants = {pid: _began(pid) for pid in family([started.pid])[1:]}
        started.send_signal(stop)
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        for pid, began in descendants.items():
            if began and _began(pid) == began:  # still the same process
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> tuple[int, int, int, int, int]:
    """Parent, and ticks in user and system mode: its own, and those of children it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except (OSError, IndexError):
        return 0, 0, 0, 0, 0
    return int(fields[1]), int(fields[11]), int(fields[12]), int(fields[13]), int(fields[14])


def _began(pid: int) -> int:
    """When it was started, in ticks since the machine was; 0 when there is none with this id."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[19])
    except (OSError, IndexError):
        return 0


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
