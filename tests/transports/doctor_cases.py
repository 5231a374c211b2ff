"""Examinations for tests of the doctor: of an endpoint, with a DNS of their own."""

from dataclasses import dataclass, replace

from tests.transports.dns_server import DnsServer, Zone
from tests.transports.mail_samples import address, options

from ringpost.domain.diagnosis import Step, StepName, StepStatus
from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.examining import Case
from ringpost.transports.smtp import SmtpOptions

SENDER, RECIPIENT = "pbx@sender.example", "alice@recipient.example"
GOOD_ZONE: Zone = {
    ("sender.example", "MX"): ["10 mx.sender.example."],
    ("sender.example", "TXT"): ['"v=spf1 a -all"'],
    ("_dmarc.sender.example", "TXT"): ['"v=DMARC1; p=none"'],
}


@dataclass(frozen=True)
class Examined:
    """The steps of one examination."""

    steps: list[Step]

    def __getitem__(self, name: StepName) -> Step:
        return next(step for step in self.steps if step.name is name)

    @property
    def traps(self) -> list[str]:
        """Codes of all traps, in order."""
        return [step.trap for step in self.steps if step.trap]

    @property
    def failed(self) -> Step:
        """The step that failed."""
        return next(step for step in self.steps if step.status is StepStatus.FAILED)

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return all(step.status is not StepStatus.FAILED for step in self.steps)


async def examine(
    endpoint: SmtpEndpoint,
    *,
    ca_file: str | None = None,
    zone: Zone = GOOD_ZONE,
    sender: str = SENDER,
    recipient: str | None = RECIPIENT,
    reply_to: str | None = None,
    egress: EgressRules | None = None,
    chosen: SmtpOptions | None = None,
) -> Examined:
    """Examine an endpoint, from the first step to the last."""
    smtp = replace(chosen or options(), ca_file=ca_file, egress=egress or EgressRules())
    async with DnsServer(zone) as dns:
        doctor = Doctor(smtp, DnsServers((("127.0.0.1", dns.port),), limit=1))
        to, answers_to = (address(one) if one else None for one in (recipient, reply_to))
        case = Case(endpoint, address(sender), to, answers_to)
        return Examined([step async for step in doctor.examine(case)])
