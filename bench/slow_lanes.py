"""Thousands of mail servers that take half a minute for each mail, held by one worker: what they cost, and whom.

    python -m bench.slow_lanes --lanes 5000 --lasts 30

A quick tenant's mail is sent before, and while the worker waits for all the slow servers at once; the ratio of the two
rates is what the slow ones cost others.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from bench.crowd import Crowd, MailServer, crowd

EVENT = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales", "CALLER_NUMBER": "+15550100", "SLA_TIME": 90}}


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description="Many slow mail servers and one quick one.")
    parser.add_argument("--lanes", type=int, default=5000)
    parser.add_argument("--lasts", type=float, default=30, help="seconds from a mail to the server's answer")
    parser.add_argument("--mails", type=int, default=2, help="for each slow server")
    parser.add_argument("--quick", type=int, default=5000, help="mails of the quick tenant, each time")
    uvloop.run(run(parser.parse_args()))


async def run(chosen: argparse.Namespace) -> None:
    """Measure, and print."""
    late, quick = MailServer(chosen.lasts), MailServer()
    await late.listen()
    await quick.listen()
    slow = [f"slow{number}" for number in range(chosen.lanes)]
    with tempfile.TemporaryDirectory() as folder:
        async with crowd(Path(folder), {"quick": quick.port, **dict.fromkeys(slow, late.port)}) as running:
            await rate(running, quick, 500)
            alone = [await rate(running, quick, chosen.quick) for _ in range(2)]
            before_mb = running.memory_mb()
            begin = time.perf_counter()
            for start in range(0, len(slow), 50):
                part = slow[start : start + 50]
                await asyncio.gather(*(running.post(name, [EVENT] * chosen.mails) for name in part))
            posted = time.perf_counter() - begin
            watching = asyncio.create_task(watch(running, late))
            beside = [await rate(running, quick, chosen.quick) for _ in range(2)]
            await late.takes(chosen.lanes * chosen.mails)
            took = time.perf_counter() - begin
            watching.cancel()
    most, held, files, memory_mb = peak
    print(f"{chosen.lanes:,} servers, {chosen.lasts:g} s a mail, {chosen.mails} mails each, posted in {posted:.1f} s")
    print(f"  servers waited for at once, at most    {most:,} ({held:,} mails)")
    print(f"  all of it sent after                   {took:.0f} s; one server alone needs {chosen.lasts:g} s at least")
    print(f"  memory                                 {before_mb:.0f} MB before, {memory_mb:.0f} MB at most")
    print(f"  file descriptors, at most              {files:,}")
    print(f"  quick tenant alone, mails/s            {', '.join(f'{one:,.0f}' for one in alone)}")
    print(f"  quick tenant beside them, mails/s      {', '.join(f'{one:,.0f}' for one in beside)}")
    print(f"  ratio of the better ones               {max(beside) / max(alone):.2f}")


peak = (0, 0, 0, 0.0)


async def watch(running: Crowd, late: MailServer) -> None:
    """Keep the highest of: servers and mails waited for, file descriptors, memory."""
    global peak  # noqa: PLW0603
    while True:
        held = +late.held
        now = (len(held), held.total(), running.files(), running.memory_mb())
        peak = (max(peak[0], now[0]), max(peak[1], now[1]), max(peak[2], now[2]), max(peak[3], now[3]))
        await asyncio.sleep(0.5)


async def rate(running: Crowd, quick: MailServer, mails: int) -> float:
    """Mails a second of the quick tenant, from the first request to the last mail."""
    before, begin = quick.taken.total(), time.perf_counter()
    for _ in range(mails // 500):
        await asyncio.gather(*(running.post("quick", [EVENT] * 50) for _ in range(10)))
    await quick.takes(before + mails)
    return mails / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
