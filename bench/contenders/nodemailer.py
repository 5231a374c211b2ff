"""nodemailer's pool, the usual way to send mail from Node.js. It has no queue: what it has not sent is lost with it."""

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench import machine, mail
from bench.contenders.told import PIPES, Told

INSTALLED: Final = machine.BUILD / "node"
_SCRIPT: Final = Path(__file__).with_suffix(".mjs")


@dataclass(frozen=True)
class Nodemailer:
    """One process."""

    name: str = "nodemailer (without a queue)"
    rate: int = 1_500
    filler: int = 4_795

    @property
    def what(self) -> str:
        """How it is set up."""
        return "pool of 8 connections, 64 sends under way; renders and composes each mail; stores nothing"

    def missing(self) -> str | None:
        """Why it cannot run here."""
        if not shutil.which("node"):
            return "Node.js is not installed"
        return None if (INSTALLED / "node_modules" / "nodemailer").exists() else "nodemailer is not installed"

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator[Told]:
        """Node.js with the script beside this file."""
        content = {
            **asdict(mail.bodies(self.filler)),
            "subject": mail.SUBJECT,
            "sender": mail.SENDER,
            "recipient": mail.RECIPIENT,
        }
        (folder / "mail.json").write_text(json.dumps(content), encoding="utf-8")
        command = machine.pinned(["node", _SCRIPT, str(sink_port), folder, INSTALLED], machine.cores().contender)
        with machine.process(command, folder / "log", **PIPES) as started:
            yield Told(started, [started.pid])
