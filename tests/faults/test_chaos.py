"""A short run of `make chaos`: everything at random, and at the end the oracle. The seed is fixed, and is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.disks import Disk
from chaos.mail_servers import mail_servers
from chaos.trouble import Pace, Stage, Trouble

NEVER = 1e9
ROOT = Path(__file__).parent.parent.parent
ARGUMENTS = ("--minutes", "0.3", "--seed", "7", "--messages", "3000", "--kills", "6", "--processes", "2")


@pytest.mark.timeout(600)
def test_nothing_is_lost_in_a_short_chaos(kind_of_database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chaos", *ARGUMENTS, "--database", kind_of_database],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "seed 7" in told
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"3000 acknowledged, \d+ sent, \d+ ended otherwise, 0 lost, \d+( \(.*\))? twice", last), last


@pytest.mark.timeout(60)
async def test_trouble_that_cannot_be_made_ends_the_run_at_once(tmp_path: Path) -> None:
    pace = Pace(NEVER, NEVER, NEVER, NEVER, NEVER, disk=0.01, longest_stop=1, longest_mischief=1, longest_outage=1)
    async with mail_servers(tmp_path, 1, 7) as servers:
        trouble = Trouble(Stage([], servers, None, "sqlite:///", Disk(tmp_path / "gone", 1)), pace, 0, 7)
        trouble.begin()
        try:
            with pytest.raises(FileNotFoundError):
                await trouble.lasts(NEVER)
        finally:
            await trouble.dismiss()
