"""tenant export, import: settings and templates as one file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ringpost.cli.exits import Failed
from ringpost.cli.opening import AsJson, DataDir, SystemOption, TenantOption, find_owner, in_room, operator
from ringpost.cli.output import print_json, print_rows, say, to_json
from ringpost.cli.stdout import telling
from ringpost.domain.strict_json import MalformedJson, loads
from ringpost.domain.tenant_files import LARGEST_FILE
from ringpost.storage import files
from ringpost.usecases.export_tenant import export_tenant
from ringpost.usecases.import_tenant import Imported, import_tenant
from ringpost.usecases.room import Room

Output = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", dir_okay=False, help="Write it here. [default: stdout]")
]
File = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The file; - is stdin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    tenant: TenantOption = None, system: SystemOption = False, output: Output = None, data_dir: DataDir = None
) -> None:
    """Export settings and templates as one file, without secrets.

    Example: [b]ringpost tenant export --tenant acme.example.com --output acme.json[/b]
    """

    async def work(room: Room) -> dict[str, Any]:
        return await export_tenant(room, await find_owner(room, tenant, system=system))

    content = in_room(data_dir, work)
    if output is None:
        print_json(content)
    else:
        _write(output, to_json(content) + "\n")
    if content["secrets_left_out"]:
        say(f"Left out, to be entered where the file is imported: {', '.join(content['secrets_left_out'])}")


def import_(
    file: File,
    tenant: TenantOption = None,
    system: SystemOption = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Import settings and templates from a file: all of it, or nothing when anything in it is wrong.

    Each section of the file replaces what there is: a template that it does not name goes back to the default.
    Stored secrets stay where the mail server stays the same.

    Example: [b]ringpost tenant import acme.json --tenant acme.example.com --dry-run[/b]
    """
    content = _read(file)

    async def work(room: Room) -> Imported:
        principal = operator(await find_owner(room, tenant, system=system))
        return await import_tenant(room, principal, content, dry_run=dry_run)

    imported = in_room(data_dir, work)
    rows = [
        {"place": _place(one.place, one.line), "before": one.before, "after": one.after} for one in imported.changes
    ]
    with telling("" if dry_run else "The file was imported all the same."):
        if as_json:
            print_json(imported.to_json(dry_run=dry_run))
            return
        print_rows(rows, as_json=False, nothing="Nothing differs.")
    for missing in imported.enter_again:
        say(f"{missing.field}: {missing.message}")
    if rows:
        say("Nothing was changed yet: this was a dry run." if dry_run else "Imported.")


def _write(file: Path, text: str) -> None:
    """A file that is there stays until all of this is on the disk; a link to it stays one."""
    try:
        if file.is_file():
            files.replace(file.resolve(), text)
        else:
            file.write_text(text, "utf-8")
    except OSError as error:
        raise Failed(f"{file} could not be written: {error.strerror}.") from None


def _read(file: Path) -> object:
    with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
        content = stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise Failed(f"{file}: the file is larger than {LARGEST_FILE >> 20} MiB.")
    try:
        return loads(content)
    except MalformedJson as fault:
        raise Failed(
            f"{file}: {fault.message.replace('The body', 'The file').replace('the body', 'the file')}"
        ) from None


def _place(place: str, line: int | None) -> str:
    return place if line is None else f"{place}, line {line}"
