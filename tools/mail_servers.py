"""Install the mail servers that the tests send to: Postfix with Dovecot, Exim, and smtp-server of npm.

Run: python tools/mail_servers.py

Postfix and Dovecot are installed as Debian packages when root asks (or sudo needs no password), and only when nothing
on the machine would be removed for them; they are not started, now or at the next boot. Exim (Debian allows one mail
server only) is unpacked into build/mail_servers/exim, smtp-server goes to build/mail_servers/node. What cannot be had
is named, and its tests are left out; that is never an error.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
BUILD: Final = ROOT / "build" / "mail_servers"
NODE: Final = ROOT / "tests" / "mail_servers" / "node"
PATIENCE_S: Final = 300
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian's scripts ask this program whether they may start a service; 101 is no."""
UNPACKED: Final = ("exim4-daemon-light", "libnss-wrapper")


class Unavailable(Exception):
    """Why something cannot be had."""


def main() -> int:
    """The exit code, which is 0: tests that cannot run here say so themselves."""
    for name, is_there, install in (
        ("Postfix and Dovecot", _has_postfix, _install_postfix),
        ("Exim", _has_exim, _unpack_exim),
        ("smtp-server", _has_smtp_server, _install_smtp_server),
    ):
        try:
            if not is_there():
                sys.stdout.write(f"Installing {name} for the tests ...\n")
                sys.stdout.flush()
                install()
        except (Unavailable, OSError, subprocess.SubprocessError) as reason:
            sys.stdout.write(f"Cannot install {name}, so its tests are left out: {_words(reason)}\n")
    return 0


def _has_postfix() -> bool:
    return bool(shutil.which("postconf") and shutil.which("dovecot"))


def _install_postfix() -> None:
    root = _as_root()
    packages = ["postfix", "dovecot-core"]
    _learn_of(*packages, root=root)
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", *packages)
    removed = [line.split()[1] for line in plan.splitlines() if line.startswith("Remv ")]
    if removed:
        raise Unavailable(f"{', '.join(removed)} would be removed for them")
    if not shutil.which("postconf"):
        # Nothing is written to /etc/postfix/main.cf then: the tests bring settings of their own.
        answer = "postfix postfix/main_mailer_type select No configuration\n"
        _run(*root, "debconf-set-selections", answer=answer)
    quietly = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
    ours = not POLICY.exists()
    if ours:
        _run(*root, "sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}")
    try:
        _run(*quietly, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
    finally:
        if ours:
            _run(*root, "rm", "-f", str(POLICY))
    if shutil.which("systemctl"):
        fresh = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")}
        for package, service in (("postfix", "postfix"), ("dovecot-core", "dovecot")):
            if package in fresh:
                _run(*root, "systemctl", "disable", "--quiet", service)


def _has_exim() -> bool:
    return (BUILD / "exim" / "complete").exists()


def _unpack_exim() -> None:
    """The packages and what they need that is not here: apt-get knows, and is only asked."""
    _as_debian()
    _learn_of(*UNPACKED, root=None)
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", *UNPACKED)
    packages = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")} | set(UNPACKED)
    downloads, target = BUILD / "packages", BUILD / "exim"
    for folder in (downloads, target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    _run("apt-get", "download", "--quiet", *sorted(packages), folder=downloads)
    for package in downloads.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), str(target))
    shutil.rmtree(downloads)
    (target / "complete").touch()


def _has_smtp_server() -> bool:
    there, wanted = BUILD / "node" / "node_modules" / "complete", NODE / "package-lock.json"
    return there.exists() and there.read_bytes() == wanted.read_bytes()


def _install_smtp_server() -> None:
    if not shutil.which("npm"):
        root = _as_root()
        _learn_of("npm", root=root)
        _run(*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet",
             "--no-install-recommends", "npm")  # fmt: skip
    target = BUILD / "node"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NODE / name, target / name)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", folder=target)
    shutil.copy(NODE / "package-lock.json", target / "node_modules" / "complete")


def _as_debian() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Unavailable("this is no Debian or Ubuntu (there is no apt-get)")


def _as_root() -> list[str]:
    """What to put before a command so that root runs it."""
    _as_debian()
    if os.geteuid() == 0:
        return []
    try:
        _run("sudo", "-n", "true")
    except (OSError, subprocess.SubprocessError):
        raise Unavailable("only root may install packages (or a user whose sudo needs no password)") from None
    return ["sudo", "-n"]


def _learn_of(*packages: str, root: list[str] | None) -> None:
    """Fetch the lists of packages when these are not known; fresh containers have none."""
    known = _run("apt-cache", "policy", *packages)
    if known.count("Candidate:") - known.count("Candidate: (none)") < len(packages):
        _run(*(_as_root() if root is None else root), "apt-get", "update", "--quiet")


def _run(*command: str, answer: str = "", folder: Path | None = None) -> str:
    done = subprocess.run(  # noqa: S603  our own words only
        command, input=answer, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.stdout


def _words(reason: Exception) -> str:
    if isinstance(reason, subprocess.CalledProcessError):
        complaint: Sequence[str] = (reason.stderr or reason.stdout or "").strip().splitlines()
        return f"{reason.cmd[0]} says: {complaint[-1] if complaint else reason.returncode}"
    return str(reason)


if __name__ == "__main__":
    sys.exit(main())
