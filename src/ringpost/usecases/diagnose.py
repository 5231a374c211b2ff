"""Examine a mail server step by step, the one in force or one that is not saved yet, and say what to change."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from ringpost.domain.access import Principal
from ringpost.domain.addresses import Address, parse_address
from ringpost.domain.credentials import Credentials
from ringpost.domain.diagnosis import (
    DOMAIN_STEPS,
    SMTP_STEPS,
    Diagnosis,
    Finding,
    Step,
    StepName,
    StepStatus,
    finding,
    skipped,
)
from ringpost.domain.mail_servers import UNOPENED, MailServer, merge_password, sender_of
from ringpost.domain.providers import Provider, by_endpoint, by_login, by_mx, by_words
from ringpost.domain.remedies import remedy
from ringpost.domain.settings import Settings, parse_settings_of
from ringpost.domain.tenants import SYSTEM, TenantId
from ringpost.domain.traps import TRAPS, Trap, login, mail, sender_domain, tokens
from ringpost.errors import FieldError, Invalid, NotConfigured
from ringpost.storage import settings as rows
from ringpost.storage.oauth import credentials_in_force
from ringpost.storage.sealing import SealBroken
from ringpost.transports.examining import Case
from ringpost.usecases.change_settings import stored_settings
from ringpost.usecases.room import Room

RECIPIENT: Final = "recipient"
_NO_SERVER = "There is no mail server to examine. Save one in the settings first, or post the settings to try."
_NOT_OWN = "Without a mail server of your own, only the recipients in your settings can be tried."
_BEFORE_OTHERS = "The settings are not complete."


@dataclass(frozen=True, slots=True)
class DiagnosisPlan:
    """What is to be examined, and who may see how much of it."""

    server: MailServer | None
    """The settings; None when the server is borrowed, because they are not the tenant's to see."""
    case: Case | None
    """None when the settings are not complete enough to connect."""

    @property
    def borrowed(self) -> bool:
        """The server is the system's, and the principal is a tenant."""
        return self.server is None


async def plan_diagnosis(room: Room, principal: Principal, raw: Mapping[str, object]) -> DiagnosisPlan:
    """What to examine: the unsaved settings in `raw`, or with none (but `recipient`) the mail server in force.

    Raises Invalid; PasswordRequired, because a stored password never travels to a changed host; and NotConfigured when
    there is nothing to examine.
    """
    recipient = _recipient(raw.get(RECIPIENT))
    wanted = None
    if any(name != RECIPIENT for name in raw):
        wanted = parse_settings_of(principal.tenant, raw, room.options.rules_for(principal.tenant))
    return await room.database.read(_plan, room, principal.tenant, wanted, recipient)


async def examine(room: Room, plan: DiagnosisPlan) -> AsyncIterator[Step]:
    """The steps, each as soon as it is made."""
    if plan.case is None:
        for step in _incomplete(plan.server):
            yield step
        return
    async for step in room.examine(plan.case):
        yield step.for_borrower() if plan.borrowed else step


def conclude(plan: DiagnosisPlan, steps: Iterable[Step]) -> Diagnosis:
    """What the steps come to."""
    made = tuple(steps)
    endpoint = plan.case.endpoint if plan.case else None
    provider = None if plan.borrowed else _provider(plan, made)
    ordered = sorted((step for step in made if step.trap or step.hint), key=lambda step: step.status != "failed")
    told = [_finding(step, plan, provider) for step in ordered]
    findings = list({(one.code, one.explanation): one for one in told}.values())  # several steps can find the same
    known = _known_host(plan)
    broken = any(step.status is StepStatus.FAILED for step in made)
    if plan.server is not None and provider is not None and (known or broken) and not provider.fits(plan.server):
        code = sender_domain.PROVIDER_SETTINGS_DIFFER.code
        text = f"{provider.name} describes other settings. The user name there is {provider.username}; the password "
        findings.append(finding(code, remedy(code, plan.server, provider), f"{text}is {provider.password}."))
    server = endpoint.label if endpoint is not None and not plan.borrowed else None
    return Diagnosis(server, provider, made, tuple(findings))


def _recipient(value: object) -> Address | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Invalid(FieldError(RECIPIENT, "This must be text, in quotation marks."))
    return parse_address(value, RECIPIENT)


def _plan(
    connection: Connection, room: Room, tenant: TenantId, wanted: Settings | None, recipient: Address | None
) -> DiagnosisPlan:
    if wanted is None or wanted.mail_server is None:
        return _in_force(connection, room, tenant, recipient)
    old, opened = stored_settings(connection, room, tenant)
    server = merge_password(old.mail_server if opened else None, wanted.mail_server)
    server = replace(server, oauth=_credentials(connection, room, tenant))
    sender = sender_of(server)
    if sender is None or not server.complete:
        return DiagnosisPlan(server, None)
    endpoint = server.endpoint(restricted=tenant != SYSTEM, hosts=room.options.provider_hosts)
    case = Case(endpoint, sender, recipient or next(iter(wanted.recipients), None), server.reply_to)
    return DiagnosisPlan(server, case)


def _in_force(connection: Connection, room: Room, tenant: TenantId, recipient: Address | None) -> DiagnosisPlan:
    settings = rows.show(connection, tenant)
    try:
        force = rows.mail_server_in_force(connection, room.sealer, tenant, room.options.provider_hosts)
    except SealBroken:
        raise NotConfigured(UNOPENED) from None
    own = settings.mail_server
    if force is None and own is None:
        raise NotConfigured(_NO_SERVER)
    first = next(iter(settings.recipients), None)
    if force is None:
        return DiagnosisPlan(own, None)
    case = Case(force.endpoint, force.sender, recipient or first, force.reply_to)
    if tenant != SYSTEM and force.lane == SYSTEM:
        # Else a tenant could find out in the operator's name which addresses there are.
        if recipient is not None and recipient.key not in {one.key for one in settings.recipients}:
            raise Invalid(FieldError(RECIPIENT, _NOT_OWN))
        return DiagnosisPlan(None, replace(case, ask_domain=False))
    return DiagnosisPlan(own, case)


def _credentials(connection: Connection, room: Room, tenant: TenantId) -> Credentials | None:
    """The stored OAuth credentials, which go to their provider whatever the settings say."""
    try:
        return credentials_in_force(connection, room.sealer, tenant)
    except SealBroken:
        return None


def _incomplete(server: MailServer | None) -> list[Step]:
    trap, missing = _lack(server)
    step = Step(StepName.SETTINGS, StepStatus.FAILED, 0, missing, trap.code, trap.hint)
    return [step, *skipped((*SMTP_STEPS, *DOMAIN_STEPS), _BEFORE_OTHERS)]


def _lack(server: MailServer | None) -> tuple[Trap, str]:
    """Without a sender or a login; a server of type SMTP without a name is never saved."""
    trap = login.NO_PASSWORD
    if server is not None and sender_of(server) is None:
        trap = mail.NO_SENDER
    elif server is not None and server.lacks_login:
        trap = tokens.NO_CREDENTIALS
    return trap, " ".join(server.missing() if server else ()) or trap.explanation


def _finding(step: Step, plan: DiagnosisPlan, provider: Provider | None) -> Finding:
    code = step.trap or (login.TOKEN_REFUSED.code if step.name is StepName.TOKEN else mail.UNKNOWN.code)
    suggested: dict[str, Any] = {}
    if plan.server is not None:
        suggested = remedy(code, plan.server, provider, tuple(step.details.get("names", ())))
    told = finding(code, suggested)
    if step.trap and step.trap in TRAPS:
        return told
    return replace(told, explanation=step.hint, what_to_do="")


def _provider(plan: DiagnosisPlan, steps: tuple[Step, ...]) -> Provider | None:
    """By the server's name; else by how it greets; else by where the sender's domain gets its mail."""
    known = _known_host(plan)
    if known is not None:
        return known
    words = " ".join(step.reply for step in steps if step.name in (StepName.GREETING, StepName.EHLO))
    names = [name for step in steps if step.name is StepName.MX for name in step.details.get("mx", ())]
    return by_words(words) or by_mx(names)


def _known_host(plan: DiagnosisPlan) -> Provider | None:
    username = plan.server.username if plan.server else ""
    if plan.case is not None:
        return by_endpoint(plan.case.endpoint, username)
    return by_login(plan.server.host, username) if plan.server and plan.server.host else None
