"""The doctor of all kinds of mail server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from ringpost.domain.addresses import Address
from ringpost.domain.diagnosis import API_STEPS, SMTP_STEPS, Step, StepName, StepStatus, skipped
from ringpost.domain.providers import by_host
from ringpost.domain.settings import Endpoint, SmtpEndpoint
from ringpost.transports.doctor.examination import Examination, Report
from ringpost.transports.doctor.sender_domain import DnsServers, ask_sender_domain
from ringpost.transports.smtp.options import Deadlines, SmtpOptions

LONGEST_S: Final = 25.0
"""Seconds for all steps of the sending path; what the DNS says of the sender's domain is asked meanwhile."""
DEADLINES: Final = Deadlines(resolve=5, connect=8, greeting=2.5, opening=8, mail=8, rcpt=8, quit=1)
"""A person waits for the answer. A greeting that takes longer is waited for once more, after a look at why."""

_NO_API_CHECK = "This is only known by sending: send a test mail."


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be examined."""

    endpoint: Endpoint
    sender: Address
    recipient: Address | None = None
    """Whom to try RCPT with; nothing is sent."""
    ask_domain: bool = True
    """Whether to look at the sender's domain as well."""


Examine = Callable[[Case], AsyncIterator[Step]]
"""Yields the steps while they are made."""
CheckApi = Callable[[Endpoint], Awaitable[list[Step]]]
"""The steps `token` and `api` of a mail server that is no SMTP server, without sending anything."""


async def no_doctor(_case: Case) -> AsyncIterator[Step]:
    """For a room without a way out."""
    for step in skipped(SMTP_STEPS, "There is no doctor here."):
        yield step


class Doctor:
    """Examines mail servers. Its `examine` is an `Examine`."""

    def __init__(self, options: SmtpOptions, dns: DnsServers, check_api: CheckApi | None = None) -> None:
        self._options = replace(options, deadlines=DEADLINES)
        self._dns = dns
        self._check_api = check_api

    async def examine(self, case: Case) -> AsyncIterator[Step]:
        """The steps, each as soon as it is made; at most 30 s in all. Never raises for what a server does."""
        steps: asyncio.Queue[Step | None] = asyncio.Queue()
        work = asyncio.create_task(self._work(case, steps.put_nowait))
        work.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await steps.get()) is not None:
                yield step
            await work
        finally:
            work.cancel()

    async def _work(self, case: Case, report: Report) -> None:
        host = case.endpoint.host if isinstance(case.endpoint, SmtpEndpoint) else ""
        advice = None
        if case.ask_domain:
            advice = asyncio.create_task(ask_sender_domain(case.sender, self._dns, by_host(host)))
        try:
            await self._examine(case, report)
            for step in await advice if advice is not None else ():
                report(step)
        finally:
            if advice is not None:
                advice.cancel()

    async def _examine(self, case: Case, report: Report) -> None:
        if isinstance(case.endpoint, SmtpEndpoint):
            examination = Examination(case.endpoint, self._options, report)
            await examination.run(case.sender, case.recipient, LONGEST_S)
        elif self._check_api is None:
            for step in skipped(API_STEPS, _NO_API_CHECK):
                report(step)
        else:
            await self._check(self._check_api, case.endpoint, report)

    async def _check(self, check: CheckApi, endpoint: Endpoint, report: Report) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                for step in await check(endpoint):
                    report(step)
        except TimeoutError:
            report(Step(StepName.API, StepStatus.FAILED, int(LONGEST_S * 1000), "No answer in time."))
