"""Install the mail servers that the tests send to: Postfix with Dovecot, Exim, smtp-server and a Gmail of npm.

Run: python -m tools.mail_servers

Postfix and Dovecot are installed as Debian packages and not started. Exim (Debian allows one mail server only) is
unpacked into build/mail_servers/exim, smtp-server goes to build/mail_servers/node, and emulate, which is Google's
sign-in and Gmail as others understood them, to build/mail_servers/gmail. What cannot be had is named, and its tests are
left out; that is never an error.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from tools import outside

ROOT: Final = Path(__file__).parent.parent
BUILD: Final = ROOT / "build" / "mail_servers"
NODE: Final = ROOT / "tests" / "mail_servers" / "node"
GMAIL: Final = ROOT / "tests" / "transports" / "node"
EXIM: Final = ("exim4-daemon-light", "libnss-wrapper")


def main() -> int:
    """The exit code, which is 0: tests that cannot run here say so themselves."""
    parts: tuple[outside.Part, ...] = (
        ("Postfix and Dovecot", _has_postfix, lambda: outside.install_packages("postfix", "dovecot-core")),
        (
            "Exim",
            lambda: outside.is_complete(BUILD / "exim"),
            lambda: outside.unpack_packages(*EXIM, target=BUILD / "exim"),
        ),
        (
            "smtp-server",
            lambda: outside.has_node_modules(NODE, BUILD / "node"),
            lambda: outside.install_node_modules(NODE, BUILD / "node"),
        ),
        (
            "emulate",
            lambda: outside.has_node_modules(GMAIL, BUILD / "gmail"),
            lambda: outside.install_node_modules(GMAIL, BUILD / "gmail"),
        ),
    )
    outside.install(parts, use="the tests", without="its tests are left out")
    return 0


def _has_postfix() -> bool:
    return bool(shutil.which("postconf") and shutil.which("dovecot"))


if __name__ == "__main__":
    sys.exit(main())
