"""Mails that somebody sends to try something out: sent now, with what became of it in words."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ringpost.console.doctor_words import TO_DO
from ringpost.console.visit import Visit
from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.tenants import TenantId
from ringpost.domain.traps import TRAPS
from ringpost.errors import Invalid, MailServerFailed, NotConfigured, RateLimited


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of it. `kind` is that of a notice."""

    kind: str
    text: str


async def try_mail(visit: Visit, owner: TenantId, to: str, send: Callable[[Address], Awaitable[None]]) -> Trial:
    """Send one through the mail server of `owner`, and say what its server answered."""
    try:
        recipient = parse_address(to, "to")
        with visit.limits.test_mail(owner):
            await send(recipient)
    except Invalid as reason:
        return Trial("bad", visit.say(reason.errors[0].message))
    except RateLimited as reason:
        return Trial("warning", too_often(visit, reason))
    except NotConfigured as reason:
        return Trial("bad", visit.say(reason.message))
    except MailServerFailed as reason:
        return Trial("bad", _failed(visit, reason))
    return Trial("good", visit.say("The mail server has taken it for %(to)s.", to=recipient.spec))


def too_often(visit: Visit, reason: RateLimited) -> str:
    """Why nothing is tried now: samples, test mails and diagnoses have one limit."""
    return visit.say(
        "Five tries a minute are the most, tests and diagnoses together. Try again in %(seconds)s seconds.",
        seconds=reason.retry_after,
    )


def _failed(visit: Visit, reason: MailServerFailed) -> str:
    trap, reply = TRAPS.get(reason.detail.get("finding") or ""), reason.detail.get("reply")
    why = visit.say(reason.message)
    if trap is not None:
        why = f"{visit.say(trap.explanation)} {visit.say(TO_DO.get(trap.code, trap.what_to_do))}"
    said = visit.say("The server said: %(reply)s", reply=reply) if reply else ""
    told = visit.say("It was not sent. %(why)s", why=why)
    return f"{told} {said}".strip()
