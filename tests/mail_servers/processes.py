"""Mail servers as processes of ours: started in a folder of their own, ended by process id."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

BUILD: Final = Path(__file__).parents[2] / "build" / "mail_servers"
"""Where tools/mail_servers.py puts what is not installed on the machine."""
PATIENCE_S: Final = 20


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A mail server that takes mail for everybody and keeps it."""

    name: str
    version: str
    address: str
    """Its own loopback address, so that every server has every port."""
    mailbox: Path
    """Has one file for each mail that has arrived whole."""
    _mails: list[bytes] = field(default_factory=list[bytes])

    def mail(self, message_id: str) -> bytes | None:
        """The mail with this Message-ID; None when it is not there (yet)."""
        for path in self.mailbox.glob("*"):
            self._mails.append(path.read_bytes())
            path.unlink()
        header = b"Message-ID: " + message_id.encode()
        return next((mail for mail in reversed(self._mails) if header in mail), None)


@contextmanager
def folder() -> Generator[Path]:
    """A folder that servers with users of their own can go into (pytest's are for their owner only)."""
    path = Path(tempfile.mkdtemp(prefix="ringpost-mail-server-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def process(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Generator[int]:
    """Run it until the block ends; its process id. When we are killed it is ended too, where the system can do that."""
    mourn = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*mourn, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield child.pid
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # its session, which is ours: what it left behind
        child.wait()


def wait_for_ports(pid: int, address: str, ports: Sequence[int], logs: Path) -> None:
    """Until all of them are open. AssertionError with the logs of the folder when the server ends or takes too long."""
    closed = list(ports)

    def are_open() -> bool:
        closed[:] = [port for port in closed if not _is_open(address, port)]
        return not closed

    wait_for(pid, are_open, f"one of the ports {list(ports)}", logs)


def wait_for(pid: int, there: Callable[[], bool], what: str, logs: Path) -> None:
    """Until it is there. AssertionError with the logs of the folder when the server ends or takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not there():
        assert _lives(pid), f"the server ended at once:\n{_read(logs)}"
        assert time.monotonic() < end, f"{what} is not there:\n{_read(logs)}"
        time.sleep(0.02)


def _is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _read(logs: Path) -> str:
    return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs.rglob("*.log"))


def _lives(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    return state != "Z"


def loopback_address() -> str:
    """An address of this machine that nobody else uses: on Linux, all of 127/8 is loopback."""
    return ".".join(["127", *(str(random.randint(2, 250)) for _ in range(3))])  # noqa: S311  no secret


def can_listen_below_1024() -> bool:
    """Whether we may have the real ports 25, 465 and 587."""
    with socket.socket() as probe:
        try:
            probe.bind((loopback_address(), 25))
        except OSError:
            return False
    return True


def own_ports(ports: Sequence[int]) -> list[int]:
    """Those that we may listen on."""
    return list(ports) if can_listen_below_1024() else [port for port in ports if port >= 1024]


def no_loopback_addresses() -> str | None:
    """Why no server can run here, or None."""
    return None if sys.platform == "linux" else "only Linux gives every server a loopback address of its own"
