"""No secret in a log, an answer, the metrics or a file: canaries go in everywhere, and are looked for everywhere."""

import asyncio
import base64
from pathlib import Path

import httpx
from tests.journeys.running import ADMIN_TOKEN, mailbox, new_tenant, service
from tests.patience import patience

PASSWORD = "canary-mail-password-7d1c"
CANARIES = {
    "USER_PASSWORD": "canary-user-password-41f0",
    "EXTENSION_PASSWORD": "canary-sip-password-9be2",
    "VOICEMAIL_PIN": "canary-pin-5a77",
    "QR_CODE": "canary-provisioning-text-c3d8",
    "QR_CODE_URL": "canary-provisioning-address-26e0",
}
ORDINARY = "canary-queue-name-e91b"


async def answers_to_all(tenant: httpx.AsyncClient) -> str:
    """All that the API has to say about what was posted."""
    paths = [
        "/tenant/notification",
        "/deliveries",
        "/events/user",
        "/events/queue",
        "/metrics",
        "/custom_email_templates",
    ]
    texts = [(await tenant.get(path)).text for path in paths]
    for delivery in (await tenant.get("/deliveries")).json()["items"]:
        texts.append((await tenant.get(f"/deliveries/{delivery['id']}")).text)  # noqa: PERF401  awaits in order
    wrong = {"type": "SMTP", "server": "127.0.0.1", "username": "x", "password": PASSWORD + "\n", "port": -1}
    texts.append((await tenant.post("/tenant/notification", json=wrong)).text)
    test_mail = {"recipient": "a@example.com", "subject": "x", "content": "x"}
    texts.append((await tenant.post("/tenant/notification/test_email", json=test_mail)).text)
    return "\n".join(texts)


def everything_on_disk(folder: Path) -> bytes:
    """Database, write-ahead log, key file, log file."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def forms_of(secret: str) -> list[bytes]:
    """How a secret may stand somewhere without being seen at once."""
    text = secret.encode()
    return [text, base64.b64encode(text).rstrip(b"=")[:-1], base64.b64encode(b"\0alerts@example.com\0" + text)]


async def test_no_secret_is_in_a_log_an_answer_the_metrics_or_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    async with mailbox() as box, service(folder / "data", RINGPOST_LOG_LEVEL="debug") as running:
        async with new_tenant(running, box.port) as tenant:
            token = tenant.headers["Authorization"].removeprefix("Bearer ")
            user = {"type": "USER_CREATION", "id": "user", "variables": {"USER_NAME": "jane", **CANARIES}}
            queue = {"type": "QUEUE_SLA", "id": "queue", "variables": {"QUEUE_NAME": ORDINARY}}
            await tenant.post("/events", json=user | {"recipients": ["jane@example.com"]})
            await tenant.post("/events", json=queue)
            await box.holds(2)
            unreachable = {
                "type": "SMTP", "server": "127.0.0.1", "port": 9, "username": "alerts@example.com",
                "password": PASSWORD, "recipients": "manager@example.com", "notify_user_registration": True,
            }  # fmt: skip
            assert (await tenant.post("/tenant/notification", json=unreachable)).status_code == 200
            await tenant.post("/events", json=user | {"id": "waits", "recipients": ["jo@example.com"]})
            async with patience(20):
                while not (await tenant.get("/deliveries?event=waits")).json()["items"][0]["attempts"]:
                    await asyncio.sleep(0.05)
            said = (await answers_to_all(tenant)).encode()
            login = await tenant.post("/login", json={"username": "jane", "password": PASSWORD})
            said += login.content
        await running.stop()
        stored = everything_on_disk(folder)
    mails = b"\n".join(box.raw)
    assert CANARIES["USER_PASSWORD"].encode() in mails, "the mail itself tells the new user"
    for secret in (*CANARIES.values(), PASSWORD, token, ADMIN_TOKEN):
        for form in forms_of(secret):
            assert form not in said, secret
            assert form not in stored, secret
    assert ORDINARY.encode() not in stored, "variables of any event are sealed"
