"""How many slots the workers of a process have: as many as the operator wants, if its file descriptors allow that."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ringpost import serving
from ringpost.config import Config
from ringpost.usecases.room import Room


@pytest.fixture(autouse=True)
def file_descriptors() -> Iterator[None]:
    """4,096 for this process: 2,048 for connections to mail servers, half of them for mails in hand."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("asked", "workers", "slots"), [(1024, 1, 1024), (8192, 1, 1024), (8192, 4, 256), (512, 2, 512)]
)
def test_workers_share_the_file_descriptors_of_their_process(
    room: Room, tmp_path: Path, asked: int, workers: int, slots: int
) -> None:
    config = Config(data_dir=tmp_path, slots=asked)
    with capture_logs() as logs:
        assert [worker.slots for worker in serving.workers_of(room, config, workers)] == [slots] * workers

    told = [(line["asked"], line["slots"]) for line in logs if line["event"] == "fewer_slots"]
    assert told == ([] if slots == asked else [(asked, slots)])


def test_a_worker_process_does_not_share_with_the_workers_of_another(room: Room, tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, slots=8192, workers=8)

    assert [worker.slots for worker in serving.workers_of(room, config, 1)] == [1024]


def test_a_process_without_workers_says_nothing_of_slots(room: Room, tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert serving.workers_of(room, Config(data_dir=tmp_path, workers=0), 0) == []

    assert logs == []
