"""How `ringpost status` looks. Everything fits into 80 columns."""

from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ringpost.cli.output import one_line
from ringpost.storage import overview

OLD_S: Final = {urgency.word: seconds for urgency, seconds in overview.WORRYING_S.items()}
"""The age from which on the oldest mail of a class is shown in red."""
_WORDS: Final = {
    "mail_server": "the mail server",
    "configuration": "the settings",
    "network": "the network",
    "recipient": "the recipient",
    "message": "the message",
}
_VERDICTS: Final = {"retry": "to be tried again", "rejected": "rejected"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The picture in as many lines as the terminal has: reasons get a line each, and what is left out is told of."""

    seen: dict[str, Any]
    problem: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height, wide = options.height or options.max_height, options.reset_height()
        lines: list[list[Segment]] = []
        for terse in (False, True):
            lines = console.render_lines(draw(self.seen, self.problem, terse=terse), wide)
            if len(lines) <= height:
                break
        hidden = len(lines) - height + 1
        for line in lines if hidden <= 1 else lines[: height - 1]:
            yield from (*line, Segment.line())
        if hidden > 1:
            told = f"{hidden} more lines: ringpost status --once"
            yield Text(told, style="reverse", no_wrap=True, overflow="ellipsis", end="")


def draw(seen: dict[str, Any], problem: str = "", *, terse: bool = False) -> RenderableType:
    """The whole picture; with a `problem`, that it is an old one, and why. `terse`: a line for each reason."""
    parts: list[RenderableType] = [_heading(seen), _waiting(seen), _rates(seen["per_minute"])]
    if problem:
        when = seen["at"].replace("T", " ")[:19]
        parts.insert(0, Text(f"{problem} What follows was so at {when} UTC.\n", style="bold red"))
    parts.append(_holds(seen, terse=terse) if seen["holds"] else Text("No lane is on hold.\n", style="green"))
    if seen["longest_queues"]:
        parts.append(_queues(seen["longest_queues"]))
    return Group(*parts)


def _heading(seen: dict[str, Any]) -> Text:
    workers = seen["workers"]
    text = Text.assemble(("Ringpost ", "bold"), (seen["at"].replace("T", " ")[:19] + " UTC", "dim"), "   ")
    if workers:
        in_hand, slots = (sum(worker[what] for worker in workers) for what in ("in_hand", "slots"))
        hosts = len({worker["host"] for worker in workers})
        text.append(f"{_count(len(workers), 'worker')} on {_count(hosts, 'host')}, {in_hand:,} of {slots:,} in hand")
    else:
        text.append("No worker is alive: nothing is sent. Start one: ringpost worker", style="bold red")
    return text.append("\n")


def _waiting(seen: dict[str, Any]) -> Table:
    table = _table("class", ">waiting", ">in hand", ">oldest")
    for row in seen["waiting"]:
        oldest, name = row["oldest_s"], row["class"]
        style = "bold red" if oldest is not None and oldest >= OLD_S[name] else ""
        more = " or more" if row["queued"] >= seen["counts_end_at"] else ""
        table.add_row(
            name, f"{row['queued']:,}{more}", f"{row['sending']:,}", Text(_duration(oldest), style) if oldest else "-"
        )
    return table


def _rates(rates: dict[str, Any]) -> Text:
    text = Text("Per minute, over the last five:  ", style="bold")
    text.append(f"{rates['accepted']:,.1f} accepted   {rates['sent']:,.1f} sent   ", style="default not bold")
    failed = [
        f"{row['attempts']:,.1f} {_VERDICTS[row['verdict']]}, by {_WORDS.get(row['party'], 'nobody')}"
        for row in rates["failed"]
    ]
    if failed:
        text.append("\n  " + "\n  ".join(failed), style="not bold yellow")
    else:
        text.append("0 failed", style="not bold")
    return text.append("\n")


def _holds(seen: dict[str, Any], *, terse: bool) -> Table:
    table = _table("on hold", ">for", ">next probe", "because")
    for row in seen["holds"]:
        probe = f"in {_duration(row['next_probe_s'])}" if row["next_probe_s"] else "now"
        why = one_line(row["because"]) or f"It is up to {_WORDS.get(row['party'], row['party'])}."
        because = Text(why, no_wrap=True, overflow="ellipsis") if terse else Text(why)
        table.add_row(Text(row["lane"], "yellow"), _duration(row["held_s"]), probe, because)
    more = seen["lanes_on_hold"] + seen["queues_over_loan"] - len(seen["holds"])
    if more > 0:
        table.add_row(Text(f"and {more:,} more", "dim"), "", "", "")
    return table


def _queues(queues: list[dict[str, Any]]) -> Table:
    table = _table("has waited longest", ">waiting", ">oldest")
    for row in queues:
        table.add_row(row["queue"], f"{row['waiting']:,}", _duration(row["oldest_s"]))
    return table


def _table(*columns: str) -> Table:
    """`>` before a name: numbers, to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _duration(seconds: float) -> str:
    """Two units at most: `45 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    whole = round(seconds)
    for size, unit, smaller, below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {below}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
