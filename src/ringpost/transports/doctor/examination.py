"""One examination of an SMTP server: dial as the sending path does, look closer where it fails, then MAIL and RCPT."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Any, Final

from ringpost.domain.addresses import Address
from ringpost.domain.deliveries import RETRY, Outcome, Party, Stage
from ringpost.domain.diagnosis import SMTP_STEPS, StepName, StepStatus, skipped
from ringpost.domain.endpoints import Auth, SmtpEndpoint, TlsMode
from ringpost.domain.traps import Trap, encryption, reaching
from ringpost.transports.doctor import probes
from ringpost.transports.doctor.recorder import Recorder, Report
from ringpost.transports.examining import Case
from ringpost.transports.smtp import classify, commands
from ringpost.transports.smtp.dialing import Dial, Dialed
from ringpost.transports.smtp.options import SmtpOptions
from ringpost.transports.smtp.replies import Garbage, Reply

LONG_GREETING: Final = 10.0
"""Seconds for the greeting of a server that really is slow."""
_SILENT: Final = frozenset(
    trap.code for trap in (reaching.GREETING_TIMEOUT, reaching.CLOSED_BEFORE_GREETING, reaching.NOT_SMTP)
)
_NO_HANDSHAKE: Final = frozenset(trap.code for trap in (encryption.TLS_FAILED, reaching.TIMEOUT))
_BAD_CERTIFICATE: Final = frozenset(
    trap.code
    for trap in (
        encryption.WRONG_NAME,
        encryption.CERTIFICATE_EXPIRED,
        encryption.CLOCK_WRONG,
        encryption.SELF_SIGNED,
        encryption.PRIVATE_CA,
        encryption.CERTIFICATE_NOT_TRUSTED,
    )
)
_SUMMARIES: Final = {
    Stage.RESOLVE: "The name of the mail server could not be looked up.",
    Stage.CONNECT: "No connection.",
    Stage.GREETING: "No greeting that we could work with.",
    Stage.EHLO: "The mail server does not accept our introduction.",
    Stage.TLS: "No encryption that could be trusted.",
    Stage.AUTH: "No login.",
    Stage.MAIL_FROM: "The sender was not accepted.",
    Stage.RCPT_TO: "The recipient was not accepted.",
}
_EARLIER = "An earlier step failed."
_NO_RECIPIENT = "Name a recipient to have this tried; nothing is sent."
_TOO_LONG = "There was no time left."


@dataclass(frozen=True, slots=True)
class Closer:
    """What a closer look brought."""

    outcome: Outcome
    details: dict[str, Any]


class Examination:
    """One run. Reports each step of `SMTP_STEPS` once."""

    def __init__(self, endpoint: SmtpEndpoint, options: SmtpOptions, report: Report) -> None:
        self._endpoint = endpoint
        self._options = options
        self._report = report
        self._recorder = Recorder(endpoint, report)
        self._stage = Stage.RESOLVE

    async def run(self, case: Case, seconds: float) -> None:
        """All steps, within `seconds`."""
        why = _EARLIER
        try:
            async with asyncio.timeout(seconds):
                dialed = await self._dial()
                if dialed is not None:
                    await self._try_mail(dialed, case)
        except TimeoutError:
            why = _TOO_LONG
            self._recorder.failed(classify.for_timeout(self._stage, self._endpoint.port), _TOO_LONG)
        for step in skipped(SMTP_STEPS, why):
            if step.name not in self._recorder.done:
                self._report(step)

    async def _dial(self) -> Dialed | None:
        done = await self._dial_once(self._options)
        if isinstance(done, Outcome) and await self._may_be_slow(done):
            patient = replace(self._options.deadlines, greeting=LONG_GREETING)
            done = await self._dial_once(replace(self._options, deadlines=patient))
        if isinstance(done, Outcome):
            closer = await self._look_closer(done)
            self._recorder.failed(closer.outcome, _SUMMARIES.get(done.stage, ""), closer.details)
            return None
        self._ready()
        return done

    async def _may_be_slow(self, outcome: Outcome) -> bool:
        """Whether the greeting may still come: some servers hold it up to see who does not wait."""
        if outcome.stage is Stage.GREETING and outcome.trap == reaching.REPLY_UNFINISHED.code:
            return True
        return outcome.trap == reaching.GREETING_TIMEOUT.code and not await self._begins_with_tls()

    async def _dial_once(self, options: SmtpOptions) -> Dialed | Outcome:
        dial = Dial(self._endpoint, options, self._recorder)
        try:
            return await dial.run()
        finally:
            self._stage = dial.stage

    def _ready(self) -> None:
        recorder, endpoint = self._recorder, self._endpoint
        if StepName.TLS not in recorder.done:
            recorder.warn(StepName.TLS, "The connection is not encrypted.", encryption.NOT_ENCRYPTED)
        recorder.offered()
        if endpoint.auth is Auth.DISABLE and StepName.AUTH not in recorder.done:
            recorder.step(StepName.AUTH, StepStatus.SKIPPED, "No login is set.")

    async def _look_closer(self, outcome: Outcome) -> Closer:
        """Why it failed, as far as it can be found out without a login."""
        if outcome.stage is Stage.CONNECT:
            trap = reaching.IPV6_WITHOUT_ROUTE if self._recorder.lacks_ipv6 else None
            return Closer(_instead(outcome, trap), {"not_reached": self._recorder.not_reached})
        address = self._recorder.connected
        if address is None:
            return Closer(outcome, {})
        if self._endpoint.tls is TlsMode.IMPLICIT:
            return await self._look_at_handshake(outcome)
        if outcome.stage is Stage.GREETING and outcome.trap in _SILENT and await self._begins_with_tls():
            return Closer(_instead(outcome, encryption.STARTTLS_ON_IMPLICIT_TLS_PORT), {})
        return await self._look_at_certificate(outcome)

    async def _look_at_handshake(self, outcome: Outcome) -> Closer:
        address = self._recorder.connected
        not_tls = outcome.trap == encryption.IMPLICIT_TLS_ON_STARTTLS_PORT.code
        if address is not None and outcome.stage is Stage.TLS and (not_tls or outcome.trap in _NO_HANDSHAKE):
            greeting = await probes.clear_greeting(address)
            if greeting is not None:
                said = {"code": greeting.code, "reply": greeting.text}
                return Closer(replace(_instead(outcome, encryption.IMPLICIT_TLS_ON_STARTTLS_PORT), **said), {})
        return await self._look_at_certificate(outcome)

    async def _look_at_certificate(self, outcome: Outcome) -> Closer:
        address = self._recorder.connected
        if address is None or outcome.trap not in _BAD_CERTIFICATE:
            return Closer(outcome, {})
        found = await probes.certificate_of(address, self._endpoint, self._options.ehlo_name)
        if found is None:
            return Closer(outcome, {})
        details = {"names": list(found.names), "issuer": found.issuer, "begins": f"{found.begins:%Y-%m-%d}"}
        return Closer(outcome, {**details, "ends": f"{found.ends:%Y-%m-%d}"})

    async def _begins_with_tls(self) -> bool:
        address = self._recorder.connected
        if self._endpoint.tls is TlsMode.IMPLICIT or address is None:
            return False
        return await probes.speaks_tls(address)

    async def _try_mail(self, dialed: Dialed, case: Case) -> None:
        """MAIL and RCPT, then RSET and QUIT: nothing is sent."""
        deadlines = self._options.deadlines
        try:
            if await self._try_sender(dialed, case):
                await self._try_recipient(dialed, case.recipient)
            with contextlib.suppress(OSError):
                await dialed.wire.ask(commands.RSET, deadlines.quit)
                await dialed.wire.ask(commands.QUIT, deadlines.quit)
        finally:
            dialed.wire.abort()

    async def _try_sender(self, dialed: Dialed, case: Case) -> bool:
        self._stage = Stage.MAIL_FROM
        sender = case.sender
        ours = commands.needs_smtputf8(sender, case.reply_to or sender)
        utf8 = ours or commands.needs_smtputf8(sender, case.recipient or sender)
        if ours and not dialed.capabilities.smtputf8:
            return self._refused(classify.no_smtputf8(recipient=False))
        parameters = commands.mail_parameters(dialed.capabilities, None, utf8=utf8, eight_bit=False)
        try:
            command = commands.mail(sender, parameters)
        except ValueError:
            return self._refused(classify.unwritable())
        return await self._try(dialed, command, StepName.MAIL_FROM, f"It takes mail from {sender.spec}.")

    async def _try_recipient(self, dialed: Dialed, recipient: Address | None) -> bool:
        self._stage = Stage.RCPT_TO
        if recipient is None:
            self._recorder.step(StepName.RCPT_TO, StepStatus.SKIPPED, _NO_RECIPIENT)
            return True
        if not dialed.capabilities.smtputf8 and recipient.needs_smtputf8:
            return self._refused(classify.no_smtputf8(recipient=True))
        try:
            command = commands.rcpt(recipient)
        except ValueError:
            return self._refused(replace(classify.unwritable(), stage=Stage.RCPT_TO))
        return await self._try(dialed, command, StepName.RCPT_TO, f"It takes mail for {recipient.spec}.")

    async def _try(self, dialed: Dialed, command: bytes, name: StepName, summary: str) -> bool:
        judge = dialed.judge
        try:
            reply = await dialed.wire.ask(command, self._options.deadlines.mail)
        except TimeoutError:
            return self._refused(classify.for_timeout(self._stage))
        except OSError:
            return self._refused(classify.for_drop(self._stage))
        if isinstance(reply, Garbage):
            return self._refused(classify.server_failed(self._stage, reply.why))
        if reply.code // 100 in (4, 5):
            return self._refused(judge.refused(self._stage, reply))
        if reply.code // 100 != 2:  # it fits no command here: the two sides are out of step
            return self._refused(classify.server_failed(self._stage, reaching.NOT_SMTP, judge.words(reply)))
        self._accepted(name, summary, reply, judge)
        return True

    def _accepted(self, name: StepName, summary: str, reply: Reply, judge: classify.Judge) -> None:
        said = {"code": reply.code, "enhanced_code": reply.enhanced_code, "reply": judge.words(reply)}
        self._recorder.ok(name, summary, **said)

    def _refused(self, outcome: Outcome) -> bool:
        self._recorder.failed(outcome, _SUMMARIES.get(outcome.stage, ""))
        return False


def _instead(outcome: Outcome, trap: Trap | None) -> Outcome:
    """The same failure, better understood."""
    if trap is None:
        return outcome
    return replace(outcome, verdict=RETRY, party=Party.CONFIGURATION, hint=trap.hint, trap=trap.code)
