"""A real process watches its machine."""

from pathlib import Path

from tests.journeys.running import mailbox, service, settings_for


async def test_a_full_disk_is_told_once_over_restarts_and_back_to_normal_is_not_told_while_it_is_full(
    tmp_path: Path,
) -> None:
    watched = {"hard_disk_threshold": 0.0001, "notify_hard_disk_exceeded_threshold": True}
    async with mailbox() as box, service(tmp_path / "data") as running:
        async with running.client as admin:
            answer = await admin.post("/admin/notification", json=settings_for(box.port, **watched))
            assert answer.status_code == 200, answer.text
        for _ in range(2):
            assert await running.stop() == 0
            await running.start()
            await box.holds(1)
        assert await running.stop() == 0

    assert len(box.raw) == 1
    assert box.received[0]["Subject"].startswith("Disk nearly full: ")
