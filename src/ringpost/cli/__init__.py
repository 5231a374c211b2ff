"""The command line: `ringpost`.

Data goes to stdout, all else to stderr. Exit codes: 0 done, 1 not possible, or done and not told (one sentence says
which and why), 2 wrong usage, 75 the database cannot be used now (EX_TEMPFAIL of sysexits.h: try again), 78 the
configuration is wrong (EX_CONFIG).
"""

import sys
from typing import Annotated, Any

import typer
import typer.main

from ringpost import __version__
from ringpost.cli import (
    deliveries,
    demo,
    doctor,
    events,
    keys,
    moving,
    running,
    settings,
    status,
    stdout,
    tenants,
    tokens,
    users,
)
from ringpost.cli.exits import exit_code
from ringpost.cli.opening import DataDir, use_data_dir
from ringpost.cli.output import print_line

app = typer.Typer(
    name="ringpost",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
    epilog="Start here: [b]ringpost demo[/b] shows everything; [b]ringpost serve[/b] is the real thing. "
    "Settings are environment variables RINGPOST_* or lines of a file .env: [b]ringpost config show[/b].",
)


def main() -> None:
    """What the command `ringpost` runs."""
    stdout.use()
    try:
        command: Any = typer.main.get_command(app)
        _mend_help(command)
        command()
    except Exception as error:  # noqa: BLE001  the last place where a fault becomes a sentence and an exit code
        sys.exit(exit_code(error))


def _mend_help(command: Any) -> None:
    """Have help show what Typer keeps from it or adds to it.

    A default in brackets is one of Rich's tags to it. And since 0.29, it shows flags as if they took a value
    (`--json <bool>`), which they refuse, unless it is told what to show.
    """
    for option in (*command.params, command.get_help_option(typer.Context(command))):
        if getattr(option, "is_flag", False):
            option.metavar = ""
        option.help = (option.help or "").replace("[default: ", r"\[default: ")
    for child in getattr(command, "commands", {}).values():
        _mend_help(child)


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"ringpost {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    data_dir: DataDir = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """The mail room of a phone system: events in, the right mail out, surely, once, the urgent first."""
    del version
    context.obj = data_dir
    use_data_dir(data_dir)


running.add_to(app)
demo.add_to(app)
doctor.add_to(app)
app.command(rich_help_panel="Run")(status.status)
moving.add_to(tenants.app)
app.add_typer(tenants.app, name="tenant", rich_help_panel="Manage")
app.add_typer(users.app, name="user", rich_help_panel="Manage")
app.add_typer(tokens.app, name="token", rich_help_panel="Manage")
app.add_typer(events.app, name="event", rich_help_panel="Manage")
app.add_typer(deliveries.app, name="delivery", rich_help_panel="Manage")
app.add_typer(settings.app, name="config", rich_help_panel="Manage")
app.add_typer(keys.app, name="keys", rich_help_panel="Manage")
