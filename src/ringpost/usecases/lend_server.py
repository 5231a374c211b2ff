"""Lend the system's mail server: of what was claimed, each tenant's share of the hour goes on; the rest waits."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage, Urgency
from ringpost.domain.lending import Loan, lend, without
from ringpost.domain.tenants import TenantId
from ringpost.storage import loans, outbox, outcomes, queues
from ringpost.usecases.room import Room


def lend_server(connection: Connection, room: Room, claimed: Sequence[outbox.Claimed]) -> list[outbox.Claimed]:
    """What may be tried now. What is over the limit is given back, and its queue held until the hour is over.

    Emergencies and probes are neither limited nor counted.
    """
    per_hour = room.options.borrowed_mails_per_hour
    borrowed = _borrowed(claimed) if per_hour else {}
    if not borrowed:
        return list(claimed)
    now, known = room.clock(), loans.keep_each(connection, sorted(borrowed))
    changed: dict[TenantId, Loan] = {}
    over: list[outbox.Claimed] = []
    for tenant, items in borrowed.items():
        granted, changed[tenant] = lend(known[tenant], now=now, wanted=len(items), per_hour=per_hour)
        if granted < len(items):
            over += items[granted:]
            outcomes.hold_queue(connection, items[0].queue, now, changed[tenant].until, _why(per_hour))
    loans.save(connection, changed)
    if over:
        outbox.give_back(connection, now, over)
    waiting = {item.id for item in over}
    return [item for item in claimed if item.id not in waiting]


def take_back(connection: Connection, room: Room, untried: Sequence[outbox.Claimed]) -> None:
    """What was claimed and given back untried does not count: nobody has used the server.

    A queue that waits for the end of the hour goes on when there is room in the hour again.
    """
    per_hour = room.options.borrowed_mails_per_hour
    borrowed = _borrowed(untried) if per_hour else {}
    known = loans.keep(connection, sorted(borrowed)) if borrowed else {}
    if not known:
        return
    changed = {tenant: without(loan, len(borrowed[tenant])) for tenant, loan in known.items()}
    loans.save(connection, changed)
    with_room = [borrowed[tenant][0].queue for tenant, loan in changed.items() if loan.used < per_hour]
    outcomes.release_queues(connection, with_room)


def _borrowed(claimed: Sequence[outbox.Claimed]) -> dict[TenantId, list[outbox.Claimed]]:
    found: dict[TenantId, list[outbox.Claimed]] = {}
    for item in claimed:
        if queues.is_borrowed(item.queue) and item.urgency is not Urgency.EMERGENCY and not item.probe:
            found.setdefault(item.tenant, []).append(item)
    return found


def _why(per_hour: int) -> Outcome:
    hint = (
        f"The {per_hour} mails that may go through the system's mail server in an hour have gone. The rest goes by "
        "itself when the hour is over; a mail server of your own has no such limit."
    )
    return Outcome(RETRY, Stage.RESOLVE, Party.CONFIGURATION, hint=hint)
