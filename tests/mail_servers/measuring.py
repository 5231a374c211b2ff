"""What really comes of a cell: settings as a tenant saves them, one mail, a server that is not ours."""

import asyncio
import random
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, cast

from tests.mail_servers import exim, node_server, postfix
from tests.mail_servers.cells import (
    HOST,
    NOT_SAVED,
    PASSWORD,
    PORTS,
    PROVIDER_PORTS,
    USERNAME,
    WRONG_NAME,
    Case,
    Cell,
    Manners,
    Result,
)
from tests.mail_servers.certificates import Certificates
from tests.mail_servers.processes import RunningServer, can_listen_below_1024, loopback_address
from tests.mail_servers.tap import Tap, tap
from tests.patience import patience

from ringpost.domain.addresses import parse_address
from ringpost.domain.credentials import ProviderHosts, SmtpHost
from ringpost.domain.deliveries import Outcome
from ringpost.domain.hosts import parse_allowed_networks
from ringpost.domain.mail_servers import SmtpEndpoint
from ringpost.domain.messages import Envelope
from ringpost.domain.server_rules import ServerRules, parse_mail_server
from ringpost.errors import Invalid
from ringpost.transports.egress import EgressRules
from ringpost.transports.smtp import Deadlines, SmtpOptions, SmtpTransport

Running = Callable[[Path, str, Certificates], AbstractContextManager[RunningServer]]
_LOOPBACK: Final = parse_allowed_networks("127.0.0.0/8")
_OUR_PORTS: Final = frozenset(PORTS)
_PROVIDERS: Final = ProviderHosts(
    microsoft=SmtpHost(HOST, PROVIDER_PORTS["MS365"]), google=SmtpHost(HOST, PROVIDER_PORTS["GMAIL"])
)
_WITH: Final = re.compile(rb"\bwith (?:utf8)?(e?smtp[sa]*)\b", re.IGNORECASE)
_RECIPIENTS: Final = {
    Case.IDN_RECIPIENT: "alice@münchen.de",
    Case.UTF8_RECIPIENT: "用户@例子.公司",
    Case.UTF8_NOT_OFFERED: "用户@例子.公司",
}


@dataclass(frozen=True, slots=True)
class Product:
    """A mail server that others made, and how to run it here."""

    name: str
    manners: Manners
    running: Running
    missing: Callable[[], str | None]
    """Why it cannot run here, or None."""


def _product(module: ModuleType) -> Product:
    return Product(
        module.NAME,
        cast("Manners", module.MANNERS),
        cast("Running", module.running),
        cast("Callable[[], str | None]", cache(module.missing)),
    )


PRODUCTS: Final = {product.name: product for product in map(_product, (postfix, exim, node_server))}


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a cell, with all that a test wants to look at."""

    result: Result
    outcome: Outcome | None
    heard: Tap
    wanted: bytes
    """The body that was sent."""
    arrived: bytes | None
    """The mail as the server keeps it."""


def cannot_run(cell: Cell) -> str | None:
    """Why this cell cannot be measured here, or None."""
    if cell.port_in_effect < 1024 and not can_listen_below_1024():
        return "ports below 1024 are not for ordinary users"
    return None


async def measure(cell: Cell, server: RunningServer, authority: Path) -> Measured:
    """Send one mail with these settings; a failure is a result like any other."""
    listening = loopback_address()
    message_id, body = f"<{random.getrandbits(64):x}@ringpost.test>", b"Good morning.\r\n.a line with a dot\r\n"
    async with tap(listening, server.address, cell.port_in_effect) as heard:
        try:
            endpoint = saved(cell)
        except Invalid as refusal:
            fields = " ".join(fault.field for fault in refusal.errors)
            result = NOT_SAVED if fields == "enable_tls_ssl" else Result("not saved", stage=fields)
            return Measured(result, None, heard, body, None)
        transport = SmtpTransport(endpoint, _options(cell, listening, authority))
        try:
            outcome = await transport.send(_envelope(cell), _message(message_id, body))
        finally:
            await transport.close()
    arrived = await arrival(server, message_id) if outcome.verdict == "sent" else server.mail(message_id)
    party = outcome.party.value if outcome.party else ""
    result = Result(outcome.verdict.value, party, outcome.stage.value, outcome.code, _received_with(arrived))
    return Measured(replace(result, password_in_clear=heard.heard_password), outcome, heard, body, arrived)


def saved(cell: Cell) -> SmtpEndpoint:
    """The settings as a tenant posts them, parsed. Invalid when they are refused."""
    posted = {
        "type": cell.type,
        "server": (WRONG_NAME if cell.case is Case.WRONG_NAME else HOST) if cell.type == "SMTP" else None,
        "port": cell.port,
        "username": USERNAME,
        "password": PASSWORD + "?" if cell.case is Case.WRONG_PASSWORD else PASSWORD,
        "auth": cell.auth,
        "enable_tls_ssl": cell.tls_ssl,
        "enable_starttls_auto": cell.starttls_auto,
    }
    permitted = cell.case is Case.CLEAR_PERMITTED
    rules = ServerRules(allowed=_LOOPBACK, extra_ports=_OUR_PORTS, clear_login=permitted)
    endpoint = parse_mail_server(posted, rules).endpoint(restricted=True, hosts=_PROVIDERS)
    assert isinstance(endpoint, SmtpEndpoint)
    return endpoint


def _options(cell: Cell, address: str, authority: Path) -> SmtpOptions:
    async def lookup(_host: str, _port: int) -> list[str]:
        return [address]

    # Where TLS has to come first, a server that is greeted in clear says nothing for ever, so that need not take long.
    silent = PORTS[cell.port_in_effect].startswith("TLS from") and cell.mode != "implicit"
    return SmtpOptions(
        ehlo_name="ringpost.test",
        deadlines=Deadlines(greeting=0.1) if silent else Deadlines(),
        ca_file=None if cell.case is Case.UNKNOWN_AUTHORITY else str(authority),
        clear_login=cell.case is Case.CLEAR_PERMITTED,
        egress=EgressRules(allowed=_LOOPBACK, extra_ports=_OUR_PORTS, lookup=lookup),
    )


def _envelope(cell: Cell) -> Envelope:
    recipient = _RECIPIENTS.get(cell.case, "alice@recipient.example")
    return Envelope(parse_address(USERNAME), parse_address(recipient))


def _message(message_id: str, body: bytes) -> bytes:
    head = f"From: {USERNAME}\r\nTo: alice@recipient.example\r\nSubject: x\r\nMessage-ID: {message_id}\r\n\r\n"
    return head.encode() + body


def _received_with(arrived: bytes | None) -> str:
    found = _WITH.search(arrived or b"")
    # With SMTPUTF8, Postfix says UTF8SMTPSA (RFC 6531 4.3) and Exim utf8esmtpsa: the same.
    return "ESMTP" + found[1].decode().upper().removeprefix("E").removeprefix("SMTP") if found else ""


async def arrival(server: RunningServer, message_id: str) -> bytes:
    """The mail with this Message-ID, as soon as the server has it."""
    async with patience(20):
        while True:
            mail = server.mail(message_id)
            if mail is not None:
                return mail
            await asyncio.sleep(0.005)
