"""The whole path: events in over HTTP, mails out over SMTP, durable in between; and the raw limit in the same run.

    python bench/path.py --events 10000 --rounds 5

Each round starts a fresh Ringpost process (SQLite, synchronous=FULL, everything on that production has) and measures
accepting alone, one event per request and twenty, and the whole path alike, from the first request until the mail
server has taken the last mail. smtp-source into the same smtp-sink is the raw limit; without postfix's tools the sink
is our own and there is no raw limit. Machines are noisy: only ratios of one run mean anything.
"""

import argparse
import os
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from load import Load, Running, running
from send import PATH, report, run_source, sink


def main() -> None:
    """Run the rounds and print medians and ranges."""
    parser = argparse.ArgumentParser(description="Events and mails per second through a whole Ringpost process.")
    parser.add_argument("--events", type=int, default=10_000, help="per measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64, help="connections that post events")
    options = parser.parse_args()
    source = shutil.which("smtp-source", path=PATH)
    figures: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    stolen, total = jiffies()
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        with sink() as port:
            raw = run_source(source, port, 20_000, 6144) if source else None
            if raw:
                figures.setdefault("raw limit (smtp-source, 6 KB), messages/s", []).append(raw)
            for name, value in one_round(port, options).items():
                figures.setdefault(name, []).append(value)
                if raw and name.startswith("whole path") and name.endswith("/s"):
                    ratios.setdefault(f"{name}, times the raw limit", []).append(value / raw)
    stolen, total = (now - then for now, then in zip(jiffies(), (stolen, total), strict=True))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {machine}")
    print(f"CPU stolen by other machines during the run: {stolen / total:.1%}; medians of {options.rounds} rounds")
    for name, values in {**figures, **ratios}.items():
        report(name, values)


def one_round(port: int, options: argparse.Namespace) -> dict[str, float]:
    """All measurements of one round, each with a process and a database of its own."""
    found: dict[str, float] = {}
    for per_request in (1, 20):
        load = Load(options.events, per_request, options.clients)
        title = "one event per request" if per_request == 1 else f"{per_request} events per request"
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), port, workers=0) as process:
            found[f"accept, {title}, events/s"] = uvloop.run(accept(process, load))
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), port, workers=1) as process:
            found[f"whole path, {title}, messages/s"] = uvloop.run(whole_path(process, load))
            found[f"whole path, {title}, CPU s per 1,000"] = process.cpu_s() / options.events * 1000
            found[f"whole path, {title}, peak MB"] = process.peak_mb()
    return found


async def accept(process: Running, load: Load) -> float:
    """Events per second that are acknowledged."""
    return load.events / await process.post_all(load)


async def whole_path(process: Running, load: Load) -> float:
    """Mails per second, from the first event posted to the last mail taken."""
    return load.events / (await process.post_all(load) + await process.until_all_sent(load.events))


def jiffies() -> tuple[int, int]:
    """CPU time stolen by other machines, and in all (proc(5), /proc/stat)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return fields[7], sum(fields)


if __name__ == "__main__":
    main()
