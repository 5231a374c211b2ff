"""Installs what is no Python package: packages of Debian and of npm. What cannot be had is named in a line.

Debian packages are installed when root asks (or sudo needs no password), only when nothing on the machine would be
removed for them, and are not started, now or at the next boot. What must not be installed is unpacked into a folder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 600
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian's scripts ask this program whether they may start a service; 101 is no."""
_ANSWERS: Final = {"postfix": "postfix postfix/main_mailer_type select No configuration\n"}
"""To what packages ask. Nothing is written to /etc/postfix/main.cf then: who uses it brings settings of their own."""
_SERVICES: Final = {"postfix": "postfix", "dovecot-core": "dovecot"}

Part = tuple[str, Callable[[], bool], Callable[[], None]]
"""A name, whether it is there, and how it is installed."""


class Unavailable(Exception):
    """Why something cannot be had."""


def install(parts: Sequence[Part], use: str, without: str) -> dict[str, str]:
    """Install what is not there; returns what could not be had, and why.

    `use` tells what it is for, `without` what becomes of that when it cannot be had.
    """
    missing: dict[str, str] = {}
    for name, is_there, make in parts:
        try:
            if not is_there():
                _say(f"Installing {name} for {use} ...")
                make()
        except (Unavailable, OSError, subprocess.SubprocessError) as reason:
            missing[name] = _words(reason)
            _say(f"Cannot install {name}, so {without}: {missing[name]}")
    return missing


def install_packages(*packages: str) -> None:
    """Install packages of Debian, without starting anything."""
    root = _as_root()
    _learn_of(*packages, root=root)
    fresh, removed = _plan(*packages)
    if removed:
        raise Unavailable(f"{', '.join(sorted(removed))} would be removed for {' and '.join(packages)}")
    for package in fresh & _ANSWERS.keys():
        run(*root, "debconf-set-selections", answer=_ANSWERS[package])
    ours = not POLICY.exists()
    if ours:
        run(*root, "sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}")
    try:
        quietly = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
        run(*quietly, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
    finally:
        if ours:
            run(*root, "rm", "-f", str(POLICY))
    if shutil.which("systemctl"):
        for package in fresh & _SERVICES.keys():
            run(*root, "systemctl", "disable", "--quiet", _SERVICES[package])


def is_complete(target: Path) -> bool:
    """Whether `unpack_packages` came to its end there."""
    return (target / "complete").exists()


def unpack_packages(*packages: str, target: Path) -> None:
    """Unpack packages of Debian, and what they need that is not here: apt-get knows, and is only asked."""
    _as_debian()
    _learn_of(*packages, root=None)
    fresh, _ = _plan(*packages)
    downloads = target.with_name(f"{target.name}.downloads")
    for folder in (downloads, target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    run("apt-get", "download", "--quiet", *sorted(fresh | set(packages)), folder=downloads)
    for package in downloads.glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(target))
    shutil.rmtree(downloads)
    (target / "complete").touch()


def has_node_modules(wanted: Path, target: Path) -> bool:
    """Whether `target` has what the lock file in `wanted` names."""
    there = target / "node_modules" / "complete"
    return there.exists() and there.read_bytes() == (wanted / "package-lock.json").read_bytes()


def install_node_modules(wanted: Path, target: Path) -> None:
    """Install what the lock file in `wanted` names, with npm, which is installed too if it has to be."""
    if not shutil.which("npm"):
        install_packages("npm")
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(wanted / name, target / name)
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", folder=target)
    shutil.copy(wanted / "package-lock.json", target / "node_modules" / "complete")


def run(*command: str, answer: str = "", folder: Path | None = None) -> str:
    """What a command writes. Raises SubprocessError when it fails or takes longer than ten minutes."""
    done = subprocess.run(  # noqa: S603  our own words only
        command, input=answer, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.stdout


def _plan(*packages: str) -> tuple[set[str], set[str]]:
    """What apt-get would install and remove."""
    plan = run("apt-get", "install", "--simulate", "--no-install-recommends", *packages).splitlines()
    fresh, removed = ({line.split()[1] for line in plan if line.startswith(does)} for does in ("Inst ", "Remv "))
    return fresh, removed


def _as_debian() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Unavailable("this is no Debian or Ubuntu (there is no apt-get)")


def _as_root() -> list[str]:
    """What to put before a command so that root runs it."""
    _as_debian()
    if os.geteuid() == 0:
        return []
    try:
        run("sudo", "-n", "true")
    except (OSError, subprocess.SubprocessError):
        raise Unavailable("only root may install packages (or a user whose sudo needs no password)") from None
    return ["sudo", "-n"]


def _learn_of(*packages: str, root: list[str] | None) -> None:
    """Fetch the lists of packages when these are not known; fresh containers have none."""
    known = run("apt-cache", "policy", *packages)
    if known.count("Candidate:") - known.count("Candidate: (none)") < len(packages):
        run(*(_as_root() if root is None else root), "apt-get", "update", "--quiet")


def _words(reason: Exception) -> str:
    if isinstance(reason, subprocess.CalledProcessError):
        complaint: Sequence[str] = (reason.stderr or reason.stdout or "").strip().splitlines()
        return f"{reason.cmd[0]} says: {complaint[-1].strip() if complaint else reason.returncode}"
    return str(reason) or type(reason).__name__


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
