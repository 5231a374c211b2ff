"""Writes docs/performance.md and its plot from what the benchmarks found last."""

from typing import Any, Final

from bench import figures, machine, mail, results
from bench.figures import Spread, ratio, spread, table, words
from bench.path import POSTFIX, RAW
from bench.plot import Bar, bars

DOCS: Final = machine.ROOT / "docs"
PLOT: Final = "performance.svg"
_ONE: Final = "Ringpost, one event per request, SQLite"
_LISTS: Final = "Ringpost, lists of 20, SQLite"
_HEAD: Final = """# Performance

`make bench` measures all of this in about ten minutes and writes this page; `make bench ARGS=full` takes longer and is
more certain; `make bench ARGS=path` measures one part (`render`, `send`, `path`, `scale`). It installs what Ringpost is
compared with by itself, says what it could not install, and leaves that out.

Machines are noisy, virtual ones most of all: the same thing measured twice an hour apart can differ by half. So all
contenders of a part run in turns in one run, everything is said as a median with its range in brackets, and ratios are
taken within a round. Only ratios mean anything on another machine.
"""
_COSTS: Final = """
## What costs what

- **A commit** costs a sync of the disk, whatever is in it. So concurrent writes share one, and a busy process
  needs fewer.
- **A mail** is two commits of its life, accepted and recorded, when a worker has a hand free for it, and three when it
  has to wait and is claimed later.
- **Memory** is bound by what is in hand, whatever waits; `RINGPOST_SLOTS` says how much that may be.
- **The interpreter** is what one process waits for: about two thirds of its CPU time are Python's. A Python that was
  built with its optimisations (PGO, as those of Debian and of the official images are) does 12 to 20 % more, so
  `make setup` takes the quickest Python that it finds, and all contenders in Python run on it. A second process on the
  same file sends up to half as much again.
"""


def write() -> None:
    """Write the page anew."""
    sections = [_HEAD, _path(), _scale(), _send(), _render(), _COSTS]
    text = "\n".join(section.strip("\n") + "\n" for section in sections if section)
    (DOCS / "performance.md").write_text(text, encoding="utf-8")


def _path() -> str:
    found = results.load("path")
    if found is None:
        return ""
    laps = found["laps"]
    names = [each["name"] for each in found["contenders"] if spread(laps, each["name"], "rate")]
    (DOCS / PLOT).write_text(_plot(laps, names), encoding="utf-8")
    return "\n".join([
        "## The whole path, beside others\n",
        results.circumstances(found),
        f"{found['rounds']} rounds of about {found['seconds']:g} s each, into one `smtp-sink` per round.\n",
        f"![Mails a second of each contender, with ranges]({PLOT})\n",
        table(
            ["", "mails/s", "times Postfix", "times the raw limit", "CPU s per 1,000", "memory, MB"],
            [_row(laps, name) for name in names],
        ),
        "From the first mail offered until the mail server has taken the last. CPU seconds are those of all processes",
        "of the contender, ended ones included; memory is the peak of the sum of their PSS, looked at four times a",
        "second. smtp-source and Postfix get their mail ready-made; all others render and compose each one.\n",
        _goals(found),
        _how(found),
        _sweep(found),
        _absent(found),
    ])  # fmt: skip


def _row(laps: figures.Laps, name: str) -> list[str]:
    memory = spread(laps, name, "memory_mb")
    return [
        name,
        words(spread(laps, name, "rate")),
        "1" if name == POSTFIX else words(ratio(laps, name, POSTFIX), 1),
        "1" if name == RAW else words(ratio(laps, name, RAW), 2),
        words(spread(laps, name, "cpu_s"), 2),
        "-" if memory is None or not memory.high else words(memory),
    ]


def _plot(laps: figures.Laps, names: list[str]) -> str:
    rows: list[Bar] = []
    for name in names:
        value, times = spread(laps, name, "rate"), ratio(laps, name, POSTFIX)
        if value:
            note = f"{times.middle:.1f} x" if times else ""
            rows.append(Bar(name, value, name.startswith("Ringpost"), note))
    rows.sort(key=lambda row: -row.value.middle)
    return bars("Mails a second, and times Postfix", rows)


def _goals(found: dict[str, Any]) -> str:
    laps = found["laps"]
    wanted = [
        ("One event per request, times Postfix", ratio(laps, _ONE, POSTFIX), "at least 5", 5.0),
        ("Lists of 20, times Postfix", ratio(laps, _LISTS, POSTFIX), "at least 10", 10.0),
        ("Lists of 20, share of the raw limit", ratio(laps, _LISTS, RAW), "at least 0.5", 0.5),
    ]
    for how, one in (("one event per request", _ONE), ("lists of 20", _LISTS)):
        two, server = _on(one, "2 processes on one SQLite file"), _on(one, "PostgreSQL")
        wanted += [
            (f"Two processes on one file against one, {how}", ratio(laps, two, one), "more than 1", 1.0),
            (f"PostgreSQL against SQLite, {how}", ratio(laps, server, one), "at least 0.8", 0.8),
        ]
    rows = [[what, goal, words(value, 2), _verdict(value, least)] for what, value, goal, least in wanted]
    return table(["What Ringpost is to reach", "goal", "found", ""], rows)


def _on(name: str, where: str) -> str:
    return name.removesuffix("SQLite") + where


def _verdict(value: Spread | None, least: float) -> str:
    if value is None:
        return "not measured"
    return "reached" if value.middle >= least else "not reached"


def _how(found: dict[str, Any]) -> str:
    lines = ["How each is set up, and how many bytes of its mail reach the mail server:\n"]
    lines += [f"- **{each['name']}** ({each['wire_bytes']:,} B): {each['what']}." for each in found["contenders"]]
    laps = found["laps"]
    load = [cost for name in (_ONE, _LISTS) if (cost := spread(laps, name, "load_cpu_us"))]
    if load:
        costs = " and ".join(f"{cost.middle:.0f} us" for cost in load)
        lines += ["", f"The load on Ringpost costs {costs} of CPU per mail (one event per request, and lists of 20)."]
    stolen = max((lap["steal"] for each in laps for lap in each.values()), default=0.0)
    lines += [f"The most CPU time stolen during one measurement was {stolen:.1%}."]
    return "\n".join(lines) + "\n"


def _sweep(found: dict[str, Any]) -> str:
    sweep: dict[str, list[float]] = found["sweep"]
    if not sweep:
        return ""
    ordered = sorted(sweep.items(), key=lambda item: (-len(item[1]), -sorted(item[1])[len(item[1]) // 2]))
    rows = [[name, ", ".join(f"{rate:,.0f}" for rate in rates)] for name, rates in ordered]
    return "Postfix was tried with each of these first, and the best four twice more:\n\n" + table(
        ["", "mails/s"], rows
    )


def _absent(found: dict[str, Any]) -> str:
    reasons = {**found["not_installed"], **found["left_out"], **found["failures"]}
    return "\n".join(f"- Not here, or not in every round: {name}: {reason}." for name, reason in reasons.items())


def _scale() -> str:
    found = results.load("scale")
    if found is None:
        return ""
    names = {
        "claim": "A claim of 64 mails",
        "accept": "20 events accepted",
        "page": "a page of the list, 50 deliveries",
    }
    parts = [
        "## Small and large\n",
        results.circumstances(found),
        f"Small: {found['small']}. Large: {found['large']}. Milliseconds of a call of the functions that the product",
        "uses, asked in turns; the goal is a ratio of at most 1.5, and less than 200 MB in the serving process. Five",
        "deliveries belong to an event; of what was sent, the newest tenth has its attempts.\n",
    ]
    for kind, of_kind in found["databases"].items():
        if "left_out" in of_kind:
            parts.append(f"{kind} is left out: {of_kind['left_out']}\n")
            continue
        laps = of_kind["laps"]
        rows: list[list[str]] = []
        for what, title in names.items():
            by_size = [{size: {"ms": ms} for size, ms in lap[what].items()} for lap in laps]
            small, large = (spread(by_size, size, "ms") for size in ("small", "large"))
            rows.append([title, words(small, 2), words(large, 2), words(ratio(by_size, "large", "small", "ms"), 2)])
        parts.append(table([kind, "small, ms", "large, ms", "times as long"], rows))
        parts.append(
            f"Peak memory of a process that serves and sends while {found['waiting']:,} mails wait on {kind}: "
            f"{of_kind['peak_mb']:.0f} MB.\n"
        )
    return "\n".join(parts)


def _send() -> str:
    found = results.load("send")
    if found is None:
        return ""
    laps = found["laps"]
    ours, raw = spread(laps, "ringpost", "rate"), spread(laps, "raw", "rate")
    rows = [
        ["`smtp-source`, the raw limit", words(raw), "1"],
        ["Ringpost's SMTP client, 4 connections", words(ours), words(ratio(laps, "ringpost", "raw"), 2)],
    ]
    return "\n".join([
        "## Sending alone\n",
        results.circumstances(found),
        f"{found['rounds']} rounds of {found['messages']:,} messages of {mail.WIRE_BYTES} bytes.\n",
        table(["", "messages/s", "times the raw limit"], rows),
    ])  # fmt: skip


def _render() -> str:
    found = results.load("render")
    if found is None:
        return ""
    laps = found["laps"]
    standard = "composing with the standard library"
    rows = [[name, words(spread(laps, name, "us")), words(ratio(laps, standard, name, "us"), 1)] for name in laps[0]]
    return "\n".join([
        "## Rendering\n",
        results.circumstances(found),
        f"HTML of {found['html_bytes']:,} bytes with {found['variables']} variables; {found['rounds']} rounds.\n",
        table(["", "microseconds", "times as fast as the standard library"], rows),
    ])  # fmt: skip
