"""The doctor of all kinds of mail server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from ringpost.domain.deliveries import Outcome, Stage
from ringpost.domain.diagnosis import Step, StepName, StepStatus, skipped
from ringpost.domain.endpoints import GmailEndpoint, GraphEndpoint, SmtpEndpoint
from ringpost.domain.providers import by_endpoint
from ringpost.transports.doctor.examination import Examination, Report
from ringpost.transports.doctor.sender_domain import DnsServers, ask_sender_domain
from ringpost.transports.examining import Case
from ringpost.transports.smtp import classify
from ringpost.transports.smtp.options import Deadlines, SmtpOptions

LONGEST_S: Final = 25.0
"""Seconds for all steps of the sending path; what the DNS says of the sender's domain is asked meanwhile."""
DEADLINES: Final = Deadlines(resolve=5, connect=8, greeting=2.5, opening=8, mail=8, rcpt=8, quit=1)
"""A person waits for the answer. A greeting that takes longer is waited for once more, after a look at why."""

_ONLY_BY_SENDING = "This is only known by sending: send a test mail."


class Doctor:
    """Examines mail servers. Its `examine` is an `Examine`."""

    def __init__(self, options: SmtpOptions, dns: DnsServers) -> None:
        self._options = replace(options, deadlines=DEADLINES)
        self._dns = dns

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
        advice = None
        if case.ask_domain:
            provider = by_endpoint(case.endpoint, case.sender.spec)
            advice = asyncio.create_task(ask_sender_domain(case.sender, self._dns, provider))
        try:
            await self._examine(case, report)
            for step in await advice if advice is not None else ():
                report(step)
        finally:
            if advice is not None:
                advice.cancel()

    async def _examine(self, case: Case, report: Report) -> None:
        if isinstance(case.endpoint, SmtpEndpoint):
            await Examination(case.endpoint, self._options, report).run(case, LONGEST_S)
        else:
            await self._examine_api(case.endpoint, report)

    async def _examine_api(self, endpoint: GraphEndpoint | GmailEndpoint, report: Report) -> None:
        """The access token; whether the API takes mail is only known by sending one."""
        loop = asyncio.get_running_loop()
        since, tokens = loop.time(), self._options.tokens
        try:
            async with asyncio.timeout(LONGEST_S):
                token = None if tokens is None else await tokens.token(endpoint.grant)
        except TimeoutError:
            token = classify.for_timeout(Stage.TOKEN)
        duration = round((loop.time() - since) * 1000)
        if isinstance(token, Outcome):
            said = (token.trap, token.hint, token.code, token.enhanced_code, token.reply)
            report(Step(StepName.TOKEN, StepStatus.FAILED, duration, "No access token.", *said))
        elif token is not None:
            report(Step(StepName.TOKEN, StepStatus.OK, duration, f"{endpoint.label}: there is an access token."))
        else:
            report(*skipped([StepName.TOKEN], _ONLY_BY_SENDING))
        report(*skipped([StepName.API], _ONLY_BY_SENDING))
