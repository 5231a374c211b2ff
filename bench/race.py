"""The race: contenders one after the other, round after round, into the same mail server."""

import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench import machine, mail
from bench.sink import Sink, capturing, running_sink

WARM_UP: Final = 100
"""Mails that each contender sends before the clock starts."""
PATIENCE_S: Final = 120
"""For what one contender does in one round, beyond which it has failed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """When mails began to be offered and when the last was acknowledged (`time.monotonic`); CPU seconds of the load."""

    begin: float
    end: float
    cpu_s: float = 0.0


class Running(Protocol):
    """A contender that waits for mail."""

    @property
    def roots(self) -> Sequence[int]:
        """The processes whose families are the contender; none when the load itself is."""
        ...

    def offer(self, count: int) -> Offer:
        """Offer so many mails, and return when the last is acknowledged."""
        ...


class Contender(Protocol):
    """Something that takes mail and brings it to a mail server."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    @property
    def what(self) -> str:
        """How it is set up, in a sentence."""
        ...

    @property
    def rate(self) -> int:
        """About how many mails a second to expect in the first round; so all are measured for about as long."""
        ...

    def missing(self) -> str | None:
        """Why it cannot run here; None when it can."""
        ...

    def running(self, folder: Path, sink_port: int) -> AbstractContextManager[Running]:
        """Start it with this folder for its data and this mail server to send to."""
        ...


@dataclass(frozen=True, slots=True)
class Lap:
    """What one contender did in one round."""

    rate: float
    """Mails a second, from the first offered to the last taken by the mail server."""
    acknowledged: float
    """Mails acknowledged a second, while others were on their way out."""
    cpu_s: float
    """CPU seconds per 1,000 mails."""
    load_cpu_us: float
    """CPU microseconds of the load per mail; 0 where the load is the contender or not apart from it."""
    memory_mb: float
    steal: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender that has shown that it runs."""

    contender: Contender
    wire_bytes: int


def qualify(contenders: Sequence[Contender]) -> tuple[list[Entry], dict[str, str]]:
    """Have each send one mail to be looked at; those that did, and why the others are left out."""
    entries: list[Entry] = []
    left_out: dict[str, str] = {}
    for contender in contenders:
        print(f"  {contender.name}", flush=True)
        reason, size = _try_one(contender)
        if reason:
            left_out[contender.name] = reason
            print(f"    is left out: {reason}", flush=True)
        else:
            entries.append(Entry(contender, size))
    return entries, left_out


def run(entries: Sequence[Entry], rounds: int, seconds: float) -> tuple[list[dict[str, Lap]], dict[str, str]]:
    """The laps of each round by contender, and what failed in which way. Each lap takes about so many seconds."""
    laps: list[dict[str, Lap]] = []
    failures: dict[str, str] = {}
    rates = {entry.contender.name: float(entry.contender.rate) for entry in entries}
    with workspace() as folder:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            laps.append({})
            with running_sink(folder / "sink.log") as sink:
                first = number * len(entries) // max(1, rounds)  # so that nobody has the same place in each round
                for entry in (*entries[first:], *entries[:first]):
                    contender = entry.contender
                    try:
                        lap = one_lap(contender, sink, max(WARM_UP, round(rates[contender.name] * seconds)))
                    except Exception as error:  # noqa: BLE001  whatever it is, the others run
                        failures[contender.name] = f"in round {number + 1}: {_words(error)}"
                        print(f"  {contender.name} failed: {_words(error)}", flush=True)
                    else:
                        laps[-1][contender.name] = lap
                        rates[contender.name] = lap.rate
                        print(f"  {contender.name:45} {lap.rate:9,.0f} mails/s", flush=True)
    return laps, failures


def one_lap(contender: Contender, sink: Sink, count: int) -> Lap:
    """Start it afresh, warm it up, and measure."""
    with workspace() as folder, contender.running(folder, sink.port) as running:
        before = sink.taken
        running.offer(WARM_UP)
        sink.wait_until(before + WARM_UP, PATIENCE_S)
        time.sleep(0.3)
        before, cpu, steal = sink.taken, machine.cpu_s(running.roots), machine.Steal()
        with machine.PeakMemory(running.roots).watching() as memory:
            offer = running.offer(count)
            end = sink.wait_until(before + count, PATIENCE_S)
        stolen = steal.share()
        time.sleep(0.3)  # what was taken by the mail server is yet to be recorded
        cpu = machine.cpu_s(running.roots) - cpu if running.roots else offer.cpu_s
        return Lap(
            rate=count / (end - offer.begin),
            acknowledged=count / (offer.end - offer.begin),
            cpu_s=cpu / count * 1000,
            load_cpu_us=offer.cpu_s / count * 1e6 if running.roots else 0.0,
            memory_mb=memory.mb,
            steal=stolen,
        )


@contextmanager
def workspace() -> Generator[Path]:
    """A folder on a disk, that the users whom daemons become can reach; it goes with the block."""
    folder = Path(tempfile.mkdtemp(prefix="ringpost-bench-", dir=machine.DISK))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _try_one(contender: Contender) -> tuple[str, int]:
    """Why it is left out, empty when it is not; and the bytes of its mail. What goes wrong is tried once more."""
    if missing := contender.missing():
        return missing, 0
    why = ""
    for _ in range(2):
        try:
            size = _size_of_one(contender)
        except Exception as error:  # noqa: BLE001  whatever it is, the others run
            why = _words(error)
        else:
            fits = abs(size / mail.WIRE_BYTES - 1) <= mail.TOLERANCE
            return "" if fits else f"its mail has {size} bytes instead of about {mail.WIRE_BYTES}", size
    return why, 0


def _size_of_one(contender: Contender) -> int:
    with workspace() as folder, capturing() as (port, mails), contender.running(folder, port) as running:
        running.offer(1)
        deadline = time.monotonic() + PATIENCE_S / 2
        while not mails:
            if time.monotonic() > deadline:
                raise TimeoutError("its first mail did not arrive")
            time.sleep(0.02)
        return len(mails[0])


def _words(error: BaseException) -> str:
    if "-v" in sys.argv:
        raise error
    text = str(getattr(error, "stderr", None) or error).strip() or type(error).__name__
    return text.splitlines()[-1][:300]
