"""The command line as a person or a script meets it: real processes, their output and exit codes."""

import asyncio
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaos.disks import small_disk
from tests.closing import end
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine, wait_for_line
from tests.left_out import left_out

from ringpost.demo.mailbox import Mailbox, open_mail_server

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def acme(machine: Machine) -> Machine:
    """A machine with one tenant."""
    machine.output("tenant", "create", "acme.example.com", "--name", "Acme")
    return machine


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
    assert (story["event"], [attempt["verdict"] for attempt in story["attempts"]]) == ("pbx-1", ["sent"])


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


def test_a_port_that_is_taken_is_said_plainly(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = machine.run("serve", "--port", str(port))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ringpost: Cannot listen on 127.0.0.1 port {port}: Address already in use"


@pytest.mark.parametrize(
    ("arguments", "env", "code", "said"),
    [
        (["tenant", "show", "nobody.example.com"], {}, 1, "There is no database in "),
        (["user", "create", "anna", "--password-stdin"], {}, 1, "There is no database in "),
        (["keys", "rotate"], {}, 1, "There is no database in "),
        (["tenant", "create", "no domain"], {}, 1, "domain"),
        (["event", "send", "NOT_A_TYPE"], {}, 2, "NOT_A_TYPE"),
        (["event", "send", "DISK_LOW", "--set", "FREE_SIZE"], {}, 2, "NAME=VALUE"),
        (["frobnicate"], {}, 2, "frobnicate"),
        (["tenant", "list"], {"RINGPOST_PORT": "many"}, 78, "RINGPOST_PORT"),
        (["tenant", "list"], {"RINGPOST_DATABASE_URL": "mysql://localhost"}, 78, "RINGPOST_DATABASE_URL"),
        (["migrate"], {"RINGPOST_KEYS": "secret-that-is-no-key"}, 78, "RINGPOST_KEYS: Every key is"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key"}, 78, "RINGPOST_ADMIN_TOKEN"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key" * 30}, 78, "secrets.token_urlsafe(32)"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key with blanks"}, 78, "RINGPOST_ADMIN_TOKEN"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key" + "\u00fc" * 20}, 78, "ASCII"),
        (["tenant", "list"], {"RINGPOST_EHLO_NAME": "localhost"}, 78, "RINGPOST_EHLO_NAME"),
        (["tenant", "list"], {"RINGPOST_EHLO_NAME": "LocalHost.localdomain."}, 78, "RINGPOST_EHLO_NAME"),
        (["tenant", "list"], {"RINGPOST_MAIL_CA_FILE": "nowhere.pem"}, 78, "RINGPOST_MAIL_CA_FILE: nowhere.pem"),
        (["tenant", "list"], {"RINGPOST_MAIL_CA_FILE": "/dev/null"}, 78, "RINGPOST_MAIL_CA_FILE: /dev/null"),
        (["tenant", "list"], {"RINGPOST_DATABASE_URL": "sqlite:////dev/null"}, 75, "sqlite:////dev/null"),
        (["tenant", "list"], {"RINGPOST_DATABASE_URL": "sqlite:////dev"}, 75, "sqlite:////dev (RINGPOST_DATABASE_URL)"),
        (
            ["tenant", "list"],
            {"RINGPOST_DATABASE_URL": "postgresql://ringpost:secret-that-is-no-key@127.0.0.1:1/ringpost"},
            75,
            "postgresql://ringpost:***@127.0.0.1:1/ringpost (RINGPOST_DATABASE_URL)",
        ),
        (["migrate"], {"RINGPOST_DATA_DIR": "/dev/null"}, 78, "/dev/null is a file, and a folder is needed there"),
    ],
    ids=str,
)
def test_failures_have_one_sentence_and_their_exit_code(
    machine: Machine, arguments: list[str], env: dict[str, str], code: int, said: str
) -> None:
    done = machine.run(*arguments, **env)

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert "secret-that-is-no-key" not in done.stderr


def test_a_database_of_a_newer_version_is_said_to_be_one(machine: Machine) -> None:
    machine.output("migrate")
    with closing(sqlite3.connect(machine.folder / "data" / "ringpost.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()

    for command in (["serve", "--port", "0"], ["status"], ["migrate"]):
        done = machine.run(*command)
        assert done.returncode == 78, "starting again does not help"
        assert "made by a newer version of Ringpost" in done.stderr
        assert "ringpost.db (the data folder)" in done.stderr


def test_a_key_file_that_holds_no_keys_is_named(machine: Machine) -> None:
    machine.output("migrate")
    keys = machine.folder / "data" / "keys"
    for content in ("", "no keys", "first:no-base64"):
        keys.write_text(content)
        done = machine.run("tenant", "list")
        assert (done.returncode, done.stdout) == (78, "")
        assert f"ringpost: {keys}: " in done.stderr


def test_a_full_disk_at_the_start_is_said_to_be_full(machine: Machine) -> None:
    try:
        with small_disk(8) as disk:
            made, new = str(disk.folder / "made"), str(disk.folder / "new")
            machine.output("migrate", RINGPOST_DATA_DIR=made)
            disk.fill()
            for folder in (made, new):
                done = machine.run("serve", "--port", "0", RINGPOST_DATA_DIR=folder)
                assert done.returncode == 75, "with room again, starting again helps"
                assert f"There is no room left on the disk of {folder}" in done.stderr
    except PermissionError:
        left_out("a full disk, because only root may mount a small one")


def test_config_show_masks_secrets_and_reads_the_env_file(machine: Machine) -> None:
    (machine.folder / ".env").write_text(f"RINGPOST_ADMIN_TOKEN=canary-token-{'x' * 32}\nRINGPOST_PORT=9025\n")

    shown = {row["setting"]: row for row in json.loads(machine.output("config", "show", "--json"))}

    assert shown["RINGPOST_ADMIN_TOKEN"]["value"] == "***"
    assert (shown["RINGPOST_PORT"]["value"], shown["RINGPOST_PORT"]["from"]) == (9025, "set")
    assert shown["RINGPOST_HOST"]["from"] == "default"


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


def test_a_password_comes_from_stdin_and_logs_in(acme: Machine) -> None:
    acme.output("user", "create", "anna", "--password-stdin", stdin="a long enough password\n")

    with acme.serving() as api:
        login = {"username": "anna", "password": "a long enough password", "domain": "acme.example.com"}
        assert httpx.post(f"{api.match[1]}/login", json=login, timeout=30).status_code == 200


def test_keys_are_changed_in_three_steps(acme: Machine) -> None:
    key_file = acme.folder / "data" / "keys"
    before = key_file.read_text()
    for command in ("rotate", "reseal", "retire"):
        acme.output("keys", command)

    assert len(key_file.read_text().splitlines()) == 1
    assert key_file.read_text() != before


def test_a_backup_is_made_as_the_docs_say_while_it_runs_and_can_be_restored(acme: Machine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    command = page.partition("## Backup")[2].partition("```sh\n")[2].partition("```")[0]
    there, here = acme.folder / "restored", acme.folder / "data"
    there.mkdir()
    for named, meant in (
        ("/opt/ringpost/bin/python", sys.executable),
        ("/var/lib/ringpost/", f"{here}/"),
        ("/backup/", f"{there}/"),
        ("/elsewhere/", f"{there}/"),
    ):
        assert named in command
        command = command.replace(named, meant)
    with acme.serving():
        acme.output("tenant", "create", "written-last.example.com")
        subprocess.run(["sh", "-ec", command], check=True, timeout=DEADLINE_S)

    assert acme.output("tenant", "list", "--data-dir", str(there)) == acme.output("tenant", "list")


def test_a_reader_that_goes_away_is_no_fault(acme: Machine) -> None:
    command = subprocess.Popen(
        [*RINGPOST, "tenant", "list", "--json"], env=acme.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout
    assert command.stderr
    command.stdout.close()

    assert command.stderr.read() == b""
    command.stderr.close()
    command.wait(DEADLINE_S)


def test_tables_have_no_colours_in_a_pipe(acme: Machine) -> None:
    assert "\x1b" not in acme.output("tenant", "list")


def test_migrate_can_be_run_again(machine: Machine) -> None:
    assert machine.output("migrate") == machine.output("migrate")


def test_a_command_that_finds_no_database_makes_nothing(machine: Machine) -> None:
    assert machine.run("tenant", "list").returncode == 1

    assert not (machine.folder / "data").exists()


def test_the_first_tenant_makes_the_database_and_says_so(machine: Machine) -> None:
    done = machine.run("tenant", "create", "acme.example.com")

    assert done.returncode == 0
    assert f"Made the database: {machine.folder / 'data' / 'ringpost.db'}" in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_an_unknown_tenant_is_said_plainly(acme: Machine) -> None:
    done = acme.run("tenant", "show", "nobody.example.com")

    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no tenant nobody.example.com" in done.stderr


def test_an_env_file_in_another_encoding_is_said_plainly(machine: Machine) -> None:
    (machine.folder / ".env").write_bytes("RINGPOST_HOST=b\u00fcro".encode("latin-1"))

    done = machine.run("config", "show")

    assert done.returncode == 78
    assert ".env is not UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_are_not_known_are_warned_of(machine: Machine) -> None:
    (machine.folder / ".env").write_text("RINGPOST_LOG_LEVLE=secret-value\n")

    done = machine.run("config", "show", RINGPOST_PROT="9000")

    assert done.returncode == 0
    warnings = [json.loads(line) for line in done.stderr.splitlines()]
    found = [(warning["event"], warning["name"], warning["nearest"]) for warning in warnings]
    assert found == [
        ("unknown_setting", "RINGPOST_LOG_LEVLE", "RINGPOST_LOG_LEVEL"),
        ("unknown_setting", "RINGPOST_PROT", "RINGPOST_PORT"),
    ]
    assert "secret-value" not in done.stdout + done.stderr


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
