"""The demo, as `make demo` runs it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from tests.left_out import left_out

from ringpost.demo.mailbox import Mail, Mailbox
from ringpost.demo.viewer import create_viewer
from ringpost.domain.catalogue import CATALOGUE

pytestmark = pytest.mark.timeout(180)

DEADLINE_S = 90


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ringpost", "demo", *arguments]


@pytest.fixture
def hostile_env(tmp_path: Path) -> dict[str, str]:
    """Settings of a real Ringpost on the same machine, which the demo must not heed."""
    settings = {"RINGPOST_DATABASE_URL": "mysql://production", "RINGPOST_PORT": "wrong", "HTTP_PROXY": "http://[::1]:9"}
    return {**os.environ, **settings, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def test_once_shows_a_mail_of_each_type_and_leaves_nothing_behind(tmp_path: Path, hostile_env: dict[str, str]) -> None:
    done = subprocess.run(
        _command("--once"),
        cwd=tmp_path,
        env=hostile_env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    shown = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [word for word in shown if word in CATALOGUE] == list(CATALOGUE)
    assert "somebody has waited longer" in done.stdout  # the customised template
    assert list(tmp_path.iterdir()) == []


def test_it_runs_again_in_the_same_folder(tmp_path: Path, hostile_env: dict[str, str]) -> None:
    for _ in range(2):
        done = subprocess.run(
            _command("--once", "--data-dir", "data"), cwd=tmp_path, env=hostile_env, timeout=DEADLINE_S, check=False
        )
        assert done.returncode == 0


def test_it_stays_until_ctrl_c_and_its_curl_lines_work(tmp_path: Path, hostile_env: dict[str, str]) -> None:
    if not shutil.which("curl"):
        left_out("what the demo prints for the shell, because there is no curl and none could be installed")
    printed = tmp_path / "printed"
    with printed.open("wb") as stdout:
        demo = subprocess.Popen(_command(), cwd=tmp_path, env=hostile_env, stdout=stdout)
    try:
        text = _wait_for(printed, "Ctrl-C")
        curls = re.findall(r"^curl .*$", text, re.MULTILINE)
        assert len(curls) == 3
        for line in curls:
            subprocess.run(["bash", "-c", f"{line} --fail --silent --noproxy '*'"], timeout=30, check=True)
        assert "A test" in _wait_for(printed, r"A test  ->  you@northwind\.example\.com")
        mailbox = re.search(r"Read the mails\s+(\S+)", text)
        assert mailbox
        assert "Your phone account is ready" in httpx.get(mailbox[1], trust_env=False, timeout=30).text
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(DEADLINE_S) == 0


def _wait_for(file: Path, pattern: str) -> str:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if re.search(pattern, text := file.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{pattern} did not appear in: {file.read_text()}")


@pytest.fixture
def mailbox() -> Mailbox:
    """A mailbox with one mail that wants to do harm."""
    message = EmailMessage()
    message["Subject"] = "<script>alert(1)</script>"
    message["From"] = '"<b>Mallory</b>" <mallory@example.com>'
    message.set_content("plain <i>text</i>")
    message.add_alternative('<img src="cid:one"><script>alert(2)</script>', subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]  # an alternative has parts
    html.add_related(b"PNG", "image", "png", cid="<one>")  # type: ignore[union-attr]
    message.add_attachment(b"<script>", maintype="text", subtype="html", filename="a.html")
    mailbox = Mailbox()
    mailbox.mails.append(Mail(1, "mallory@example.com", "jane@example.com", 0, message.as_bytes()))
    return mailbox


@pytest.fixture
async def viewer(mailbox: Mailbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_viewer(mailbox))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/list", "/mails/1", "/mails/1/text", "/mails/1/headers", "/mails/1/source"])
async def test_pages_escape_what_came_in_a_mail(viewer: httpx.AsyncClient, path: str) -> None:
    page = await viewer.get(path)

    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "<b>Mallory" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


async def test_a_mails_html_is_shown_in_a_sandbox_with_its_images_inside(viewer: httpx.AsyncClient) -> None:
    content = await viewer.get("/mails/1/content")

    assert 'src="data:image/png;base64,' in content.text
    policy = content.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert 'sandbox=""' in (await viewer.get("/mails/1")).text


async def test_files_are_downloaded_and_never_shown(viewer: httpx.AsyncClient) -> None:
    file = await viewer.get("/mails/1/files/0")

    assert file.content == b"<script>"
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("path", ["/mails/2", "/mails/1/other", "/mails/1/files/1", "/mails/2/raw", "/mails/2/content"])
async def test_what_is_not_there_is_404(viewer: httpx.AsyncClient, path: str) -> None:
    assert (await viewer.get(path)).status_code == 404


async def test_another_sites_name_does_not_open_the_mailbox(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.get("/", headers={"Host": "evil.example.com"})).status_code == 400
