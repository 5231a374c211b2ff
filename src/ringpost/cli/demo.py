"""demo."""

from typing import Annotated

import typer

from ringpost.cli.exits import Failed
from ringpost.cli.opening import DataDir, whole_number

Once = Annotated[bool, typer.Option("--once", help="Check that all mails arrived, print them, and exit.")]
Port = Annotated[
    int, typer.Option(parser=whole_number(0, 65535), metavar="PORT", help="Port of the API; 0: a free one.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel="Run")(demo)


def demo(context: typer.Context, once: Once = False, port: Port = 0, data_dir: DataDir = None) -> None:
    """Show it all, on this machine alone: a tenant, one event of each type, and the mails in your browser.

    Starts the API, a worker and a mailbox server on free ports, with its data in a temporary folder or in --data-dir.
    Runs until Ctrl-C.

    Example: [b]ringpost demo[/b]

    Example: [b]ringpost demo --once && echo works[/b]
    """
    try:
        from ringpost import demo as show  # noqa: PLC0415  needs the extra `demo`, which a server does without
    except ModuleNotFoundError as error:
        raise Failed(f"The demo needs {error.name}: pip install 'ringpost[demo]'") from None
    try:
        show.run(show.DemoOptions(data_dir or context.obj, port, once=once))
    except* show.DemoFailed as failed:
        raise Failed(str(failed.exceptions[0])) from None
