"""Moving a tenant by command, from one machine to another; and the commands of the system level's events."""

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine

pytestmark = pytest.mark.timeout(300)

FILE: dict[str, Any] = {
    "format": "ringpost-tenant",
    "version": 1,
    "settings": {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "port": 587},
    "templates": {"DISK_LOW": {"subject": "Voll \u2013 %%FREE_SIZE%%", "body": ["<p>", "%%FREE_SIZE%%</p>"]}},
}


@pytest.fixture
def staging(tmp_path: Path) -> Machine:
    """A machine with one tenant."""
    return machine_with(tmp_path / "staging", "staging.example.com")


def machine_with(folder: Path, tenant: str) -> Machine:
    folder.mkdir()
    machine = Machine(folder)
    machine.output("tenant", "create", tenant)
    return machine


def test_a_tenant_moves_from_staging_to_production(staging: Machine, tmp_path: Path) -> None:
    production = machine_with(tmp_path / "production", "acme.example.com")
    staging.output("tenant", "import", "-", stdin=json.dumps(FILE))

    exported = staging.run("tenant", "export", "--output", str(tmp_path / "acme.json"))
    before = production.output("tenant", "export")
    tried = production.run("tenant", "import", str(tmp_path / "acme.json"), "--dry-run")
    untouched = production.output("tenant", "export")
    done = production.run("tenant", "import", str(tmp_path / "acme.json"), "--json")

    text = (tmp_path / "acme.json").read_text("utf-8")
    assert "Left out" in exported.stderr
    assert "settings.password" in exported.stderr
    assert "Voll \u2013 %%FREE_SIZE%%" in text
    assert "settings.port" in tried.stdout
    assert "templates.DISK_LOW.body, line 1" in tried.stdout
    assert "dry run" in tried.stderr
    assert untouched == before
    assert json.loads(done.stdout)["enter_again"][0]["field"] == "settings.password"
    assert json.loads(production.output("tenant", "export")) == json.loads(text)
    assert "Nothing differs." in production.run("tenant", "import", str(tmp_path / "acme.json")).stderr


def test_a_file_that_will_not_do_is_refused_in_a_sentence(staging: Machine, tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(b" " * ((16 << 20) + 1))
    wrong = {**FILE, "settings": {**FILE["settings"], "port": -1}}
    tries = {
        "The file is empty": staging.run("tenant", "import", "-"),
        "same key twice": staging.run("tenant", "import", "-", stdin='{"format": 1, "format": 1}'),
        "settings.port: ": staging.run("tenant", "import", "-", stdin=json.dumps(wrong)),
        "the system level": staging.run("tenant", "import", "-", stdin='{"format": "ringpost-system", "version": 1}'),
        "larger than 16 MiB": staging.run("tenant", "import", str(tmp_path / "large.json")),
        "nothing.json: No such file": staging.run("tenant", "import", "nothing.json"),
    }

    for words, done in tries.items():
        assert done.returncode == 1, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_what_a_file_says_does_not_reach_into_the_terminal(staging: Machine) -> None:
    evil = "\x1b[2J\a\x9b31m\u202e"
    strange = {**FILE, evil: 1, "templates": {evil: {}, "DISK_LOW": {evil: 1}}}

    refused = staging.run("tenant", "import", "-", stdin=json.dumps(strange))

    assert refused.returncode == 1
    assert refused.stderr.removesuffix("\n").isprintable()
    assert refused.stderr.count("<U+001B>[2J<U+0007><U+009B>31m<U+202E>: There is no") == 3


def test_a_file_is_fit_for_a_terminal_and_means_the_same(staging: Machine, tmp_path: Path) -> None:
    body = ["<p>\x9b31m\x7f\u202e\U000e0041", "Gr\u00fc\u00dfe \u4f8b \U0001f4de</p>"]
    staging.output("tenant", "import", "-", stdin=json.dumps({**FILE, "templates": {"DISK_LOW": {"body": body}}}))

    shown = staging.output("tenant", "export")
    staging.output("tenant", "export", "--output", str(tmp_path / "acme.json"))

    assert all(line.isprintable() for line in shown.splitlines())
    assert r"<p>\u009b31m\u007f\u202e\udb40\udc41" in shown
    assert "Gr\u00fc\u00dfe \u4f8b \U0001f4de</p>" in shown
    assert json.loads(shown)["templates"]["DISK_LOW"]["body"] == body
    assert (tmp_path / "acme.json").read_text("utf-8").strip() == shown.strip()


def test_a_disabled_tenant_can_be_enabled_again(staging: Machine) -> None:
    staging.output("tenant", "disable", "staging.example.com")
    disabled = json.loads(staging.output("tenant", "show", "staging.example.com", "--json"))
    staging.output("tenant", "enable", "staging.example.com")
    enabled = json.loads(staging.output("tenant", "show", "staging.example.com", "--json"))

    assert (disabled["enabled"], enabled) == (False, {**disabled, "enabled": True})


def test_events_of_the_system_level_are_sent_listed_and_shown(staging: Machine) -> None:
    told = {
        "format": "ringpost-system",
        "version": 1,
        "settings": {
            **FILE["settings"], "auth": "DISABLE", "recipients": "ops@example.com", "notify_ip_blocked": True,
        },
    }  # fmt: skip
    staging.output("tenant", "import", "-", "--system", stdin=json.dumps(told))
    sent = ("event", "send", "IP_BLOCKED", "--system", "--id", "b-1", "--set", "BLOCKED_IP=203.0.113.77")

    receipt = json.loads(staging.output(*sent, "--json"))
    [listed] = json.loads(staging.output("event", "list", "--system", "--json"))
    story = json.loads(staging.output("event", "show", "b-1", "--system", "--json"))
    [delivery] = json.loads(staging.output("delivery", "list", "--system", "--json"))

    assert [one["recipient"] for one in receipt["deliveries"]] == ["ops@example.com"]
    assert (listed["id"], listed["type"], listed["deliveries"]) == ("b-1", "IP_BLOCKED", 1)
    assert story["deliveries"] == receipt["deliveries"]
    assert delivery["id"] == receipt["deliveries"][0]["id"]
    assert json.loads(staging.output("event", "list", "--json")) == []
    assert staging.run("event", "show", "b-1").returncode == 1
    for command in (["event", "list"], ["doctor"], ["token", "list"], ["user", "invite", "anna"]):
        assert staging.run(*command, "--system", "--tenant", "staging.example.com").returncode == 2


def test_an_export_that_fails_leaves_the_file_of_before(staging: Machine, tmp_path: Path) -> None:
    file, link = tmp_path / "elsewhere" / "acme.json", tmp_path / "acme.json"
    file.parent.mkdir()
    file.write_text("of before")
    file.chmod(0o640)
    link.symlink_to(file)
    export = [*RINGPOST, "tenant", "export", "--output", str(link)]
    large = {**FILE, "templates": {"DISK_LOW": {"body": "x" * 200_000}}}
    staging.output("tenant", "import", "-", stdin=json.dumps(large))

    failed = subprocess.run(
        ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *export],
        cwd=staging.folder, env=staging.env, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    left = file.read_text()
    staging.output("tenant", "export", "--output", str(link))

    assert (failed.returncode, left) == (1, "of before")
    assert f"{link} could not be written: File too large." in failed.stderr
    assert link.is_symlink()
    assert file.read_text() == staging.output("tenant", "export")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [one.name for one in file.parent.iterdir()] == ["acme.json"]
