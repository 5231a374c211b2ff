"""doctor."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from ringpost.cli.exits import FAILED
from ringpost.cli.opening import AsJson, DataDir, TenantOption, find_owner, in_room, operator
from ringpost.cli.output import console, one_line, print_json
from ringpost.domain.diagnosis import Diagnosis, Finding, Step, StepName, StepStatus, diagnosis_to_json
from ringpost.domain.traps.reaching import NOT_ALLOWED
from ringpost.usecases.diagnose import RECIPIENT, conclude, examine, plan_diagnosis
from ringpost.usecases.room import Room

MARKS: Final = {
    StepStatus.OK: ("✓", "green"),
    StepStatus.WARNING: ("!", "yellow"),
    StepStatus.FAILED: ("✗", "bold red"),
    StepStatus.SKIPPED: ("-", "dim"),
}
TITLES: Final = {
    StepName.SETTINGS: "Settings",
    StepName.RESOLVE: "Name",
    StepName.CONNECT: "Connection",
    StepName.GREETING: "Greeting",
    StepName.EHLO: "Introduction",
    StepName.TLS: "Encryption",
    StepName.OFFERS: "What it offers",
    StepName.AUTH: "Login",
    StepName.MAIL_FROM: "Sender",
    StepName.RCPT_TO: "Recipient",
    StepName.TOKEN: "Access token",
    StepName.API: "Provider's API",
    StepName.MX: "Domain: MX",
    StepName.SPF: "Domain: SPF",
    StepName.DMARC: "Domain: DMARC",
}
WIDEST: Final = max(map(len, TITLES.values()))
FOR_THE_OPERATOR: Final = {
    NOT_ALLOWED.code: (
        "Allow its network in RINGPOST_ALLOWED_MAIL_NETWORKS or its port in RINGPOST_EXTRA_MAIL_PORTS, for this "
        "command as for the services; ringpost config show prints what is in force here."
    )
}
"""What tenants are not told, because they would learn what the operator's network looks like."""

System = Annotated[bool, typer.Option("--system", help="The system's own mail server instead of a tenant's.")]
Recipient = Annotated[
    str | None, typer.Option("--recipient", metavar="ADDRESS", help="Whom to try; nothing is sent to them.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(rich_help_panel="Run")(doctor)


def doctor(
    tenant: TenantOption = None,
    system: System = False,
    recipient: Recipient = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Examine a mail server step by step, and say what to change. Nothing is sent.

    Exit code 0: mail can be sent; 1: something failed.

    Example: [b]ringpost doctor --tenant acme.example.com --recipient jane@example.com[/b]
    """
    diagnosis = in_room(
        data_dir, lambda room: _examine(room, tenant, recipient, system=system, live=not as_json), sends=True
    )
    if as_json:
        print_json(diagnosis_to_json(diagnosis))
    else:
        _print(console(), result_lines(diagnosis))
    if not diagnosis.ok:
        raise typer.Exit(FAILED)


async def _examine(room: Room, tenant: str | None, recipient: str | None, *, system: bool, live: bool) -> Diagnosis:
    owner = await find_owner(room, tenant, system=system)
    plan = await plan_diagnosis(room, operator(owner), {RECIPIENT: recipient})
    out, steps = console(), list[Step]()
    async for step in examine(room, plan):
        steps.append(step)
        if live:
            _print(out, step_lines(step))
    return conclude(plan, steps)


def step_lines(step: Step) -> Iterator[Text]:
    """A step as it is shown: mark, name, what happened, how long it took; then the server's words."""
    mark, style = MARKS[step.status]
    time = "" if step.status is StepStatus.SKIPPED else f"  {step.duration_ms} ms"
    name = TITLES[step.name].ljust(WIDEST)
    yield Text.assemble((mark, style), f" {name}  ", one_line(step.summary), (time, "dim"))
    if step.reply and step.status is not StepStatus.OK:
        code = f"{step.code} " if step.code else ""
        yield Text(f"  {' ' * WIDEST}  {code}{one_line(step.reply)}", style="dim")


def result_lines(diagnosis: Diagnosis) -> Iterator[Text]:
    """What follows the steps: each finding with what to do, and the verdict."""
    for one in diagnosis.findings:
        yield Text()
        yield from _finding_lines(one)
    yield Text()
    if diagnosis.ok:
        yield Text("Mail can be sent.", style="bold green")
    else:
        yield Text("No mail can be sent until this is changed.", style="bold red")


def _finding_lines(one: Finding) -> Iterator[Text]:
    yield Text.assemble((one.code, "bold"), f"  {one.title}")
    yield Text(f"  {one_line(one.explanation)}")
    what_to_do = one.what_to_do or FOR_THE_OPERATOR.get(one.code)
    if what_to_do:
        yield Text(f"  What to do: {one_line(what_to_do)}")
    if one.suggested_settings:
        changes = ", ".join(f"{name}: {_json(value)}" for name, value in one.suggested_settings.items())
        yield Text.assemble("  Try these settings: ", (changes, "bold"))


def _print(out: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        out.print(line)


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
