"""What a command prints, and where that goes: what is made must be known of although it cannot be told."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine

pytestmark = pytest.mark.timeout(180)


def into(target: int, machine: Machine, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run a command with its output there; the exit code, and what it said beside it."""
    done = subprocess.run(
        [*RINGPOST, *arguments], cwd=machine.folder, env=machine.env, input=stdin, text=True,
        stdout=target, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


def into_a_full_disk(machine: Machine, *arguments: str, stdin: str = "") -> tuple[int, str]:
    with Path("/dev/full").open("wb") as full:
        return into(full.fileno(), machine, *arguments, stdin=stdin)


def into_a_closed_pipe(machine: Machine, *arguments: str) -> tuple[int, str]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return into(writing, machine, *arguments)
    finally:
        os.close(writing)


UNWRITTEN = "ringpost: The output could not be written: No space left on device."


def test_a_tenant_whose_id_cannot_be_written_is_said_to_be_made(acme: Machine) -> None:
    code, said = into_a_full_disk(acme, "tenant", "create", "x.example.com")

    made = json.loads(acme.output("tenant", "show", "x.example.com", "--json"))
    assert (code, said) == (1, f"{UNWRITTEN} The tenant x.example.com was made all the same; its id is {made['id']}.\n")


def test_a_user_whose_id_cannot_be_written_is_said_to_be_made(acme: Machine) -> None:
    create = ("user", "create", "anna", "--password-stdin")

    code, said = into_a_full_disk(acme, *create, stdin="a long enough password\n")

    assert code == 1
    assert f"{UNWRITTEN} The user anna was made all the same; the id is " in said
    assert "There is a user anna already" in acme.run(*create, stdin="a long enough password\n").stderr


@pytest.mark.parametrize("nowhere", [into_a_full_disk, into_a_closed_pipe])
def test_a_token_that_nobody_has_is_said_to_be_made_and_can_be_revoked_as_told(
    acme: Machine, nowhere: Callable[..., tuple[int, str]]
) -> None:
    code, said = nowhere(acme, "token", "create", "--tenant", "acme.example.com")

    assert code == 1
    assert "The output could not be written: " in said
    told = re.search(r"nobody has it\. Revoke it: ringpost (token revoke .+)\n", said)
    assert told, said
    acme.output(*told[1].split())
    assert [token["state"] for token in json.loads(acme.output("token", "list", "--json"))] == ["revoked"]


def test_an_invitation_that_nobody_has_is_said_to_be_made(acme: Machine) -> None:
    assert (
        "anna was invited all the same, by a link that nobody has."
        in into_a_closed_pipe(acme, "user", "invite", "anna")[1]
    )


def test_an_event_that_cannot_be_told_of_is_said_to_be_accepted_and_can_be_sent_again_once(acme: Machine) -> None:
    code, said = into_a_full_disk(acme, "event", "send", "DISK_LOW", "--json")

    (event,) = json.loads(acme.output("event", "list", "--json"))
    assert code == 1
    assert f"{UNWRITTEN} Event {event['id']} was accepted all the same" in said
    acme.output("event", "send", "DISK_LOW", "--id", event["id"])
    assert len(json.loads(acme.output("event", "list", "--json"))) == 1


def test_an_import_that_cannot_be_told_of_is_said_to_be_done_and_a_dry_run_is_not(acme: Machine) -> None:
    template = {"subject": "Full", "body": "<p>Full</p>"}
    (acme.folder / "acme.json").write_text(
        json.dumps({"format": "ringpost-tenant", "version": 1, "templates": {"DISK_LOW": template}})
    )

    assert into_a_closed_pipe(acme, "tenant", "import", "acme.json", "--dry-run") == (1, "")
    code, said = into_a_closed_pipe(acme, "tenant", "import", "acme.json")

    assert code == 1
    assert "The file was imported all the same." in said
    assert "Nothing differs." in acme.run("tenant", "import", "acme.json").stderr


@pytest.mark.parametrize(
    "command", [["tenant", "list"], ["tenant", "list", "--json"], ["status"], ["--help"], ["--version"]], ids=str
)
def test_what_only_shows_says_that_it_could_not(acme: Machine, command: list[str]) -> None:
    assert into_a_full_disk(acme, *command) == (1, f"{UNWRITTEN}\n")
    assert into_a_closed_pipe(acme, *command) == (1, "")


def test_an_export_names_the_file_that_could_not_be_written(acme: Machine) -> None:
    done = acme.run("tenant", "export", "--output", "/dev/full")

    assert (done.returncode, done.stderr) == (1, "ringpost: /dev/full could not be written: No space left on device.\n")


def test_with_stdout_closed_the_database_does_not_get_its_place(machine: Machine) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *RINGPOST, "tenant", "create", "acme.example.com"],
        cwd=machine.folder, env=machine.env, text=True, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "The tenant acme.example.com was made all the same" in done.stderr


def test_what_is_done_is_done_also_where_nothing_can_be_said(acme: Machine) -> None:
    for closed in ("2>&-", "2>/dev/full"):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *RINGPOST, "event", "send", "DISK_LOW"],
            cwd=acme.folder, env=acme.env, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "M\u00fcller \u65e5\u672c \U0001f4ee"),
        ("latin-1", "M\u00fcller \\u65e5\\u672c \\U0001f4ee"),
        ("ascii", r"M\xfcller \u65e5\u672c \U0001f4ee"),
    ],
)
def test_what_the_encoding_does_not_have_is_escaped(acme: Machine, encoding: str, shown: str) -> None:
    name = "M\u00fcller \u65e5\u672c \U0001f4ee"
    acme.output("tenant", "create", "mueller.example.com", "--name", name)

    def run(*arguments: str) -> tuple[str, str]:
        done = subprocess.run(
            [*RINGPOST, *arguments], cwd=acme.folder, env={**acme.env, "PYTHONIOENCODING": encoding},
            capture_output=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        return done.stdout.decode(encoding), done.stderr.decode(encoding)

    acme_row, mueller_row = run("tenant", "list")[0].splitlines()[3:5]
    listed = json.loads(run("tenant", "list", "--json")[0])

    assert shown in mueller_row
    assert mueller_row.index("yes") == acme_row.index("yes") + len(shown) - wide(shown)
    assert [tenant["name"] for tenant in listed] == ["Acme", name]
    assert f"There is no tenant {shown}. " in run("tenant", "show", name)[1]


def wide(text: str) -> int:
    """The columns that a terminal needs for it."""
    return sum(2 if east_asian_width(character) == "W" else 1 for character in text)


@pytest.mark.parametrize("command", [[], ["tenant"], ["event", "list"]], ids=str)
def test_help_shows_flags_without_a_value(machine: Machine, command: list[str]) -> None:
    shown = machine.output(*command, "--help")

    assert re.search(r"--help +Show this message and exit\.", shown)
    assert "<bool>" not in shown


def test_help_shows_what_options_are_by_default(machine: Machine) -> None:
    assert "[default: it does not expire]" in machine.output("token", "create", "--help")
    assert "[default: 127.0.0.1]" in machine.output("serve", "--help")
    assert "[default: 50]" in machine.output("event", "list", "--help")


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
