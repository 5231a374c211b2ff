"""The host is watched: one mail when it goes over a threshold, one when it is back, whoever watches."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
from structlog.testing import capture_logs
from tests.conftest import Clock
from tests.journeys.running import Mailbox, mailbox
from tests.worker.posts import save, sent

from ringpost.domain.watch import Gauge, Reading
from ringpost.usecases.room import Room
from ringpost.usecases.watch_host import watch_host
from ringpost.worker import Host, HostWatch
from ringpost.worker.host import size

pytestmark = pytest.mark.usefixtures("worker")

WATCHED: dict[str, Any] = {
    "recipients": "operator@example.com",
    "hard_disk_threshold": 0.9,
    "cpu_threshold": 0.8,
    "memory_threshold": 0.7,
    "notify_hard_disk_exceeded_threshold": True,
    "notify_cpu_exceeded_threshold": True,
    "notify_memory_exceeded_threshold": True,
}


def disk(share: float) -> list[Reading]:
    return [Reading(Gauge.HARD_DISK, share, {"FREE_SIZE": "8.4 GB", "DISK_PATH": "/data"})]


@pytest.fixture
async def box(admin_client: httpx.AsyncClient) -> AsyncIterator[Mailbox]:
    """The operator's mail server, with everything watched."""
    async with mailbox() as box:
        await save(admin_client, box.port, **WATCHED)
        yield box


async def tells(operator: httpx.AsyncClient, box: Mailbox, count: int) -> None:
    """So many mails come, and no other waits: what is told is in the outbox when `watch_host` returns."""
    assert len((await operator.get("/deliveries")).json()["items"]) == count
    await sent(operator, count)
    assert len(box.raw) == count


async def test_one_mail_when_it_goes_over_and_one_when_it_is_back(
    room: Room, admin_client: httpx.AsyncClient, box: Mailbox, clock: Clock
) -> None:
    for share, mails in ((0.5, 0), (0.93, 1), (0.95, 1), (0.88, 1), (0.94, 1), (0.71, 2), (0.7, 2)):
        clock.advance(400)
        await watch_host(room, disk(share))
        await tells(admin_client, box, mails)

    up, back = box.received
    assert (up["Subject"], back["Subject"]) == ("Disk nearly full: host-1", "Disk has room again: host-1")
    assert (up["From"], up["To"]) == ("Phone system <alerts@example.com>", "operator@example.com")
    text = up.get_body(("plain",))
    assert text is not None
    assert "In use: 93%\nThreshold: 90%\nFree: 8.4 GB\nWatched at: /data" in text.get_content().replace("\r\n", "\n")


async def test_each_gauge_is_told_by_itself(room: Room, admin_client: httpx.AsyncClient, box: Mailbox) -> None:
    await watch_host(room, [*disk(0.5), Reading(Gauge.CPU, 0.81, {}), Reading(Gauge.MEMORY, 0.9, {})])

    await tells(admin_client, box, 2)

    assert sorted(mail["Subject"] for mail in box.received) == [
        "Memory nearly used up: host-1",
        "Processors overloaded: host-1",
    ]


async def test_several_processes_and_restarts_tell_it_once(
    room: Room, admin_client: httpx.AsyncClient, box: Mailbox
) -> None:
    await asyncio.gather(*(watch_host(room, disk(0.91 + number / 1000)) for number in range(20)))

    await tells(admin_client, box, 1)


async def test_another_host_is_told_apart(room: Room, admin_client: httpx.AsyncClient, box: Mailbox) -> None:
    await watch_host(room, disk(0.95))
    await watch_host(replace(room, options=replace(room.options, host_name="host-2")), disk(0.95))

    await tells(admin_client, box, 2)

    assert {mail["Subject"].rpartition(" ")[2] for mail in box.received} == {"host-1", "host-2"}


@pytest.mark.parametrize(
    "off", [{"hard_disk_threshold": 0}, {"notify_hard_disk_exceeded_threshold": False}, {"recipients": None}]
)
async def test_what_is_over_when_watching_begins_is_told_then(
    room: Room, admin_client: httpx.AsyncClient, box: Mailbox, off: dict[str, Any]
) -> None:
    await save(admin_client, box.port, **{**WATCHED, **off})
    await watch_host(room, disk(0.95))
    await tells(admin_client, box, 0)

    await save(admin_client, box.port, **WATCHED)
    await watch_host(room, disk(0.95))

    await tells(admin_client, box, 1)


async def test_the_operator_sees_the_event(room: Room, admin_client: httpx.AsyncClient, box: Mailbox) -> None:
    await watch_host(room, disk(0.95))
    await box.holds(1)

    story = (await admin_client.get("/events/HARD_DISK_EXCEEDED-host-1-1")).json()

    assert (story["type"], story["skipped"]) == ("HARD_DISK_EXCEEDED", None)
    assert story["variables"]["DISK_USAGE"] == "95%"


async def test_a_custom_template_of_the_system_is_used(
    room: Room, admin_client: httpx.AsyncClient, box: Mailbox
) -> None:
    template = {"name": "HARD_DISK_EXCEEDED", "subject": "%%HOST_NAME%%: %%DISK_USAGE%%", "from": "Ops"}
    assert (await admin_client.post("/admin/custom_email_templates", json=template)).status_code == 201

    await watch_host(room, disk(0.95))
    await box.holds(1)

    assert (box.received[0]["Subject"], box.received[0]["From"]) == ("host-1: 95%", "Ops <alerts@example.com>")


async def test_a_reading_that_fails_is_not_the_last(room: Room, box: Mailbox) -> None:
    times = 0

    def read() -> list[Reading]:
        nonlocal times
        times += 1
        if times == 1:
            raise OSError("the disk is away")
        return disk(0.95)

    watch = HostWatch(room, read, interval_s=0.01)
    task = asyncio.create_task(watch.run())
    await box.holds(1)
    watch.stop()
    await task

    assert times > 1


async def test_a_data_folder_is_gone_when_two_looks_in_a_row_have_not_found_it(room: Room) -> None:
    there, missing = disk(0.1), list[Reading]()
    looks = deque([there, missing, there, missing, missing, missing, there, there])
    told_before: list[int] = []

    def read() -> list[Reading]:
        told_before.append(len(told))
        look = looks.popleft()
        if not looks:
            loop.call_soon_threadsafe(watch.stop)
        return look

    loop = asyncio.get_running_loop()
    watch = HostWatch(room, read, interval_s=0)
    with capture_logs() as told:
        await watch.run()

    assert [line["event"] for line in told] == ["data_folder_gone", "data_folder_back"]
    assert told_before == [0, 0, 0, 0, 0, 1, 1, 2]


def test_this_machine_is_read_and_cpu_and_memory_only_after_a_minute(tmp_path: Path) -> None:
    host = Host(tmp_path)

    looks = [host.read() for _ in range(6)]

    assert [[one.gauge for one in look] for look in looks[:5]] == [[Gauge.HARD_DISK]] * 5
    assert [one.gauge for one in looks[5]] == list(Gauge)
    assert all(0 <= one.share <= 1 for one in looks[5])
    assert looks[5][0].facts["DISK_PATH"] == str(tmp_path)


class CpuTimes(NamedTuple):
    """As psutil gives them."""

    user: float
    system: float
    idle: float
    iowait: float
    guest: float


def test_a_short_peak_is_averaged_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = iter([0, 10, 10, 100, 10, 10, 10])
    worked = {"user": 1000.0, "system": 0.0, "idle": 5000.0, "iowait": 0.0, "guest": 900.0}

    def cpu_times() -> Any:
        busy = next(spans) / 10  # in each span, ten seconds pass
        worked["user"] += busy
        worked["guest"] += busy  # is part of user
        worked["idle"] += (10 - busy) / 2
        worked["iowait"] += (10 - busy) / 2
        return CpuTimes(**worked)

    monkeypatch.setattr("psutil.cpu_times", cpu_times)
    host, looks = Host(tmp_path), list[Sequence[Reading]]()
    for _ in range(6):
        thread = Thread(target=lambda: looks.append(host.read()))  # whichever thread is free looks
        thread.start()
        thread.join()

    assert looks[5][1].share == pytest.approx(0.25)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (5_400_000, "5 MB"),
        (8_400_000_000, "8.4 GB"),
        (3e12, "3000.0 GB"),
    ],
)
def test_sizes_are_written_for_people(count: float, shown: str) -> None:
    assert size(count) == shown
