"""A short run of `make chaos`: everything at random, and at the end the oracle. The seed is fixed, and is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
