"""`ringpost status`: what waits and why, in a terminal, in a pipe, and for programs."""

import asyncio
import json
import os
import pty
import re
import sys
from pathlib import Path
from typing import Any

from tests.journeys.running import Service, mailbox, new_tenant, service

EVENT = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales"}}


async def status_of(running: Service) -> dict[str, Any]:
    return json.loads(await running.command("status", "--json"))


async def test_it_counts_what_was_sent_and_who_works(tmp_path: Path) -> None:
    async with mailbox() as box, service(tmp_path / "data") as running, new_tenant(running, box.port) as tenant:
        assert (await tenant.post("/events", json=EVENT)).status_code == 202
        await box.holds(1)
        async with asyncio.timeout(100):  # workers report every few seconds, and rates are of whole spans of ten
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


async def test_it_says_in_words_why_a_lane_is_on_hold_and_whose_mail_waits(tmp_path: Path) -> None:
    nobody = "9"  # the port of `discard`, where nothing listens
    async with (
        service(tmp_path / "data", RINGPOST_EXTRA_MAIL_PORTS=nobody) as running,
        new_tenant(running, int(nobody)) as tenant,
    ):
        assert (await tenant.post("/events", json=EVENT)).status_code == 202
        async with asyncio.timeout(60):
            while not (seen := await status_of(running))["holds"]:
                await asyncio.sleep(0.2)
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
    async with service(tmp_path / "data", RINGPOST_WORKERS="0") as running:
        screen, terminal = pty.openpty()
        environment = {**running.environment, "COLUMNS": "80", "LINES": "40", "TERM": "xterm"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ringpost.cli", "status",
            env=environment, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal,
        )  # fmt: skip
        os.close(terminal)
        shown = b""
        async with asyncio.timeout(60):
            while shown.count(b"class") < 3:  # drawn, and drawn again
                shown += await asyncio.to_thread(os.read, screen, 65536)
        assert process.returncode is None
        os.write(screen, b"q")
        async with asyncio.timeout(60):
            while (code := process.returncode) is None:
                await asyncio.gather(asyncio.to_thread(drain, screen), asyncio.sleep(0.05))
        os.close(screen)

    shown = re.sub(rb"\x1b\[[0-9;]*H", b"\n", shown)  # to the beginning of the screen
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert code == 0
    assert "No worker is alive" in plain
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80


def drain(screen: int) -> None:
    """Take what is still written; the end of the program is the end of the terminal."""
    try:
        os.read(screen, 65536)
    except OSError:
        return
