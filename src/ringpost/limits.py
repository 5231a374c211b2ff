"""How often is too often: bad tokens, logins and test mails. All in memory, of this process, and bounded.

Time is monotonic seconds and comes in as a function, so that a clock set back opens nothing.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

from ringpost.errors import Invalid, NotConfigured, RateLimited

Clock = Callable[[], float]
LARGEST_TABLE = 10_000
"""Keys remembered; beyond that, the one that was quiet for the longest is forgotten."""
TOO_OFTEN = "Too many tries. Wait, then try again."


class SlidingWindow:
    """At most `limit` hits of one key in any `seconds`."""

    def __init__(self, limit: int, seconds: float, clock: Clock, *, largest: int = LARGEST_TABLE) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._largest = largest
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    def hit(self, key: str) -> None:
        """Count one. Raises RateLimited, and does not count it, when the limit was reached."""
        hits = self._recent(key)
        if len(hits) >= self._limit:
            raise RateLimited(TOO_OFTEN, _whole_seconds(hits[0] + self._seconds - self._clock()))
        hits.append(self._clock())

    def take_back(self, key: str) -> None:
        """Uncount the last hit: it turned out not to be one."""
        if hits := self._hits.get(key):
            hits.pop()

    def _recent(self, key: str) -> deque[float]:
        hits = self._hits.setdefault(key, deque(maxlen=self._limit))
        self._hits.move_to_end(key)
        if len(self._hits) > self._largest:
            self._hits.popitem(last=False)
        past = self._clock() - self._seconds
        while hits and hits[0] <= past:
            hits.popleft()
        return hits


class BackOff:
    """After `free` failures of a key each further one doubles the wait, from one second to `longest`."""

    def __init__(self, free: int, longest: float, clock: Clock, *, largest: int = LARGEST_TABLE) -> None:
        self._free = free
        self._longest = longest
        self._clock = clock
        self._largest = largest
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Count a try as failed before it is made, so that tries at the same time do not slip through.

        Raises RateLimited while the key has to wait.
        """
        now = self._clock()
        failures, wait_until = self._failures.get(key, (0, now))
        if wait_until > now:
            raise RateLimited(TOO_OFTEN, _whole_seconds(wait_until - now))
        if now - wait_until > self._longest:  # quiet for long enough to begin anew
            failures = 0
        wait = min(2.0 ** min(failures - self._free, 30), self._longest) if failures >= self._free else 0.0
        self._failures[key] = (failures + 1, now + wait)
        self._failures.move_to_end(key)
        if len(self._failures) > self._largest:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """The try was good: forget the key's failures."""
        self._failures.pop(key, None)


class LoginLimits:
    """Guessing passwords: slow for one account from one place, for one place, and for one account from everywhere.

    Five free failures per account and address, then 1, 2, 4 ... 900 s. 30 failures in 5 minutes per address; 100 an
    hour per account, so that many addresses do not help either.
    """

    def __init__(self, clock: Clock) -> None:
        self._pairs = BackOff(5, 900, clock)
        self._addresses = SlidingWindow(30, 300, clock)
        self._accounts = SlidingWindow(100, 3600, clock)

    def begin(self, account: str, address: str) -> None:
        """Before a try. Raises RateLimited."""
        self._pairs.begin(f"{address} {account}")  # first: what it holds back does not count against the account
        self._addresses.hit(address)
        self._accounts.hit(account)

    def succeeded(self, account: str, address: str) -> None:
        """After a good try; it does not count as a failure of anyone."""
        self._addresses.take_back(address)
        self._accounts.take_back(account)
        self._pairs.succeeded(f"{address} {account}")


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one API process."""

    bad_tokens: SlidingWindow
    logins: LoginLimits
    test_mails: SlidingWindow
    """Counted by tenant; an examination of a mail server counts as one."""

    @contextmanager
    def test_mail(self, tenant: str) -> Generator[None]:
        """Round the sending of a test mail. Raises RateLimited; what cannot be tried is not counted."""
        self.test_mails.hit(tenant)
        try:
            yield
        except (Invalid, NotConfigured):
            self.test_mails.take_back(tenant)
            raise

    @classmethod
    def start(cls, clock: Clock) -> "Limits":
        """Ten bad tokens a minute and address; five test mails a minute and tenant."""
        return cls(SlidingWindow(10, 60, clock), LoginLimits(clock), SlidingWindow(5, 60, clock))


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from. An IPv6 customer has a /64 at least (RFC 6177), so that counts as one address."""
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host)
    except ValueError:  # a Unix socket, or a test client
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((int(address) >> 64 << 64, 64)))
    return host


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))
