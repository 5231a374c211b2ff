"""A flood of one tenant and ten servers that never greet: how long others wait, against what is promised.

    python -m bench.fairness --flood 100000

From the acknowledgement of an event until its mail's RCPT command comes to the mail server (MAIL goes in the same
write): an emergency of tenant B within 1 s at p99, B's normal mail within 5 s, the flooder's own emergency within 3 s.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from bench.crowd import Crowd, MailServer, crowd

NORMAL = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales", "CALLER_NUMBER": "+15550100", "SLA_TIME": 90}}
EMERGENCY = {"type": "EMERGENCY_CALL", "variables": {"CALLER_NUMBER": "101", "CALLEE_NUMBER": "112"}}
SILENT = tuple(f"silent{number}" for number in range(10))
GOALS_S: Mapping[str, float] = {"emergency of B": 1.0, "normal mail of B": 5.0, "emergency of A": 3.0}


def main() -> None:
    """Print the three latencies beside their goals."""
    parser = argparse.ArgumentParser(description="How long others wait for a flood.")
    parser.add_argument("--flood", type=int, default=100_000)
    parser.add_argument("--probes", type=int, default=200, help="of each kind")
    uvloop.run(run(parser.parse_args()))


async def run(chosen: argparse.Namespace) -> None:
    """Measure, and print."""
    server, silent = MailServer(), MailServer(None)
    await server.listen()
    await silent.listen()
    with tempfile.TemporaryDirectory() as folder:
        servers = {"a": server.port, "b": server.port, **dict.fromkeys(SILENT, silent.port)}
        async with crowd(Path(folder), servers) as running:
            await asyncio.gather(*(running.post(name, [NORMAL] * 100) for name in SILENT))
            begin = time.perf_counter()
            flooding = asyncio.create_task(flood(running, chosen.flood))
            await server.takes(min(1000, chosen.flood // 10))
            waited = await probe(running, server, chosen.probes)
            left = chosen.flood - server.taken[b"a@example.com"]
            await flooding
            took = time.perf_counter() - begin
    print(f"{chosen.flood:,} mails of A, {len(SILENT)} silent servers, {chosen.probes} probes of each kind")
    print(f"  the flood was posted in {took:.0f} s; {max(0, left):,} of it were not sent when the last probe was")
    for kind, seconds in waited.items():
        p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98]
        words = f"p50 {statistics.median(seconds):.3f} s, p99 {p99:.3f} s, at most {max(seconds):.3f} s"
        print(f"  {kind:18} {words}; goal {GOALS_S[kind]:g} s: {'kept' if p99 <= GOALS_S[kind] else 'MISSED'}")


async def flood(running: Crowd, mails: int) -> None:
    """Post them as fast as they are taken, a thousand in a request."""
    for _ in range(mails // 1000):
        await running.post("a", [NORMAL] * 1000)


async def probe(running: Crowd, server: MailServer, count: int) -> dict[str, list[float]]:
    """Seconds from acknowledged to the mail server, of each kind, one after the other all through the flood."""
    waited: dict[str, list[float]] = {kind: [] for kind in GOALS_S}
    for number in range(count):
        for kind, name, event in (
            ("emergency of B", "b", EMERGENCY),
            ("normal mail of B", "b", NORMAL),
            ("emergency of A", "a", EMERGENCY),
        ):
            who = f"{kind.replace(' ', '-')}-{number}@example.com"
            waited[kind].append(await one(running, server, name, {**event, "recipients": [who]}))
    return waited


async def one(running: Crowd, server: MailServer, name: str, event: dict[str, Any]) -> float:
    """Seconds from acknowledged to the mail server, of one event; 0 when the mail came first."""
    acknowledged = await running.post(name, [event])
    who = f"{name}@example.com {event['recipients'][0]}".encode()
    async with asyncio.timeout(120):
        return max(0.0, await server.hears_of(who) - acknowledged)


if __name__ == "__main__":
    main()
