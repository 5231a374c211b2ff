"""`ringpost status`: what waits and why, in a terminal, in a pipe, and for programs."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.machine import Machine
from tests.journeys.running import Service, mailbox, new_tenant, service
from tests.patience import patience
from tests.postgresql import postgres_server

EVENT = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales"}}


async def status_of(running: Service) -> dict[str, Any]:
    return json.loads(await running.command("status", "--json"))


async def test_it_counts_what_was_sent_and_who_works(tmp_path: Path) -> None:
    async with mailbox() as box, service(tmp_path / "data") as running, new_tenant(running, box.port) as tenant:
        assert (await tenant.post("/events", json=EVENT)).status_code == 202
        await box.holds(1)
        async with patience(100):  # workers report every few seconds, and rates are of whole spans of ten
            while not (seen := await status_of(running))["per_minute"]["sent"]:
                await asyncio.sleep(0.5)
        text = await running.command("status")

    assert [row["class"] for row in seen["waiting"]] == ["emergency", "alert", "normal"]
    assert all(row["queued"] == 0 for row in seen["waiting"])
    assert seen["per_minute"] == {"accepted": 0.2, "sent": 0.2, "failed": []}
    assert len(seen["workers"]) == 1
    assert seen["holds"] == seen["longest_queues"] == []
    assert "1 worker on 1 host" in text
    assert "No lane is on hold." in text


@asynccontextmanager
async def a_lane_on_hold(data: Path) -> AsyncGenerator[Service]:
    """A service with a tenant whose mail server is not there, and a mail that waits for it."""
    nobody = "9"  # the port of `discard`, where nothing listens
    async with (
        service(data, RINGPOST_EXTRA_MAIL_PORTS=nobody) as running,
        new_tenant(running, int(nobody)) as tenant,
    ):
        assert (await tenant.post("/events", json=EVENT)).status_code == 202
        async with patience(60):
            while not (await status_of(running))["holds"]:
                await asyncio.sleep(0.2)
        yield running


async def test_it_says_in_words_why_a_lane_is_on_hold_and_whose_mail_waits(tmp_path: Path) -> None:
    async with a_lane_on_hold(tmp_path / "data") as running:
        seen = await status_of(running)
        text = await running.command("status")

    hold = seen["holds"][0]
    assert hold["lane"] == "pbx.example.com"
    assert hold["party"] in ("network", "mail_server")
    assert hold["because"]
    assert seen["lanes_on_hold"] == 1
    assert [(row["queue"], row["waiting"]) for row in seen["longest_queues"]] in (
        [("pbx.example.com", 1)],
        [],  # it is being probed at this moment
    )
    assert "pbx.example.com" in text
    assert "next probe" in text


async def test_without_workers_it_says_so(tmp_path: Path) -> None:
    async with service(tmp_path / "data", RINGPOST_WORKERS="0") as running:
        assert "No worker is alive: nothing is sent. Start one: ringpost worker" in await running.command("status")


async def test_in_a_terminal_it_goes_on_until_q_and_fits_into_80_columns(tmp_path: Path) -> None:
    async with (
        service(tmp_path / "data", RINGPOST_WORKERS="0") as running,
        Terminal.that_shows_status(running.environment) as terminal,
    ):
        await terminal.shows("class", times=3)  # drawn, and drawn again
        assert await terminal.ends_at("q") == 0

    assert "No worker is alive" in terminal.plain
    assert max(len(line.rstrip()) for line in terminal.plain.splitlines()) <= 80


async def test_in_a_terminal_that_is_too_low_it_says_how_much_more_there_is(acme: Machine) -> None:
    async with Terminal.that_shows_status(acme.env, lines=6) as terminal:
        await terminal.shows("more lines: ringpost status --once", times=2)
        assert await terminal.ends_at("q") == 0


async def test_a_low_terminal_has_a_line_for_each_lane_on_hold(tmp_path: Path) -> None:
    async with (
        a_lane_on_hold(tmp_path / "data") as running,
        Terminal.that_shows_status(running.environment, lines=21) as terminal,
    ):
        await terminal.shows("…", times=2)
        assert await terminal.ends_at("q") == 0


async def test_told_to_end_it_gives_the_terminal_back(acme: Machine) -> None:
    async with Terminal.that_shows_status(acme.env) as terminal:
        await terminal.shows("class")
        terminal.forget()
        assert await terminal.ends_at(signal.SIGTERM) == 0
        assert terminal.is_given_back


async def test_in_a_terminal_that_cannot_draw_it_prints_once(acme: Machine) -> None:
    async with Terminal.that_shows_status(acme.env, term="dumb") as terminal:
        assert await terminal.ends() == 0

    assert terminal.plain.count("class") == 1
    assert "No worker is alive" in terminal.plain


@pytest.mark.timeout(300)
async def test_in_a_terminal_it_outlives_a_database_that_is_away(tmp_path: Path) -> None:
    with postgres_server() as server:
        here = {name: value for name, value in os.environ.items() if not name.startswith("RINGPOST_")}
        of_ours = {
            "RINGPOST_DATA_DIR": str(tmp_path / "data"),
            "RINGPOST_DATABASE_URL": server.url(server.new_database()),
        }
        migrating = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost", "migrate", env={**here, **of_ours}
        )
        assert await migrating.wait() == 0
        async with Terminal.that_shows_status({**here, **of_ours}) as terminal:
            await terminal.shows("class", times=2)
            await asyncio.to_thread(server.stop)
            await terminal.shows("The database cannot be read now")
            await terminal.shows("What follows was so at")
            assert "database_unavailable" not in terminal.plain, "no log lines across the picture"
            await asyncio.to_thread(server.start)
            await terminal.shows("class", times=2)
            terminal.forget()
            await terminal.shows("class", times=2)
            assert "cannot be read" not in terminal.plain
            assert await terminal.ends_at("q") == 0


class Terminal:
    """A terminal of 80 columns with one program in it."""

    def __init__(self, screen: int, process: asyncio.subprocess.Process) -> None:
        self._screen = screen
        self._process = process
        self._written = b""

    @classmethod
    @asynccontextmanager
    async def that_shows_status(
        cls, environment: dict[str, str], term: str = "xterm", lines: int = 40
    ) -> AsyncGenerator["Terminal"]:
        """With `ringpost status` in it."""
        screen, terminal = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost", "status",
            env={**environment, "COLUMNS": "80", "LINES": str(lines), "TERM": term},
            stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        try:
            yield cls(screen, process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            os.close(screen)

    @property
    def plain(self) -> str:
        """What was written, without colours, each picture below the one before."""
        lines = re.sub(rb"\x1b\[[0-9;]*H", b"\n", self._written)  # to the beginning of the screen
        plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", lines)
        return plain.decode(errors="replace")  # the last read may end in the middle of a character

    def forget(self) -> None:
        """What was written so far."""
        self._written = b""

    async def shows(self, text: str, times: int = 1) -> None:
        """Wait until this was written so often from now on."""
        already = self.plain.count(text)
        async with patience(60):
            while self.plain.count(text) < already + times:
                self._written += await asyncio.to_thread(self._read)
                assert self._process.returncode is None, self.plain

    async def ends_at(self, end: str | signal.Signals) -> int:
        """Press a key or send a signal; the exit code."""
        if isinstance(end, signal.Signals):
            self._process.send_signal(end)
        else:
            os.write(self._screen, end.encode())
        return await self.ends()

    @property
    def is_given_back(self) -> bool:
        """Whether what was there before is shown again, and the cursor (xterm's control sequences)."""
        return b"\x1b[?1049l" in self._written and b"\x1b[?25h" in self._written

    async def ends(self) -> int:
        """Wait for the end; the exit code."""
        async with patience(60):
            while (code := self._process.returncode) is None:
                written, _ = await asyncio.gather(asyncio.to_thread(self._read), asyncio.sleep(0.05))
                self._written += written
        while written := self._read():
            self._written += written
        return code

    def _read(self) -> bytes:
        try:
            return os.read(self._screen, 65536)
        except OSError:  # the end of the program is the end of the terminal
            return b""
