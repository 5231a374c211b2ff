"""Backup and restore with the commands of docs/operating.md, on real folders."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.machine import DEADLINE_S, Machine

pytestmark = pytest.mark.timeout(180)

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8").partition("## Backup")[2]
MAKE, RESTORE = (block.partition("```")[0] for block in PAGE.split("```sh\n")[1:3])
ONLY_ON_A_SERVER = ("systemctl ", "chown ")


def test_a_backup_is_made_as_the_docs_say_while_it_runs_and_can_be_restored(acme: Machine) -> None:
    there, here = acme.folder / "restored", acme.folder / "data"
    there.mkdir()
    command = by_the_docs(MAKE, here, there)
    with acme.serving():
        acme.output("tenant", "create", "written-last.example.com")
        run(command)
    assert {file.stat().st_mode & 0o777 for file in there.iterdir()} == {0o600}
    assert subprocess.call(["sh", "-ec", command.replace("ringpost.db ", "no.db ")], stderr=subprocess.DEVNULL) != 0
    assert not (here / "no.db").exists(), "else it would be root's, and in the way of the service"

    assert acme.output("tenant", "list", "--data-dir", str(there)) == acme.output("tenant", "list")


def test_a_backup_is_restored_as_the_docs_say_over_what_a_killed_process_has_left(acme: Machine) -> None:
    there, here = acme.folder / "backup", acme.folder / "data"
    there.mkdir()
    with acme.serving() as served:
        before = acme.output("tenant", "list")
        run(by_the_docs(MAKE, here, there))
        acme.output("tenant", "create", "since-then.example.com")
        served.stop(signal.SIGKILL)
    assert (here / "ringpost.db-wal").stat().st_size > 0

    run(by_the_docs(RESTORE, here, there))

    assert acme.output("tenant", "list") == before


def by_the_docs(block: str, here: Path, there: Path) -> str:
    """The commands, with folders of the test's own and without what takes a server's service."""
    kept = "".join(line for line in block.splitlines(keepends=True) if not line.startswith(ONLY_ON_A_SERVER))
    for named, meant in (("/var/lib/ringpost/", here), ("/backup/", there), ("/elsewhere/", there)):
        assert named in kept
        kept = kept.replace(named, f"{meant}/")
    return kept.replace("/opt/ringpost/bin/python", sys.executable)


def run(commands: str) -> None:
    """As a shell does that stops at what fails."""
    subprocess.run(["sh", "-ec", commands], check=True, timeout=DEADLINE_S)
