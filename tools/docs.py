"""Write the pages of docs/ that are made from the code; with --check, only tell which of them are out of date.

Run: python tools/docs.py [--check]
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cli_docs
import config_docs
import doctor_gallery
import events_docs
import openapi_docs

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "cli.md": cli_docs.page,
    "configuration.md": config_docs.page,
    "doctor.md": doctor_gallery.page,
    "events.md": events_docs.page,
    "openapi.json": openapi_docs.page,
}


def outdated() -> list[str]:
    """Names of the pages that are not what the code says."""
    return [name for name, page in PAGES.items() if not (DOCS / name).is_file() or _read(name) != page()]


def main(*, check: bool) -> int:
    """The exit code."""
    names = outdated()
    if check:
        if names:
            sys.stderr.write(f"docs/{', docs/'.join(names)}: not what the code says. Run: make docs\n")
        return 1 if names else 0
    for name in names:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        sys.stdout.write(f"Wrote docs/{name}\n")
    return 0


def _read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
