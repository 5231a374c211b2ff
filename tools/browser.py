"""Find the Chromium that the tests of the console drive; install Debian's when there is none.

Run: python tools/browser.py

Looked for are `chromium`, `chromium-browser` and `google-chrome`, and whatever RINGPOST_TEST_BROWSER names. Debian's
package is installed when root asks (or sudo needs no password), and only when nothing on the machine would be removed
for it. Without a browser its tests are left out and named; that is never an error.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
CHOICE: Final = "RINGPOST_TEST_BROWSER"
PATIENCE_S: Final = 600


class Unavailable(Exception):
    """Why there is none."""


def find_browser() -> str | None:
    """The path of a Chromium; None when there is none."""
    chosen = os.environ.get(CHOICE)
    names = (chosen,) if chosen else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


def main() -> int:
    """The exit code, which is 0: tests that cannot run here say so themselves."""
    if find_browser() is None:
        sys.stdout.write("Installing Chromium for the tests ...\n")
        sys.stdout.flush()
        try:
            _install()
        except (Unavailable, OSError, subprocess.SubprocessError) as reason:
            sys.stdout.write(f"Cannot install Chromium, so the tests of the console in it are left out: {reason}\n")
    return 0


def _install() -> None:
    if not shutil.which("apt-get"):
        raise Unavailable(f"this is no Debian or Ubuntu; install Chromium, or name one with {CHOICE}")
    root = _as_root()
    if "Candidate: (none)" in _run("apt-cache", "policy", "chromium") or not _run("apt-cache", "policy", "chromium"):
        _run(*root, "apt-get", "update", "--quiet")
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", "chromium")
    removed = [line.split()[1] for line in plan.splitlines() if line.startswith("Remv ")]
    if removed:
        raise Unavailable(f"{', '.join(removed)} would be removed for it")
    _run(*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet",
         "--no-install-recommends", "chromium")  # fmt: skip


def _as_root() -> list[str]:
    """What to put before a command so that root runs it."""
    if os.geteuid() == 0:
        return []
    try:
        _run("sudo", "-n", "true")
    except (OSError, subprocess.SubprocessError):
        raise Unavailable("only root may install packages (or a user whose sudo needs no password)") from None
    return ["sudo", "-n"]


def _run(*command: str) -> str:
    done = subprocess.run(  # noqa: S603  our own words only
        command, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
