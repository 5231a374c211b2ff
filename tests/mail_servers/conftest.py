"""Runs each mail server once per test process; tells loudly what had to be left out."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.left_out import left_out
from tests.mail_servers.certificates import issue
from tests.mail_servers.measuring import PRODUCTS
from tests.mail_servers.processes import RunningServer, folder, loopback_address


@dataclass(frozen=True, slots=True)
class Site:
    """A running server and the authority that vouches for it."""

    server: RunningServer
    authority: Path


Sites = Callable[[str], Site]


@pytest.fixture(scope="session")
def sites() -> Generator[Sites]:
    """The server of a product, started when it is first asked for. Skips where it cannot run."""
    started: dict[str, Site] = {}
    with ExitStack() as stack:

        def site(name: str) -> Site:
            if reason := PRODUCTS[name].missing():
                left_out(f"no {name}: {reason}")
            if name not in started:
                place, address = stack.enter_context(folder()), loopback_address()
                certificates = issue(place, address)
                server = stack.enter_context(PRODUCTS[name].running(place, address, certificates))
                started[name] = Site(server, certificates.authority)
            return started[name]

        yield site
