"""Makes steps of what a dial goes through. No I/O but the clock of the event loop."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.diagnosis import Step, StepName, StepStatus
from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.domain.traps import Trap, encryption, reaching
from ringpost.transports.connecting import lacks_ipv6
from ringpost.transports.doctor.certificates import Certificate, read_certificate
from ringpost.transports.egress import CheckedAddress
from ringpost.transports.smtp.capabilities import Capabilities, read_capabilities
from ringpost.transports.smtp.classify import Judge
from ringpost.transports.smtp.login import CONTINUE
from ringpost.transports.smtp.replies import Garbage, Reply
from ringpost.transports.smtp.wire import Wire

Report = Callable[[Step], None]

SOON_DAYS: Final = 14
"""A certificate that ends within so many days is worth a word."""
MOST_LOGINS: Final = 40
"""Ways to log in that are shown; no real server has so many."""


class Recorder:
    """A `dialing.Watcher` that reports each step once, with the time since the step before."""

    def __init__(self, endpoint: SmtpEndpoint, report: Report) -> None:
        self.done: set[StepName] = set()
        """The steps that were reported."""
        self.connected: CheckedAddress | None = None
        self._judge = Judge(endpoint)
        self._endpoint = endpoint
        self._report = report
        self._since = self._now()
        self._offers: dict[str, Any] | None = None
        self._failures: list[tuple[CheckedAddress, OSError]] = []

    def step(self, name: StepName, status: StepStatus, summary: str, **more: Any) -> None:
        """Report a step, unless it was reported before."""
        if name in self.done:
            return
        self.done.add(name)
        now = self._now()
        duration = 0 if status is StepStatus.SKIPPED else round((now - self._since) * 1000)
        self._since = now
        self._report(Step(name, status, duration, summary, **more))

    def ok(self, name: StepName, summary: str, **more: Any) -> None:
        """A step that went well."""
        self.step(name, StepStatus.OK, summary, **more)

    def warn(self, name: StepName, summary: str, trap: Trap, **more: Any) -> None:
        """A step that went well, with something to know."""
        self.step(name, StepStatus.WARNING, summary, trap=trap.code, hint=trap.hint, **more)

    def failed(self, outcome: Outcome, summary: str, details: dict[str, Any] | None = None) -> None:
        """The step at which it ended."""
        name = StepName(outcome.stage.value)
        if name is StepName.AUTH:
            self.offered()
        self.done.discard(name)  # what went well at first, such as EHLO before TLS, may fail later
        if outcome.trap == reaching.NOT_ALLOWED.code:
            # Not even how long it took: who asks must not learn what the operator's network looks like.
            self.done.add(name)
            self._report(Step(name, StepStatus.FAILED, 0, summary, outcome.trap, outcome.hint))
            return
        more = {"code": outcome.code, "enhanced_code": outcome.enhanced_code, "reply": outcome.reply}
        self.step(name, StepStatus.FAILED, summary, trap=outcome.trap, hint=outcome.hint, details=details or {}, **more)

    def resolved(self, addresses: list[CheckedAddress]) -> None:
        """Part of `Watcher`."""
        found = [one.ip for one in addresses]
        if found == [self._endpoint.host]:
            summary = "The server is an IP address; there is nothing to look up."
        else:
            summary = f"{self._endpoint.host} is at {', '.join(found)}."
        self.ok(StepName.RESOLVE, summary, details={"addresses": found})

    def tried(self, address: CheckedAddress, failure: OSError | None) -> None:
        """Part of `Watcher`."""
        if failure is not None:
            self._failures.append((address, failure))
            return
        self.connected = address
        summary = f"Connected to {address.ip}, port {address.port}."
        details = {"address": address.ip, "port": address.port, "not_reached": self.not_reached}
        if any(lacks_ipv6(one.ip, error) for one, error in self._failures):
            self.warn(StepName.CONNECT, summary, reaching.IPV6_WITHOUT_ROUTE, details=details)
        else:
            self.ok(StepName.CONNECT, summary, details=details)

    @property
    def not_reached(self) -> list[str]:
        """The addresses that no connection came up with."""
        return list(dict.fromkeys(address.ip for address, _ in self._failures))

    @property
    def lacks_ipv6(self) -> bool:
        """Nothing could be reached, and that for want of a way into IPv6."""
        return bool(self._failures) and all(lacks_ipv6(one.ip, error) for one, error in self._failures)

    def answered(self, stage: Stage, reply: Reply | Garbage) -> None:
        """Part of `Watcher`."""
        if isinstance(reply, Garbage):
            return
        words = self._judge.words(reply)
        said = {"code": reply.code, "enhanced_code": reply.enhanced_code, "reply": words}
        if stage is Stage.GREETING and reply.code == 220:
            self.ok(StepName.GREETING, "The mail server greets us.", **said)
        elif stage is Stage.EHLO and reply.code == 250:
            self._offers = _offers(read_capabilities(reply))
            self.ok(StepName.EHLO, "The mail server accepts our name.", code=reply.code, reply=self._first_line(reply))
        elif stage is Stage.AUTH and reply.code != CONTINUE:
            self.offered()
            if reply.code == 235 and self._endpoint.grant is not None:
                # The words are left out: this judge does not know the access token that they might repeat.
                self.ok(StepName.AUTH, f"Logged in as {self._endpoint.username}.", code=reply.code)
            elif reply.code == 235:
                self.ok(StepName.AUTH, f"Logged in as {self._endpoint.username}.", **said)

    def encrypted(self, wire: Wire) -> None:
        """Part of `Watcher`."""
        if wire.tls is None:
            return
        binary = wire.tls.getpeercert(binary_form=True) or b""
        certificate = read_certificate(binary)
        days = None if certificate is None else (certificate.ends - datetime.now(UTC)).days
        version = wire.tls.version() or "TLS"
        summary = f"Encrypted with {version}."
        if certificate is not None:
            summary += f" The certificate is good for {days} more days."
        details = {"version": version, "days_left": days, **_shown(certificate)}
        if days is not None and days < SOON_DAYS:
            self.warn(StepName.TLS, summary, encryption.CERTIFICATE_EXPIRES_SOON, details=details)
        else:
            self.ok(StepName.TLS, summary, details=details)

    def offered(self) -> None:
        """All that the server offers is known."""
        if self._offers is None:
            return
        named = [name for name in ("STARTTLS", "PIPELINING", "SMTPUTF8", "8BITMIME") if self._offers[name.lower()]]
        login = ", ".join(self._offers["auth"])
        size = self._offers["size"]
        parts = [f"login with {login}" if login else "no login", *named, f"mails of up to {size} bytes" if size else ""]
        self.ok(StepName.OFFERS, f"It offers {', '.join(filter(None, parts))}.", details=self._offers)

    def _first_line(self, reply: Reply) -> str:
        return self._judge.words(Reply(reply.code, reply.lines[:1]))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _offers(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "starttls": capabilities.starttls,
        "auth": sorted(capabilities.login)[:MOST_LOGINS],
        "size": capabilities.size_limit,
        "pipelining": capabilities.pipelining,
        "smtputf8": capabilities.smtputf8,
        "8bitmime": capabilities.eight_bit_mime,
        "enhancedstatuscodes": capabilities.enhanced_status_codes,
    }


def _shown(certificate: Certificate | None) -> dict[str, Any]:
    if certificate is None:
        return {}
    return {"names": list(certificate.names), "issuer": certificate.issuer, "ends": f"{certificate.ends:%Y-%m-%d}"}
