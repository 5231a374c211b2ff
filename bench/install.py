"""Installs what Ringpost is compared with. What cannot be had is named in a line, and its contender is left out.

Postfix is installed as a Debian package and not started. Redis is unpacked into build/bench/redis; Celery and
django-post_office go into a virtual environment, build/bench/venv, nodemailer into build/bench/node.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from tools import outside

from bench import machine

LOCK: Final = machine.ROOT / "requirements" / "bench.lock"
NODE: Final = Path(__file__).parent / "node"


def install() -> dict[str, str]:
    """Install what is not there; returns what could not be had, and why."""
    redis, node = machine.BUILD / "redis", machine.BUILD / "node"
    parts: tuple[outside.Part, ...] = (
        ("Postfix", _has_postfix, lambda: outside.install_packages("postfix")),
        (
            "Redis",
            lambda: outside.is_complete(redis),
            lambda: outside.unpack_packages("redis-server", "redis-tools", target=redis),
        ),
        ("Celery and django-post_office", _has_venv, _install_venv),
        (
            "nodemailer",
            lambda: outside.has_node_modules(NODE, node),
            lambda: outside.install_node_modules(NODE, node),
        ),
    )
    return outside.install(parts, use="the benchmarks", without="it is left out")


def _has_postfix() -> bool:
    return all(shutil.which(name, path=machine.PATH) for name in ("postconf", "smtp-source", "smtp-sink"))


def _has_venv() -> bool:
    there = machine.BUILD / "venv" / "installed"
    return there.exists() and there.read_bytes() == LOCK.read_bytes()


def _install_venv() -> None:
    venv = machine.BUILD / "venv"
    outside.run(sys.executable, "-m", "venv", "--clear", str(venv))
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    outside.run(*pip, "--require-hashes", "--requirement", str(LOCK))
    shutil.copy(LOCK, venv / "installed")
