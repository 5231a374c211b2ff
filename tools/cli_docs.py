"""docs/cli.md, from the commands."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main

from ringpost.cli import app

_HEAD = """# The command line

<!-- Made from src/ringpost/cli/ by `make docs`; change it there. -->

`ringpost --help` and `ringpost COMMAND --help` say the same. Data goes to stdout; messages and logs go to stderr. Every
command takes `--data-dir`, and where a table is printed `--json` prints JSON.

| Exit code | Meaning |
|---|---|
| 0 | Done. |
| 1 | It could not be done, or not be told; one sentence on stderr says why, and what was done all the same. |
| 2 | Wrong usage. |
| 74 | The disk failed during a commit to the embedded database. Nothing of it was acknowledged; see to the disk. |
| 75 | The database cannot be used now (disk full, locked, away; not made yet). Nothing was changed; try again. |
| 78 | The [configuration](configuration.md) is wrong. |

The commands work on the database directly, as the operator at the machine: they need no token and no running server,
and they can be used beside one.
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(_section(path, command) for path, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    yield from _walk("ringpost", typer.main.get_command(app))


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from _walk(f"{path} {name}", child)


def _section(path: str, command: Any) -> str:
    rows = "".join(_row(param) for param in command.params if param.name not in ("help", "data_dir"))
    table = f"\n| Option | Meaning |\n|---|---|\n{rows}" if rows else ""
    return f"\n## {path}\n\n{_text(command.help or '')}\n{table}"


def _text(help_text: str) -> str:
    """Rich's markup as Markdown's."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(help_text).split("\n\n")]
    marked = [re.sub(r"^Example: \[b\](.*)\[/b\]$", r"```sh\n\1\n```", part) for part in paragraphs]
    return re.sub(r"\[b\](.*?)\[/b\]", r"`\1`", "\n\n".join(marked))


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"| `{param.metavar or param.name.upper()}` | {_cell(param.help or '')} |\n"
    value = "" if param.is_flag else f" {param.metavar or param.name.upper()}"
    return f"| `{param.opts[0]}{value}` | {_cell(param.help or '')} |\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
