"""Installs what Ringpost is compared with. What cannot be had is named in a line, and its contender is left out.

Postfix is a Debian package and is installed when root asks (or sudo needs no password), only when nothing would be
removed for it, and is not started. Redis is unpacked into build/bench/redis; Celery and django-post_office go into a
virtual environment, build/bench/venv, nodemailer into build/bench/node.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench import machine

LOCK: Final = machine.ROOT / "requirements" / "bench.lock"
NODE: Final = Path(__file__).parent / "node"
PATIENCE_S: Final = 300
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian's scripts ask this program whether they may start a service; 101 is no."""
_REDIS: Final = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")


class Unavailable(Exception):
    """Why something cannot be had."""


def install() -> dict[str, str]:
    """Install what is not there; returns what could not be had, and why."""
    missing: dict[str, str] = {}
    parts: Sequence[tuple[str, Callable[[], bool], Callable[[], None]]] = (
        ("Postfix", _has_postfix, _install_postfix),
        ("Redis", _has_redis, _unpack_redis),
        ("Celery and django-post_office", _has_venv, _install_venv),
        ("nodemailer", _has_nodemailer, _install_nodemailer),
    )
    for name, is_there, make in parts:
        try:
            if not is_there():
                print(f"Installing {name} for the benchmarks ...", flush=True)
                make()
        except (Unavailable, OSError, subprocess.SubprocessError) as reason:
            missing[name] = _words(reason)
            print(f"Cannot install {name}, so it is left out: {missing[name]}", flush=True)
    return missing


def _has_postfix() -> bool:
    return all(shutil.which(name, path=machine.PATH) for name in ("postconf", "smtp-source", "smtp-sink"))


def _install_postfix() -> None:
    root = _as_root()
    _learn_of("postfix", root=root)
    plan = _run("apt-get", "install", "--simulate", "--no-install-recommends", "postfix")
    removed = [line.split()[1] for line in plan.splitlines() if line.startswith("Remv ")]
    if removed:
        raise Unavailable(f"{', '.join(removed)} would be removed for it")
    # Nothing is written to /etc/postfix/main.cf then: the benchmark brings a configuration of its own.
    _run(*root, "debconf-set-selections", answer="postfix postfix/main_mailer_type select No configuration\n")
    ours = not POLICY.exists()
    if ours:
        _run(*root, "sh", "-c", f"printf '#!/bin/sh\\nexit 101\\n' >{POLICY} && chmod 755 {POLICY}")
    try:
        quietly = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
        _run(*quietly, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "postfix")
    finally:
        if ours:
            _run(*root, "rm", "-f", str(POLICY))
    if shutil.which("systemctl"):
        _run(*root, "systemctl", "disable", "--quiet", "postfix")


def _has_redis() -> bool:
    return (machine.BUILD / "redis" / "usr" / "bin" / "redis-server").exists()


def _unpack_redis() -> None:
    _as_debian()
    _learn_of(*_REDIS, root=None)
    downloads, target = machine.BUILD / "packages", machine.BUILD / "redis.new"
    for folder in (downloads, target):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    _run("apt-get", "download", "--quiet", *_REDIS, folder=downloads)
    for package in downloads.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), str(target))
    shutil.rmtree(downloads)
    shutil.rmtree(machine.BUILD / "redis", ignore_errors=True)
    target.rename(machine.BUILD / "redis")


def _has_venv() -> bool:
    there = machine.BUILD / "venv" / "installed"
    return there.exists() and there.read_bytes() == LOCK.read_bytes()


def _install_venv() -> None:
    venv = machine.BUILD / "venv"
    _run(sys.executable, "-m", "venv", "--clear", str(venv))
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--require-hashes", "--requirement", str(LOCK))
    shutil.copy(LOCK, venv / "installed")


def _has_nodemailer() -> bool:
    there, wanted = machine.BUILD / "node" / "node_modules" / "complete", NODE / "package-lock.json"
    return there.exists() and there.read_bytes() == wanted.read_bytes()


def _install_nodemailer() -> None:
    if not shutil.which("npm"):
        root = _as_root()
        _learn_of("npm", root=root)
        quietly = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
        _run(*quietly, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "npm")
    target = machine.BUILD / "node"
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
    done = subprocess.run(
        command, input=answer, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return done.stdout


def _words(reason: BaseException) -> str:
    said = getattr(reason, "stderr", None) or str(reason)
    lines = [line for line in str(said).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(reason).__name__
