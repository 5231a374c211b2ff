"""What waits to be written, and how a group of it is run: in one transaction, together with its like."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

LARGEST: Final = 1000
"""Weight of a commit, after which no more joins it: bounds how long the first waits, and the size of a transaction."""

_AFTERWARDS: Final = "ringpost_afterwards"

Calls = list[tuple[Callable[[], None], Callable[[], None]]]
"""What is left to be called once a write is on disk, and when it is not going to be."""


def afterwards(connection: Connection, done: Callable[[], None], undone: Callable[[], None]) -> None:
    """Inside of a write: have `done` called once it is on disk, or `undone` when it is not going to be.

    One of the two, once, on the event loop, and before whoever waits for the write hears of it. A write that is run
    again leaves its own anew.
    """
    calls_of(connection).append((done, undone))


def calls_of(connection: Connection) -> Calls:
    """What was left to be called in this transaction."""
    return connection.info[_AFTERWARDS]


def collect_calls(connection: Connection) -> Calls:
    """Begin to collect, for a new transaction."""
    calls = connection.info[_AFTERWARDS] = Calls()
    return calls


@dataclass(slots=True)
class Job:
    """One thing to write, and who waits for it."""

    work: Callable[..., Any]
    argument: tuple[object, object] | None
    """Context and item of a job that may be joined with its like; None for one that stands alone."""
    future: "asyncio.Future[Any]"
    quick: bool = False
    """It takes some hundredths of a millisecond for each item, and touches nothing but what was used lately."""
    weight: int = 1
    """As how many items it counts: of a list of events, each one, and a large one as several."""
    result: object = None
    error: BaseException | None = None


def gather(waiting: deque[Job], jobs: list[Job], most: int = LARGEST) -> None:
    """Add to a group, from the front of what waits, until there is nothing more or the group is large enough."""
    weight = sum(job.weight for job in jobs)
    while waiting and weight < most:
        job = waiting.popleft()
        jobs.append(job)
        weight += job.weight


def grouped(jobs: list[Job]) -> list[list[Job]]:
    """Jobs that are handed over together: those joined by work and context, at the place of the first of them."""
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        key = id(job) if job.argument is None else (job.work, id(job.argument[0]))
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def run(connection: Connection, group: list[Job]) -> None:
    """Do the work of jobs that are handed over together."""
    for job in group:
        job.error = None  # of an earlier try
    first = group[0]
    if first.argument is None:
        first.result = first.work(connection)
        return
    items = [job.argument[1] for job in group if job.argument is not None]
    for job, result in zip(group, first.work(connection, first.argument[0], items), strict=True):
        job.result = result


def call_all(calls: Sequence[Callable[[], None]]) -> None:
    """What was left to be called, in its order."""
    for call in calls:
        call()


def answer(jobs: Sequence[Job]) -> None:
    """Tell those who wait."""
    for job in jobs:
        if job.future.done():  # the waiter was cancelled; the write stands all the same
            continue
        if isinstance(job.error, StopIteration):  # a future takes none, as a generator lets none out (PEP 479)
            job.error = RuntimeError(f"A write raised {job.error!r}")
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
