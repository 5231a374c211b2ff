"""Diagnose and Test: what the doctor finds, step by step while it is found, and what became of a test mail."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from ringpost.console.doctor_words import Advice, ShownStep, advise, show_stage, show_step
from ringpost.console.forms import Form
from ringpost.console.levels import Level, Saved
from ringpost.console.mail_server import at_both_levels, mail_server_page
from ringpost.console.mail_trials import too_often
from ringpost.console.rendering import render
from ringpost.console.server_form import (
    fields_of,
    is_blank,
    is_not_saved,
    refuse_number,
    values_of,
    values_posted,
)
from ringpost.console.visit import Visit
from ringpost.domain.diagnosis import Diagnosis, Step, StepStatus, finding
from ringpost.domain.providers import by_login
from ringpost.domain.remedies import remedy
from ringpost.domain.traps import TRAPS
from ringpost.errors import Invalid, MailServerFailed, NotConfigured, PasswordRequired, RateLimited
from ringpost.usecases.diagnose import DiagnosisPlan, conclude, examine, plan_diagnosis
from ringpost.usecases.send_test_mail import parse_test_mail, send_test_mail

LINES: Final = "application/x-ndjson"
"""One JSON object to a line: `{"step": html}` for each step, at the end `{"verdict": html}`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it all comes to."""

    kind: str
    """The kind of the notice: good, warning, bad."""
    text: str
    advice: tuple[Advice, ...] = ()
    form: Form | None = None
    """What is wrong with the form, when that is why nothing was tried."""
    steps: tuple[ShownStep, ...] = ()
    """The steps of a test mail."""
    reply: str = ""
    """The mail server's own words."""


async def diagnose(level: Level, visit: Visit) -> Response:
    """Examine the server of the form, saved or not."""
    values = values_posted(visit.posted)
    try:
        plan = await _plan(level, visit)
    except (Invalid, PasswordRequired) as reason:
        form = is_not_saved(values, reason)
        if not visit.wants_fragment:
            return await mail_server_page(level, visit, form, status=422)
        return _fragment(visit, level, Verdict("bad", "", form=form), 422)
    except NotConfigured as reason:
        return await _answer(level, visit, values, Verdict("bad", visit.say(reason.message)))
    except RateLimited as reason:
        return await _answer(level, visit, values, Verdict("warning", too_often(visit, reason)), 429)
    if visit.wants_fragment:
        # Proxies that collect an answer before they pass it on would take the steps their life.
        return StreamingResponse(
            _lines(level, visit, plan, values), media_type=LINES, headers={"X-Accel-Buffering": "no"}
        )
    made = [step async for step in examine(visit.room, plan)]
    verdict = _verdict(visit, conclude(plan, made), values)
    shown = [show_step(visit, step) for step in made]
    return await mail_server_page(level, visit, Form(values), verdict=verdict, steps=shown)


async def test(level: Level, visit: Visit) -> Response:
    """Send a mail through the server in force, and say what became of it."""
    to, saved = visit.posted.text("to"), await level.saved(visit)
    tested = await _tested(level, visit, saved, to)
    if visit.wants_fragment:
        return render(visit, "test_result.html", level=level, tested=tested)
    return await mail_server_page(level, visit, tested=tested, to=to)


async def _plan(level: Level, visit: Visit) -> DiagnosisPlan:
    """Raises as `plan_diagnosis`, and RateLimited."""
    posted, saved = visit.posted, await level.saved(visit)
    raw: dict[str, Any] = {}
    if saved.own is not None or not is_blank(posted):
        refuse_number(posted)
        raw = {**saved.fields, **fields_of(posted, saved, visit.room.options.provider_hosts)}
    plan = await plan_diagnosis(visit.room, level.principal(visit), raw)
    visit.limits.test_mails.hit(level.owner(visit))
    return plan


async def _lines(level: Level, visit: Visit, plan: DiagnosisPlan, values: Mapping[str, Any]) -> AsyncIterator[str]:
    made: list[Step] = []
    async for step in examine(visit.room, plan):
        made.append(step)
        yield _line("step", render(visit, "diagnosis_step.html", step=show_step(visit, step)))
    verdict = _verdict(visit, conclude(plan, made), values)
    yield _line("verdict", render(visit, "verdict.html", level=level, verdict=verdict))


def _line(kind: str, page: Response) -> str:
    return json.dumps({kind: bytes(page.body).decode()}) + "\n"


def _verdict(visit: Visit, diagnosis: Diagnosis, values: Mapping[str, Any]) -> Verdict:
    failed = {step.trap for step in diagnosis.steps if step.status is StepStatus.FAILED}
    found = {(one.code, one.explanation): one for one in diagnosis.findings}  # several steps may meet the same trap
    nameless = "" in failed
    advice = tuple(
        advise(visit, one, values, "bad" if one.code in failed or (nameless and not one.what_to_do) else "warning")
        for one in found.values()
    )
    if diagnosis.ok:
        text = visit.say(
            "Mail can be sent with these settings. Nothing was sent: a test mail shows whether it arrives."
        )
        return Verdict("good", text, advice)
    return Verdict("bad", visit.say("No mail can be sent with these settings. This is what to change:"), advice)


async def _tested(level: Level, visit: Visit, saved: Saved, to: str) -> Verdict:
    subject = visit.say("Test mail")
    content = visit.say("This is a test. If you read it, the mail server of your phone system works.")
    try:
        mail = parse_test_mail({"recipient": to, "subject": subject, "content": content})
        with visit.limits.test_mail(level.owner(visit)):
            await send_test_mail(visit.room, level.principal(visit), mail)
    except Invalid as reason:
        return Verdict("bad", visit.say(reason.errors[0].message))
    except NotConfigured as reason:
        return Verdict("bad", visit.say(reason.message))
    except RateLimited as reason:
        return Verdict("warning", too_often(visit, reason))
    except MailServerFailed as reason:
        return _failed(visit, saved, reason)
    return Verdict(
        "good",
        visit.say(
            "The mail server has accepted the mail for %(to)s. Whether it arrives is seen only there: look into the "
            "mailbox, and into its spam folder.",
            to=mail.recipient.spec,
        ),
    )


def _failed(visit: Visit, saved: Saved, reason: MailServerFailed) -> Verdict:
    detail = reason.detail
    steps = tuple(show_stage(visit, one["name"], one["status"]) for one in detail["steps"])
    code, own = detail.get("finding") or "", saved.own if saved.can_send else None
    advice: tuple[Advice, ...] = ()
    if code in TRAPS:
        suggested = remedy(code, own, by_login(own.host, own.username) if own.host else None) if own is not None else {}
        values = values_of(saved, visit.room.options.provider_hosts)
        advice = (advise(visit, finding(code, suggested), values, "bad"),)
    text = visit.say("The mail was not sent.")
    if not advice:
        text = f"{text} {visit.say(reason.message)}"
    return Verdict("bad", text, advice, steps=steps, reply=detail.get("reply") or "")


async def _answer(
    level: Level, visit: Visit, values: Mapping[str, Any], verdict: Verdict, status: int = 200
) -> Response:
    if visit.wants_fragment:
        return _fragment(visit, level, verdict, status)
    return await mail_server_page(level, visit, Form(values), status=status, verdict=verdict)


def _fragment(visit: Visit, level: Level, verdict: Verdict, status: int) -> Response:
    return render(visit, "verdict.html", status=status, level=level, verdict=verdict)


routes = at_both_levels((("POST", "/diagnose", diagnose), ("POST", "/test", test)))
