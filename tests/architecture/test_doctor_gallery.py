"""The gallery of broken set-ups: the doctor names the cause of each."""

from pathlib import Path

import pytest
from tools.doctor_gallery import SETUPS, Certificates, Setup, examine


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.cause)
async def test_the_doctor_names_the_cause(setup: Setup, tmp_path: Path) -> None:
    diagnosis, text = await examine(setup, Certificates(tmp_path))

    assert not diagnosis.ok
    assert diagnosis.findings[0].code == setup.cause
    assert setup.cause in text


def test_there_are_ten_at_least_and_all_different() -> None:
    assert len({setup.cause for setup in SETUPS}) == len(SETUPS) >= 10
