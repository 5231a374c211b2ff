"""What the command line says when something is wrong: one sentence, an exit code, and nothing secret."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from chaos.disks import small_disk
from tests.journeys.machine import DEADLINE_S, Machine
from tests.left_out import left_out
from tests.postgresql import PostgresServer

pytestmark = pytest.mark.timeout(180)


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
        (["worker"], {}, 75, "There is no database in "),
        (["tenant", "create", "no domain"], {}, 1, "domain"),
        (["event", "send", "NOT_A_TYPE"], {}, 2, "NOT_A_TYPE"),
        (["event", "send", "DISK_LOW", "--set", "FREE_SIZE"], {}, 2, "NAME=VALUE"),
        (["event", "send", "DISK_LOW", "--set", "=1 GB"], {}, 2, "'=1 GB' is not NAME=VALUE."),
        (["token", "create", "--scope", "zzz"], {}, 2, "'--scope': 'zzz' is none of events:write, settings, admin."),
        (["delivery", "list", "--state", "nope"], {}, 2, "'--state': 'nope' is none of queued, sending, sent, "),
        (["user", "invite", "anna", "--role", "nope"], {}, 2, "'--role': 'nope' is none of system_admin, tenant_admin"),
        (["frobnicate"], {}, 2, "frobnicate"),
        (["tenant", "list"], {"RINGPOST_PORT": "many"}, 78, "RINGPOST_PORT: this must be a whole number"),
        (["tenant", "list"], {"RINGPOST_ALLOW_CLEAR_LOGIN": "maybe"}, 78, "CLEAR_LOGIN: this must be true or false"),
        (["event", "list", "--top", "many"], {}, 2, "'many' is no whole number from 1 to 10000"),
        (["serve", "--port", "65536"], {}, 2, "'65536' is no whole number from 0 to 65535"),
        (["tenant", "list"], {"RINGPOST_DATABASE_URL": "mysql://localhost"}, 78, "RINGPOST_DATABASE_URL"),
        (["migrate"], {"RINGPOST_KEYS": "secret-that-is-no-key"}, 78, "RINGPOST_KEYS: Every key is"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key"}, 78, "RINGPOST_ADMIN_TOKEN"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key" * 30}, 78, "secrets.token_urlsafe(32)"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key with blanks"}, 78, "RINGPOST_ADMIN_TOKEN"),
        (["tenant", "list"], {"RINGPOST_ADMIN_TOKEN": "secret-that-is-no-key" + "\u00fc" * 20}, 78, "ASCII"),
        (["tenant", "list"], {"RINGPOST_EHLO_NAME": "localhost"}, 78, "RINGPOST_EHLO_NAME"),
        (["tenant", "list"], {"RINGPOST_EHLO_NAME": "LocalHost.localdomain."}, 78, "RINGPOST_EHLO_NAME"),
        (["tenant", "list"], {"RINGPOST_EHLO_NAME": "[300.1.1.1]"}, 78, "RINGPOST_EHLO_NAME: this must be a host name"),
        (["config", "show"], {"RINGPOST_EHLO_NAME": "secret-that-is-no-key name"}, 78, "RINGPOST_EHLO_NAME"),
        (["config", "show"], {"RINGPOST_TRUSTED_PROXIES": "10.0.0.1, secret-that-is-no-key"}, 78, "or * alone"),
        (["config", "show"], {"RINGPOST_TRUSTED_PROXIES": "10.0.0.1/8"}, 78, "RINGPOST_TRUSTED_PROXIES"),
        (
            ["config", "show"],
            {"RINGPOST_KEYS": "first:secret-that-is-no-key"},
            78,
            "KEYS: A key is not base64",
        ),
        (
            ["config", "show"],
            {"RINGPOST_DATABASE_URL": "/secret-that-is-no-key"},
            78,
            "DATABASE_URL: this must",
        ),
        (["config", "show"], {"RINGPOST_PBX_WEB_DOMAIN": "https://pbx.example.com/"}, 78, "RINGPOST_PBX_WEB_DOMAIN"),
        (["config", "show"], {"RINGPOST_PBX_WEB_DOMAIN": "pbx.example.com:0"}, 78, "RINGPOST_PBX_WEB_DOMAIN"),
        (["config", "show"], {"RINGPOST_MACHINE_NAME": "rack 7"}, 78, "RINGPOST_MACHINE_NAME"),
        (
            ["config", "show"],
            {"RINGPOST_GMAIL_API_URL": "https://api.example.com:x"},
            78,
            "must be an https:// address",
        ),
        (["config", "show"], {"RINGPOST_GMAIL_API_URL": "https://[::1"}, 78, "must be an https:// address"),
        (["config", "show"], {"RINGPOST_GOOGLE_SMTP_HOST": "a.example.com:1:2"}, 78, "this must be a host and a port"),
        (["serve"], {"RINGPOST_HOST": "nowhere.invalid"}, 1, "Cannot listen on nowhere.invalid (RINGPOST_HOST): "),
        (["serve"], {"RINGPOST_HOST": "192.0.2.1"}, 1, "Cannot listen on 192.0.2.1 (RINGPOST_HOST): "),
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
        (
            ["tenant", "list"],
            {"RINGPOST_DATABASE_URL": "postgresql://127.0.0.1:1/ringpost?sslpassword=secret-that-is-no-key&user=me"},
            75,
            "postgresql://127.0.0.1:1/ringpost?sslpassword=***&user=me (RINGPOST_DATABASE_URL)",
        ),
        (["--data-dir", "", "migrate"], {}, 2, "this must name a folder"),
        (["migrate", "--data-dir", ""], {}, 2, "this must name a folder"),
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

    for command in (["serve", "--port", "0"], ["status"], ["migrate"], ["keys", "rotate"]):
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


def test_keys_of_another_database_are_refused_also_when_both_are_empty(machine: Machine) -> None:
    machine.output("migrate")
    keys = machine.folder / "data" / "keys"
    keys.unlink()

    for command in (["serve", "--port", "0"], ["keys", "rotate"]):
        done = machine.run(*command)
        assert done.returncode == 78
        assert f"{keys} is missing. The keys do not belong to this database" in done.stderr
        assert not keys.exists(), "it would be in the way of the right one"


def test_a_full_disk_at_the_start_is_said_to_be_full(machine: Machine) -> None:
    try:
        with small_disk(8) as disk:
            made, new, killed = (str(disk.folder / name) for name in ("made", "new", "killed"))
            machine.output("migrate", RINGPOST_DATA_DIR=made)
            with machine.serving(RINGPOST_DATA_DIR=killed) as api:  # leaves a log, so that it can be opened again
                api.stop(signal.SIGKILL)
            disk.fill()
            for folder in (made, new, killed):
                done = machine.run("serve", "--port", "0", RINGPOST_DATA_DIR=folder)
                assert done.returncode == 75, "with room again, starting again helps"
                assert f"There is no room left on the disk of {folder}" in done.stderr
    except PermissionError:
        left_out("a full disk, because only root may mount a small one")


@pytest.mark.parametrize(("command", "code"), [(["tenant", "list"], 1), (["worker"], 75)], ids=str)
def test_a_command_that_finds_no_database_makes_nothing(machine: Machine, command: list[str], code: int) -> None:
    assert machine.run(*command).returncode == code

    assert not (machine.folder / "data").exists()


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["migrate"], ["tenant", "list"]], ids=str)
def test_what_does_not_reach_its_database_makes_nothing(machine: Machine, command: list[str]) -> None:
    done = machine.run(*command, RINGPOST_DATABASE_URL="postgresql://ringpost@127.0.0.1:1/ringpost")

    assert done.returncode == 75
    assert not (machine.folder / "data").exists()


NOWHERE = [
    "", "nope", "mail.example.com:8025", "ftp://mail.example.com", "https:///", "https://mail.example.com//",
    "https://mail.example.com/console", "https://mail.example.com/?", "https://mail.example.com#",
    "https://anna@mail.example.com", "https://mail.example.com:0", "https://mail.example.com:x", "https://a b",
    "https://mail.example.com\n", "https://[::1", "https://127.1",
]  # fmt: skip


def test_an_invitation_to_nowhere_is_not_made(acme: Machine) -> None:
    for url in NOWHERE:
        done = acme.run("user", "invite", "anna", "--url", url)
        assert (done.returncode, done.stdout) == (2, ""), url
        assert "is not where people reach Ringpost" in " ".join(done.stderr.split())

    with closing(sqlite3.connect(acme.folder / "data" / "ringpost.db")) as database:
        assert database.execute("SELECT * FROM invitations").fetchall() == []


def test_a_wrong_name_of_a_variable_is_said_plainly(acme: Machine) -> None:
    done = acme.run("event", "send", "DISK_LOW", "--set", "free-size=1 GB")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ringpost: variables.free-size: a name has capital letters, ")


def test_what_is_typed_and_is_no_text_is_said_plainly(acme: Machine) -> None:
    file = os.fsdecode(os.fsencode(acme.folder) + b"/\xff.wav")
    Path(file).write_bytes(b"RIFF")
    tries = {
        "variables.FREE_SIZE": acme.run("event", "send", "DISK_LOW", "--set", os.fsdecode(b"FREE_SIZE=\xff")),
        "attachments[0].filename": acme.run("event", "send", "DISK_LOW", "--attach", file),
    }

    for where, done in tries.items():
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"ringpost: {where}: There is a character in it that no mail can hold")


@pytest.mark.parametrize("command", [("tenant", "show"), ("delivery", "show", "--tenant", "acme.example.com")])
def test_a_name_that_is_no_text_is_said_plainly(acme: Machine, command: tuple[str, ...]) -> None:
    done = acme.run(*command, os.fsdecode(b"a\xff"))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": This is no text in UTF-8, so nothing can have that name.\n")


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


def test_a_folder_that_may_not_be_searched_has_no_env_file(machine: Machine) -> None:
    """Such as root's own, where `runuser` starts commands as the service's user."""
    hidden = machine.folder / "hidden"
    hidden.mkdir()
    (hidden / ".env").write_text("RINGPOST_PORT=9001\n")

    done = subprocess.run(
        [sys.executable, "-c", _CONFIG_IN_A_HIDDEN_FOLDER, str(hidden)],
        cwd=machine.folder, env=machine.env, text=True, capture_output=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    hidden.chmod(0o700)

    assert (done.returncode, done.stdout, done.stderr) == (0, "8025\n", "")


_CONFIG_IN_A_HIDDEN_FOLDER = """
import os, sys
from ringpost.cli.opening import load_config

load_config()  # imports what it needs while it may
os.chdir(sys.argv[1])
os.chmod(".", 0)
if os.geteuid() == 0:
    os.setuid(65534)
print(load_config().port)
"""


def test_settings_that_are_not_known_are_warned_of(machine: Machine) -> None:
    (machine.folder / ".env").write_text("RINGPOST_LOG_LEVLE=secret-value\n")

    secrets = machine.folder / "secrets"
    secrets.mkdir()
    (secrets / "ringpost_database_ulr").write_text("secret-value")
    (secrets / "database_password").write_text("secret-value")

    done = machine.run("config", "show", RINGPOST_PROT="9000", RINGPOST_SECRETS_DIR=str(secrets))

    assert done.returncode == 0
    warnings = [json.loads(line) for line in done.stderr.splitlines()]
    found = [(warning["event"], warning["name"], warning["nearest"]) for warning in warnings]
    assert found == [
        ("unknown_setting", "RINGPOST_DATABASE_ULR", "RINGPOST_DATABASE_URL"),
        ("unknown_setting", "RINGPOST_LOG_LEVLE", "RINGPOST_LOG_LEVEL"),
        ("unknown_setting", "RINGPOST_PROT", "RINGPOST_PORT"),
    ]
    assert "secret-value" not in done.stdout + done.stderr


def test_a_command_that_finds_nothing_in_the_database_leaves_it_as_it_is(
    machine: Machine, postgres: PostgresServer
) -> None:
    """What it made there would be sealed with keys that the services do not have."""
    machine.env["RINGPOST_DATABASE_URL"] = postgres.url(name := postgres.new_database())

    for command in (["status"], ["tenant", "list"], ["keys", "rotate"]):
        done = machine.run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"There is nothing of Ringpost in the database yet. The database is {postgres.url(name)}" in done.stderr
    with postgres.connect(name) as connection:
        assert connection.execute("SELECT FROM pg_class WHERE relname = 'tenants'").fetchall() == []

    machine.output("tenant", "create", "acme.example.com")
    assert "acme.example.com" in machine.output("tenant", "list")
