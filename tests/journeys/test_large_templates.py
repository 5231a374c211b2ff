"""What a process keeps of templates to be quick has a bound, however many there are and however large."""

import base64
import random
from pathlib import Path

import psutil
import pytest
from tests.journeys.running import mailbox, new_tenant, service

PICTURE = base64.b64encode(random.Random(1).randbytes(350_000)).decode()  # noqa: S311  any will do
BODY = f'<img src="data:image/png;base64,{PICTURE}">' + "<p>%%CALLER_NAME%%</p>" * 1900
EVENT = {"type": "DISK_LOW", "recipients": ["someone@example.com"], "variables": {"FREE_SIZE": "1 GB"}}
MEGABYTE = 1 << 20


@pytest.mark.timeout(300)
async def test_memory_does_not_grow_with_every_template_that_was_in_use(tmp_path: Path) -> None:
    async with mailbox() as box, service(tmp_path / "data") as running, new_tenant(running, box.port) as tenant:

        async def use_templates(numbers: range) -> float:
            """Each is saved and told with; what the process holds then."""
            for number in numbers:
                path = "/custom_email_templates" + ("/DISK_LOW" if number else "")
                saved = await tenant.post(path, json={"name": "DISK_LOW", "body": f"<p>{number}</p>{BODY}"})
                assert saved.status_code == (200 if number else 201), saved.text
                assert (await tenant.post("/events", json=EVENT)).status_code == 202
            await box.holds(numbers.stop, within_s=60)
            return psutil.Process(running.pid).memory_info().rss / MEGABYTE

        few = await use_templates(range(40))
        many = await use_templates(range(40, 130))
        assert many - few < 100
