"""How much a tenant may borrow of the system's mail server: so many mails an hour; what is over waits.

An hour begins with the first mail. Every try counts, because every try uses the operator's server.
"""

from dataclasses import dataclass

from ringpost.domain.times import HOUR_MS


@dataclass(frozen=True, slots=True)
class Loan:
    """What a tenant has used of its hour. `since` is in milliseconds since 1970, UTC."""

    since: int
    used: int = 0

    @property
    def until(self) -> int:
        """When the hour is over."""
        return self.since + HOUR_MS


def lend(loan: Loan | None, *, now: int, wanted: int, per_hour: int) -> tuple[int, Loan]:
    """How many of the `wanted` mails may go now, and the loan after them. A clock set back begins a new hour."""
    if loan is None or not loan.since <= now < loan.until:
        loan = Loan(now)
    granted = max(0, min(wanted, per_hour - loan.used))
    return granted, Loan(loan.since, loan.used + granted)


def without(loan: Loan, untried: int) -> Loan:
    """The loan when so many of its mails were never tried. An hour that began since has not counted them all."""
    return Loan(loan.since, max(0, loan.used - untried))
