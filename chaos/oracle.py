"""What must be true at the end, told from the senders' receipts, the mail servers' records and the API.

Every delivery that was acknowledged is *sent*, and then a server has really taken its mail, or has *ended otherwise*
with a reason that its tenant can read; what is neither is *lost*. A mail that servers took *twice* has the same
Message-ID each time, and its story has an ambiguous attempt for every time but the one that was heard of: nobody could
know. So has a mail that a server took although it has ended otherwise.

The message of each copy came while the attempt was under way that it is of. One that came *late* was sent by a worker
that had lost its lease: the mail was another's by then, or had been sent. A worker that is stopped just between asking
whether its lease runs and writing does that when it is continued, and nothing can keep it from it; so there may be a
few where processes were stopped, and none where they were not.
"""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from chaos.mail_servers import Taken
from chaos.operators import GONE
from chaos.senders import Journal

PAGE = 200
ENDED_OTHERWISE = ("rejected", "expired", "cancelled")
TOLD = 10
"""Cases that are described in full."""
TOLERANCE_S = 0.3
"""How much later than it was written a message may be read: the mail servers are one busy process."""


@dataclass(slots=True)
class Verdict:
    """The end of a run."""

    acknowledged: int = 0
    sent: int = 0
    ended_otherwise: int = 0
    lost: int = 0
    twice: int = 0
    twice_unexplained: int = 0
    late: int = 0
    """Copies that were begun when their attempt was over."""
    late_allowed: int = 0
    """One for each time that a process was stopped."""
    faults: list[str] = field(default_factory=list[str])
    """What must not be, in words."""
    unknown: Counter[str] = field(default_factory=Counter[str])
    """Why nobody could know whether a server had a mail that came twice, and at how many attempts."""
    endings: Counter[str] = field(default_factory=Counter[str])
    """How and why deliveries ended without being sent, and how many."""

    @property
    def good(self) -> bool:
        """Nothing was lost, and nothing came twice without need."""
        return not (self.lost or self.twice_unexplained or self.faults or self.late > self.late_allowed)

    def __str__(self) -> str:
        """The one line."""
        twice = f"{self.twice} (all ambiguous, same Message-ID)" if self.twice else "0"
        if self.twice_unexplained:
            twice = f"{self.twice} ({self.twice_unexplained} NOT explained by an ambiguous attempt)"
        if self.late:
            twice += f" ({self.late} begun by who had lost its lease, {self.late_allowed} allowed)"
        return (
            f"{self.acknowledged} acknowledged, {self.sent} sent, {self.ended_otherwise} ended otherwise, "
            f"{self.lost} lost, {twice} twice" + (f", {len(self.faults)} other faults" if self.faults else "")
        )


class Mailroom:
    """What the servers took, counted as it comes."""

    def __init__(self) -> None:
        self.copies: dict[str, list[float]] = {}
        """By delivery: when the message of each began to arrive, seconds since 1970."""
        self.recipients: dict[str, str] = {}

    def add(self, taken: Sequence[Taken]) -> None:
        """Count what was newly taken, except what tenants of a day have sent."""
        for mail in taken:
            if mail.recipient.startswith(GONE):
                continue
            self.copies.setdefault(mail.delivery, []).append(mail.began)
            self.recipients[mail.delivery] = mail.recipient


async def judge(journal: Journal, room: Mailroom, clients: Sequence[httpx.AsyncClient], *, stops: int = 0) -> Verdict:
    """Compare all three. `clients` are those of the tenants, in order; the outbox is empty.

    `stops`: how often a process was stopped and continued.
    """
    verdict = Verdict(acknowledged=len(journal.receipts), late_allowed=stops, faults=journal.complaints[:TOLD])
    otherwise: dict[str, dict[str, Any]] = {}
    for client in clients:
        otherwise |= await _ended_otherwise(client)
    for delivery, receipt in journal.receipts.items():
        if delivery in otherwise:
            verdict.ended_otherwise += 1
            verdict.endings[f"{otherwise[delivery]['state']}: {_reason(otherwise[delivery])}"] += 1
            if otherwise[delivery]["state"] != "cancelled" and not _reason(otherwise[delivery]):
                verdict.faults.append(f"{delivery} is {otherwise[delivery]['state']} and nobody says why")
        elif delivery not in room.copies:
            verdict.lost += 1
            if verdict.lost <= TOLD:
                story = (await clients[receipt.tenant].get(f"/deliveries/{delivery}")).text
                verdict.faults.append(f"LOST: {delivery} for {receipt.recipient}: {story}")
        else:
            verdict.sent += 1
    await _judge_copies(verdict, journal, room, clients, otherwise)
    return verdict


async def _judge_copies(
    verdict: Verdict,
    journal: Journal,
    room: Mailroom,
    clients: Sequence[httpx.AsyncClient],
    otherwise: Container[str],
) -> None:
    for delivery, copies in room.copies.items():
        receipt = journal.receipts.get(delivery)
        if receipt is None or room.recipients[delivery] != receipt.recipient:
            verdict.faults.append(f"a mail {delivery} for {room.recipients[delivery]} was sent that nobody asked for")
        elif len(copies) > 1 or delivery in otherwise:
            verdict.twice += len(copies) > 1
            story = (await clients[receipt.tenant].get(f"/deliveries/{delivery}")).json()
            unknown = [attempt["hint"] for attempt in story["all_attempts"] if attempt["ambiguous"]]
            verdict.unknown.update(unknown)
            verdict.late += late_copies(copies, story["all_attempts"])
            if len(copies) > len(unknown) + (story["state"] == "sent"):
                verdict.twice_unexplained += 1
                verdict.faults.append(f"{len(copies)} TIMES without need: {story}")


def late_copies(begun: Sequence[float], attempts: Sequence[dict[str, Any]]) -> int:
    """How many copies came when the attempt that they are of was over.

    An attempt that may have handed a mail over accounts for one copy that was begun since the attempt before it ended.
    """
    may_have: list[tuple[float, float]] = []
    since = 0.0
    for attempt in sorted(attempts, key=lambda one: one["number"]):
        until = datetime.fromisoformat(attempt["started_at"]).timestamp() + attempt["duration_ms"] / 1000
        if attempt["ambiguous"] or attempt["verdict"] == "sent":
            may_have.append((since - TOLERANCE_S, until + TOLERANCE_S))
        since = until
    late = 0
    for at in sorted(begun):
        own = next((one for one in may_have if one[0] <= at <= one[1]), None)
        if own is None:
            late += 1
        else:
            may_have.remove(own)
    return late


async def _ended_otherwise(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for state in ENDED_OTHERWISE:
        skip = 0
        while page := (await in_state(client, state, skip)):
            found |= {item["id"]: item for item in page}
            skip += PAGE
    return found


async def have_all_ended(client: httpx.AsyncClient) -> bool:
    """Whether a tenant has nothing in the outbox.

    A look sees one state, and what is claimed or given back between two looks is in neither; so there are three.
    """
    return not any([await in_state(client, state) for state in ("sending", "queued", "sending")])


async def in_state(client: httpx.AsyncClient, state: str, skip: int = 0) -> list[dict[str, Any]]:
    """A page of a tenant's deliveries."""
    answer = await client.get("/deliveries", params={"state": state, "top": PAGE, "skip": skip})
    answer.raise_for_status()
    return answer.json()["items"]


def _reason(delivery: dict[str, Any]) -> str:
    last: dict[str, Any] | None = delivery["last_attempt"]
    return (last["hint"] or last["reply"] or "") if last else ""
