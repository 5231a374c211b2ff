"""Small and large: does a claim, an accepted event or a page of the list take longer where there is more of everything?

Two databases of each kind, a small one and a large one, are asked the same in turns through the functions that the
product itself uses. Then a process serves the large one, and its peak memory is watched while all that waits.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from bench import machine, population, postgresql, results
from bench.contenders.ringpost import Served
from bench.population import BUSY_TENANTS, Size, tenant_id
from bench.race import workspace
from bench.sink import Sink, running_sink
from ringpost import wiring
from ringpost.config import Config
from ringpost.domain.events import parse_event
from ringpost.domain.tenants import TenantId
from ringpost.storage import deliveries, outbox
from ringpost.usecases.accept_events import accept_events
from ringpost.usecases.claim_deliveries import Ring, Wanted
from ringpost.usecases.room import Room

Kind = Literal["SQLite", "PostgreSQL"]
SMALL: Final = Size(1_000, 1_000, 1_000)
LARGE: Final = Size(100_000, 10_000_000, 1_000_000)
A_TENTH: Final = Size(10_000, 1_000_000, 100_000)
CLAIMED: Final = 64
"""Mails of one claim, one of each queue."""
ACCEPTED: Final = 20
"""Events of one request."""
_NEEDED_GB: Final = {LARGE: 20, A_TENTH: 3}


@dataclass
class _Hand:
    """What is done in one room, again and again."""

    room: Room
    tenants: int
    ring: Ring = field(default_factory=Ring)
    done: int = 0

    async def accept(self) -> None:
        self.done += 1
        tenant = TenantId(tenant_id(self.done * 7919 % self.tenants))
        fields = {"type": "QUEUE_SLA", "variables": {"QUEUE_NAME": "Sales", "QUEUE_NUMBER": self.done}}
        await accept_events(self.room, [parse_event(tenant, fields) for _ in range(ACCEPTED)])

    async def page(self) -> None:
        self.done += 1
        tenant = TenantId(tenant_id(self.done % BUSY_TENANTS))
        found = await self.room.database.read(deliveries.page, tenant, deliveries.Filter())
        assert len(found) == 50

    async def claim(self) -> float:
        """Seconds; what was claimed is given back after the clock has stopped."""
        self.done += 1
        wanted = Wanted(
            name=f"bench{self.done}",
            lease_ms=60_000,
            slots=CLAIMED,
            emergency_slots=CLAIMED,
            probe_slots=CLAIMED,
            share_out=lambda queues, _urgency, _free, _taken: dict.fromkeys(queues, 1),
            bytes_left=1 << 30,
            one_however_large=True,
        )
        for _ in range(10):
            begin = time.perf_counter()
            works, *_ = await self.ring.claim_deliveries(self.room, wanted)
            taken = time.perf_counter() - begin
            if works:
                await self.room.database.write(outbox.give_back, self.room.clock(), [work.claimed for work in works])
            if len(works) == CLAIMED:  # it is less where the ring of queues ends
                return taken
        raise RuntimeError(f"no claim was of {CLAIMED} mails")


def main(*, full: bool) -> None:
    """Fill, ask, serve, and save."""
    steal = machine.Steal()
    large = LARGE if full else A_TENTH
    free = shutil.disk_usage(machine.DISK).free / 2**30
    if free < _NEEDED_GB[large]:
        print(f"Left out: {machine.DISK} has {free:.0f} GB free, and {_NEEDED_GB[large]} are needed.")
        return
    found: dict[str, Any] = {"small": SMALL.words, "large": large.words, "waiting": large.waiting, "databases": {}}
    kinds: tuple[Kind, ...] = ("SQLite", "PostgreSQL")
    for kind in kinds:
        reason = postgresql.missing() if kind == "PostgreSQL" else None
        try:
            found["databases"][kind] = {"left_out": reason} if reason else _one_kind(kind, large, full=full)
        except Exception as error:  # noqa: BLE001  the other one is measured
            found["databases"][kind] = {"left_out": str(error).splitlines()[0][:300] if str(error) else repr(error)}
            print(f"  {kind} failed: {found['databases'][kind]['left_out']}", flush=True)
    results.save("scale", found, steal=steal, full=full)


def _one_kind(kind: Kind, large: Size, *, full: bool) -> dict[str, Any]:
    with ExitStack() as stack:
        log = stack.enter_context(workspace()) / "sink.log"
        sink = stack.enter_context(running_sink(log))
        configs: list[Config] = []
        served: list[Served] = []
        for size in (SMALL, large):
            begin = time.monotonic()
            folder = stack.enter_context(workspace())
            url = stack.enter_context(postgresql.running(folder)).url if kind == "PostgreSQL" else None
            served.append(Served(folder, 1, {"RINGPOST_DATABASE_URL": url} if url else {}))
            configs.append(Config(data_dir=folder / "data", database_url=url))
            models = population.models(served[-1], sink, configs[-1].url)
            population.fill(configs[-1].url, folder, models, size)
            print(f"  {kind}: {size.words}, filled in {time.monotonic() - begin:.0f} s", flush=True)
        laps = asyncio.run(_ask(configs, (SMALL, large), rounds=30 if full else 15))
        return {"laps": laps, **_serve(served[-1], sink, 60.0 if full else 15.0)}


async def _ask(configs: list[Config], sizes: tuple[Size, Size], rounds: int) -> list[dict[str, dict[str, float]]]:
    """Milliseconds of each thing on the small and the large one, by round."""
    laps: list[dict[str, dict[str, float]]] = []
    async with AsyncExitStack() as stack:
        rooms = [await stack.enter_async_context(wiring.open_room(config)) for config in configs]
        hands = [_Hand(room, size.tenants) for room, size in zip(rooms, sizes, strict=True)]
        small, large = hands
        for number in range(rounds + 1):
            in_turn = (("small", small), ("large", large)) if number % 2 else (("large", large), ("small", small))
            lap: dict[str, dict[str, float]] = {"claim": {}, "accept": {}, "page": {}}
            for name, hand in in_turn:
                lap["claim"][name] = sum([await hand.claim() for _ in range(10)]) / 10 * 1000
                lap["accept"][name] = await _mean_ms(hand.accept)
                lap["page"][name] = await _mean_ms(hand.page)
            if number:  # the first round warms up
                laps.append(lap)
    for what in ("claim", "accept", "page"):
        ratios = sorted(lap[what]["large"] / lap[what]["small"] for lap in laps)
        print(f"  {what:7} takes {ratios[len(ratios) // 2]:.2f} times as long ({ratios[0]:.2f} .. {ratios[-1]:.2f})")
    return laps


async def _mean_ms(what: Callable[[], Awaitable[None]], calls: int = 20) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        await what()
    return (time.perf_counter() - begin) / calls * 1000


def _serve(served: Served, sink: Sink, seconds: float) -> dict[str, float]:
    """Serve and send for a while: peak memory of the process, and mails a second."""
    with served.one_more() as process:
        before, begin = sink.taken, time.monotonic()
        time.sleep(seconds)
        sent = (sink.taken - before) / (time.monotonic() - begin)
        peak = _peak_mb(process.pid)
    print(f"  peak memory of the serving process: {peak:.0f} MB; {sent:,.0f} mails/s", flush=True)
    return {"peak_mb": peak, "rate": sent}


def _peak_mb(pid: int) -> float:
    """Peak resident memory (proc(5), VmHWM)."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert peak
    return int(peak[1]) / 1024
