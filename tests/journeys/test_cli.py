"""The command line as a person or a script meets it: real processes, their output and exit codes."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import pytest
from tests.closing import end
from tests.journeys.machine import DEADLINE_S, Machine, wait_for_line

from ringpost.demo.mailbox import Mailbox, open_mail_server

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def mail_server() -> AsyncGenerator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    server, port = await open_mail_server(mailbox)
    try:
        yield mailbox, port
    finally:
        await end(server)


def mail_settings(port: int) -> dict[str, Any]:
    return {
        "type": "SMTP",
        "server": "127.0.0.1",
        "port": port,
        "username": "phones@acme.example.com",
        "auth": "DISABLE",
        "enable_tls_ssl": False,
        "recipients": "operations@acme.example.com",
    }


def test_token_create_prints_the_token_alone(acme: Machine) -> None:
    printed = acme.output("token", "create", "--tenant", "acme.example.com", "--scope", "events:write")

    assert re.fullmatch(r"rp_key_[A-Za-z0-9_-]{43}\n", printed)


def test_a_revoked_token_stays_in_the_list_without_its_text(acme: Machine) -> None:
    token = acme.output("token", "create").strip()
    listed = json.loads(acme.output("token", "list", "--json"))

    acme.output("token", "revoke", listed[0]["id"])

    after = acme.output("token", "list", "--json")
    assert json.loads(after)[0]["state"] == "revoked"
    assert token not in after


def test_a_token_that_has_expired_is_not_said_to_be_in_force(acme: Machine) -> None:
    for days in ("1", "2"):
        acme.output("token", "create", "--expires-in-days", days)
    with closing(sqlite3.connect(acme.folder / "data" / "ringpost.db")) as database, database:
        database.execute("UPDATE tokens SET expires_at = created_at WHERE expires_at - created_at = 86400000")

    states = [token["state"] for token in json.loads(acme.output("token", "list", "--json"))]

    assert states == ["in force", "expired"]


def test_an_event_sent_by_command_is_delivered_by_a_worker_process(acme: Machine) -> None:
    opened = {"RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8"}
    token = acme.output("token", "create").strip()

    async def journey() -> None:
        async with mail_server() as (mailbox, port):
            with acme.serving(RINGPOST_WORKERS="0", **opened) as api:
                headers = {"Authorization": f"Bearer {token}"}
                async with httpx.AsyncClient(base_url=api.match[1], headers=headers, timeout=30) as client:
                    answer = await client.post("/tenant/notification", json=mail_settings(port))
                assert answer.status_code == 200, answer.text
                assert api.stop(signal.SIGTERM) == 0
            acme.output("event", "send", "DISK_LOW", "--set", "FREE_SIZE=1.5 GB", "--id", "pbx-1")
            with acme.running("worker", until="worker_started", **opened) as worker:
                deadline = time.monotonic() + DEADLINE_S
                while not mailbox.mails and time.monotonic() < deadline:
                    await asyncio.sleep(0.02)
                assert worker.stop(signal.SIGTERM) == 0
            assert [mail.recipient for mail in mailbox.mails] == ["operations@acme.example.com"]
            assert "1.5 GB" in mailbox.mails[0].message.as_string()

    asyncio.run(journey())

    (delivery,) = json.loads(acme.output("delivery", "list", "--json"))
    assert delivery["state"] == "sent"
    story = json.loads(acme.output("delivery", "show", delivery["id"], "--json"))
    assert (story["event"], [attempt["verdict"] for attempt in story["all_attempts"]]) == ("pbx-1", ["sent"])


def test_a_delivery_that_is_tried_again_by_hand_is_shown_as_the_api_shows_it(acme: Machine) -> None:
    headers = {"Authorization": f"Bearer {acme.output('token', 'create').strip()}"}
    with acme.serving(RINGPOST_WORKERS="0", RINGPOST_ALLOWED_MAIL_NETWORKS="127.0.0.0/8") as api:
        with httpx.Client(base_url=api.match[1], headers=headers, timeout=30) as client:
            client.post("/tenant/notification", json=mail_settings(2525)).raise_for_status()
            acme.output("event", "send", "DISK_LOW", "--set", "FREE_SIZE=1.5 GB", "--id", "pbx-1")
            (delivery,) = json.loads(acme.output("delivery", "list", "--json"))
            acme.output("delivery", "retry", delivery["id"])

            shown = client.get(f"/deliveries/{delivery['id']}").json()
        assert api.stop(signal.SIGTERM) == 0
    story = json.loads(acme.output("delivery", "show", delivery["id"], "--json"))
    assert story == {name: value for name, value in shown.items() if name != "last_attempt"}
    assert story["due_at"] == story["created_at"], "not in 1970"


def test_an_event_that_tells_nobody_says_why(acme: Machine) -> None:
    done = acme.run("event", "send", "DISK_LOW", "--tenant", "acme.example.com")

    assert (done.returncode, done.stdout) == (0, "")
    assert "NO_RECIPIENTS" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_makes_what_it_needs_and_stops_gently(machine: Machine, number: signal.Signals) -> None:
    with machine.serving() as api:
        assert httpx.get(f"{api.match[1]}/readyz", timeout=30).status_code == 200
        assert api.stop(number) == 0
        log = api.log.read_text()

    data = machine.folder / "data"
    assert {"ringpost.db", "keys"} <= {path.name for path in data.iterdir()}
    assert (data.stat().st_mode & 0o777, (data / "keys").stat().st_mode & 0o777) == (0o700, 0o600)
    assert "Made the database" in log
    assert "ringpost tenant create" in log


def test_a_request_in_hand_is_answered_before_serve_stops(acme: Machine) -> None:
    token = acme.output("token", "create").strip()
    with acme.serving() as api:
        host, port = api.match[1].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
            body = b'{"type": "DISK_LOW"}'
            head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # it is in hand now
            api.process.send_signal(signal.SIGTERM)
            wait_for_line(api.process, api.log, "stopping")
            connection.sendall(body)
            with connection.makefile("rb") as stream:
                answer = stream.read()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert api.process.wait(DEADLINE_S) == 0


def test_a_second_signal_quits_at_once(acme: Machine) -> None:
    token = acme.output("token", "create").strip()
    with acme.serving() as api:
        host, port = api.match[1].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as connection:
            head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # the rest never comes, so it would wait
            api.process.send_signal(signal.SIGTERM)
            wait_for_line(api.process, api.log, "stopping")

            assert api.stop(signal.SIGTERM) == -signal.SIGTERM


def test_config_show_masks_secrets_and_reads_the_env_file(machine: Machine) -> None:
    (machine.folder / ".env").write_text(f"RINGPOST_ADMIN_TOKEN=canary-token-{'x' * 32}\nRINGPOST_PORT=9025\n")

    shown = {row["setting"]: row for row in json.loads(machine.output("config", "show", "--json"))}

    assert shown["RINGPOST_ADMIN_TOKEN"]["value"] == "***"
    assert (shown["RINGPOST_PORT"]["value"], shown["RINGPOST_PORT"]["from"]) == (9025, "set")
    assert shown["RINGPOST_HOST"]["from"] == "default"


def test_config_show_has_a_dash_for_what_is_not_set(machine: Machine) -> None:
    rows = machine.output("config", "show").splitlines()

    assert [re.split(r" {2,}", row.strip()) for row in rows if "EXTRA_MAIL_PORTS" in row] == [
        ["RINGPOST_EXTRA_MAIL_PORTS", "-", "default"]
    ]


def test_the_data_folder_can_be_named_before_and_after_the_command(machine: Machine) -> None:
    machine.output("--data-dir", "elsewhere", "tenant", "create", "acme.example.com")

    listed = json.loads(machine.output("tenant", "list", "--data-dir", "elsewhere", "--json"))

    assert [tenant["domain"] for tenant in listed] == ["acme.example.com"]
    assert not (machine.folder / "data").exists()


def test_a_disabled_tenant_sends_nothing(acme: Machine) -> None:
    acme.output("tenant", "disable", "acme.example.com")

    sent = json.loads(acme.output("event", "send", "DISK_LOW", "--json"))

    assert sent["skipped"] == "TENANT_DISABLED"


def test_the_deliveries_of_an_event_sent_by_command_have_the_names_of_the_api(acme: Machine) -> None:
    (acme.folder / "saved.eml").write_text("Subject: x\n\nx\n")

    sent = json.loads(
        acme.output(
            "event", "send", "EMERGENCY_CALL", "--to", "jane@example.com", "--attach", str(acme.folder / "saved.eml"),
            "--json",
        )
    )  # fmt: skip

    assert [delivery.keys() for delivery in sent["deliveries"]] == [{"id", "recipient"}]


def test_keys_are_changed_in_three_steps(acme: Machine) -> None:
    key_file = acme.folder / "data" / "keys"
    before = key_file.read_text()
    if os.geteuid() == 0:
        os.chown(key_file, 65534, 65534)  # as where root changes the keys of the service's user
    owner = key_file.stat().st_uid
    for command in ("rotate", "reseal", "retire"):
        acme.output("keys", command)

    assert len(key_file.read_text().splitlines()) == 1
    assert key_file.read_text() != before
    assert (key_file.stat().st_uid, key_file.stat().st_mode & 0o777) == (owner, 0o600)


def test_keys_from_the_environment_are_added_at_the_end_before_they_seal(acme: Machine) -> None:
    (line,) = (acme.folder / "data" / "keys").read_text().splitlines()

    done = acme.run("keys", "rotate", RINGPOST_KEYS=line)

    assert done.returncode == 78
    assert "at the end and restart all processes; then move it to the front" in " ".join(done.stderr.split())


def test_migrate_can_be_run_again(machine: Machine) -> None:
    assert machine.output("migrate") == machine.output("migrate")


def test_the_first_tenant_makes_the_database_and_says_so(machine: Machine) -> None:
    done = machine.run("tenant", "create", "acme.example.com")

    assert done.returncode == 0
    assert f"Made the database: {machine.folder / 'data' / 'ringpost.db'}" in done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://jane:canary/p@ss@db/x", "postgresql://jane:***@db/x"),
        ("postgresql://db/x?user=a&password=canary&b=c", "postgresql://db/x?user=a&password=***&b=c"),
        ("sqlite:////var/lib/a:b/ringpost.db", "sqlite:////var/lib/a:b/ringpost.db"),
    ],
)
def test_config_show_masks_the_password_of_the_database(machine: Machine, url: str, shown: str) -> None:
    rows = json.loads(machine.output("config", "show", "--json", RINGPOST_DATABASE_URL=url))

    assert [row["value"] for row in rows if row["setting"] == "RINGPOST_DATABASE_URL"] == [shown]
