"""People on the command line: made, invited, asked for a password."""

import os
import pty
import signal
import subprocess

import httpx
import pytest
from tests.journeys.machine import DEADLINE_S, RINGPOST, Machine

pytestmark = pytest.mark.timeout(180)


def test_a_password_comes_from_stdin_and_logs_in(acme: Machine) -> None:
    acme.output("user", "create", "anna", "--password-stdin", stdin="a long enough password\n")

    with acme.serving() as api:
        login = {"username": "anna", "password": "a long enough password", "domain": "acme.example.com"}
        assert httpx.post(f"{api.match[1]}/login", json=login, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("given", "host", "link"),
    [
        ("https://mail.example.com", "", "https://mail.example.com"),
        ("HTTP://Mailpit:8025/", "", "HTTP://Mailpit:8025"),
        ("https://[::1]:8025", "", "https://[::1]:8025"),
        ("https://m\u00fcller.example", "", "https://m\u00fcller.example"),
        (None, "::1", "http://[::1]:8025"),
        (None, "0.0.0.0", "http://127.0.0.1:8025"),  # noqa: S104
        (None, "127.0.0.1", "http://127.0.0.1:8025"),
    ],
)
def test_an_invitation_leads_to_where_people_reach_ringpost(
    acme: Machine, given: str | None, host: str, link: str
) -> None:
    url = ["--url", given] if given else []
    environment = {"RINGPOST_HOST": host} if host else {}

    assert acme.output("user", "invite", "anna", *url, **environment).startswith(f"{link}/console/welcome/")


def test_nobody_is_invited_to_a_port_that_is_chosen_at_each_start(acme: Machine) -> None:
    done = acme.run("user", "invite", "anna", RINGPOST_PORT="0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--url" in done.stderr
    acme.output("user", "invite", "anna", "--url", "https://mail.example.com", RINGPOST_PORT="0")


@pytest.mark.parametrize("command", [("user", "create", "anna"), ("tenant", "import", "-")])
def test_a_stdin_that_is_closed_has_nothing_to_say(acme: Machine, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *RINGPOST, *command],
        cwd=acme.folder, env=acme.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert "a fault of Ringpost" not in done.stderr


def test_ctrl_c_ends_the_question_for_a_password(acme: Machine) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which is ignored by what runs in the background
    screen, terminal = pty.openpty()
    command = subprocess.Popen(  # whose first terminal, in a session of its own, is the one that it is steered by
        ["sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(terminal), *RINGPOST, "user", "create", "anna"],
        cwd=acme.folder, env=acme.env, start_new_session=True,
    )  # fmt: skip
    try:
        shown = b""
        while b"Password: " not in shown:
            shown += os.read(screen, 1000)
        os.write(screen, b"\x03")
        assert command.wait(DEADLINE_S) == 1
    finally:
        signal.signal(signal.SIGINT, before)
        command.kill()
        command.wait(DEADLINE_S)
        os.close(screen)
        os.close(terminal)

    assert acme.run("user", "create", "anna", "--password-stdin", stdin="a long enough password\n").returncode == 0
