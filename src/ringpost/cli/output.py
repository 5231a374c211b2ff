"""What goes to stdout: tables for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringpost.cli.stdout import give_up

STATE_STYLES = {
    "queued": "yellow",
    "sending": "yellow",
    "sent": "green",
    "rejected": "bold red",
    "expired": "red",
    "cancelled": "dim",
    "disabled": "red",
    "revoked": "dim",
}
WIDE = 200
"""Columns of a table that goes into a pipe or a file, where nothing needs to fit."""

_NOT_PLAIN = re.compile(r"[^\n -~]")
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*:).*(?=@)|(?<=[?&])(?P<name>\w*(?:password|secret)\w*=)[^&]*")


def without_password(url: str) -> str:
    """The URL of a database as it may be shown; libpq has parameters for other passwords too, such as a key file's."""
    return _PASSWORD.sub(lambda found: f"{found['user'] or found['name']}***", url)


def console() -> Console:
    """The console of stdout. Rich heeds NO_COLOR and leaves colours out of pipes by itself."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_line(text: str) -> None:
    """One line, as it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for the person at the terminal; it does not disturb what a pipe carries.

    Nothing fails because nobody can be told.
    """
    try:
        sys.stderr.write(f"{text}\n")
    except OSError:
        give_up(sys.stderr)


def print_json(value: object) -> None:
    """Indented, so that people can read it too; what stdout's encoding does not have is escaped as JSON has it."""
    print_line(_escaped(to_json(value), lambda character: _as_written(character) == character))


def to_json(value: object) -> str:
    """Indented JSON that a terminal can show: what would move its cursor or turn the writing is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    # Outside of strings there is nothing but ASCII, and in them no line break.
    return _escaped(text, str.isprintable)


def _escaped(text: str, is_fine: Callable[[str], bool]) -> str:
    return _NOT_PLAIN.sub(lambda found: found[0] if is_fine(found[0]) else json.dumps(found[0])[1:-1], text)


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, nothing: str) -> None:
    """A list of like things, as a table or as JSON. `nothing` is said when there are none."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        say(nothing)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row.values()])
    console().print(table)


def print_fields(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a line a field, or JSON."""
    if as_json:
        print_json(fields)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name.replace("_", " "), _cell(value))
    console().print(table)


def _cell(value: object) -> Text:
    match value:
        case None | "":
            return Text("-", style="dim")
        case bool():
            return Text("yes" if value else "no")
        case _:
            text = _as_written(one_line(str(value)))  # here already, so that it gets the room it needs
            return Text(text, style=STATE_STYLES.get(text, ""))


def _as_written(text: str) -> str:
    """What becomes of it on stdout, which may not have all of Unicode."""
    return text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding)


def one_line(text: str) -> str:
    """What a mail server said must not move the cursor or change the colours of a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
