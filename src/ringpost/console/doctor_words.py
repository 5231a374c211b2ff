"""The doctor's findings in plain words: names of steps and fields, and traps without the names of the API's fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ringpost.console.languages import N_
from ringpost.console.server_form import in_form
from ringpost.console.visit import Visit
from ringpost.domain.diagnosis import Finding, Step, StepName, StepStatus

TITLES: Final = {
    StepName.SETTINGS: N_("Settings"),
    StepName.RESOLVE: N_("Find the server"),
    StepName.CONNECT: N_("Connect to it"),
    StepName.GREETING: N_("The server's greeting"),
    StepName.EHLO: N_("Introduce ourselves"),
    StepName.TLS: N_("Encryption"),
    StepName.OFFERS: N_("What the server offers"),
    StepName.AUTH: N_("Sign in"),
    StepName.MAIL_FROM: N_("Sender"),
    StepName.RCPT_TO: N_("Recipient"),
    StepName.TOKEN: N_("Access token"),
    StepName.API: N_("The provider's mail service"),
    StepName.MX: N_("Your domain: where its mail goes (MX)"),
    StepName.SPF: N_("Your domain: who may send for it (SPF)"),
    StepName.DMARC: N_("Your domain: what is done with forgeries (DMARC)"),
}
OF_ATTEMPTS: Final = {"data": N_("The mail itself"), "accepted": N_("The server's receipt")}
"""Stages of a test mail that the doctor, who sends nothing, has not."""

STATES: Final = {
    StepStatus.OK: ("good", N_("Works")),
    StepStatus.WARNING: ("warning", N_("Take note")),
    StepStatus.FAILED: ("bad", N_("Does not work")),
    StepStatus.SKIPPED: ("plain", N_("Not tried")),
}
_FIELDS: Final = {
    "type": N_("Provider"),
    "server": N_("Server"),
    "port": N_("Port"),
    "tls": N_("Encryption"),
    "auth": N_("Way to sign in"),
    "username": N_("User name"),
    "reply_to": N_("Answers go to"),
}
CHOICES: Final = {
    "type": {"SMTP": N_("Any mail server (SMTP)"), "MS365": N_("Microsoft 365"), "GMAIL": N_("Gmail")},
    "tls": {
        "implicit": N_("From the start (TLS)"),
        "starttls": N_("After the greeting (STARTTLS)"),
        "opportunistic": N_("If the server can"),
        "clear": N_("None"),
    },
    "auth": {
        "AUTO": N_("Choose by itself"),
        "PLAIN": N_("Only PLAIN"),
        "LOGIN": N_("Only LOGIN"),
        "DISABLE": N_("No login"),
    },
}
"""The words of the form for what may be chosen."""

FACTS: Final = {
    "addresses": N_("Addresses"),
    "address": N_("Address"),
    "port": N_("Port"),
    "not_reached": N_("Not reached"),
    "version": N_("Version of TLS"),
    "days_left": N_("Days left of the certificate"),
    "names": N_("Names in the certificate"),
    "issuer": N_("Issued by"),
    "begins": N_("Good from"),
    "ends": N_("Good until"),
    "auth": N_("Ways to sign in"),
    "size": N_("Largest mail, in bytes"),
    "starttls": "STARTTLS",
    "pipelining": "PIPELINING",
    "smtputf8": "SMTPUTF8",
    "8bitmime": "8BITMIME",
    "enhancedstatuscodes": "ENHANCEDSTATUSCODES",
    "mx": "MX",
    "spf": "SPF",
    "dmarc": "DMARC",
}
"""What a step tells experts as data, by its name in the API; what the servers themselves name so is left as it is."""
_ANSWERS: Final = {True: N_("Yes"), False: N_("No")}

TO_DO: Final = {
    "GREETING_TIMEOUT": N_(
        "If the port is one that is encrypted from the start (usually 465), choose that kind of encryption. Else "
        "something that is no mail server listens there: check the port."
    ),
    "IMPLICIT_TLS_ON_STARTTLS_PORT": N_("Choose encryption after the greeting (STARTTLS), usually with port 587."),
    "STARTTLS_ON_IMPLICIT_TLS_PORT": N_("Choose encryption from the start (TLS), usually with port 465."),
    "STARTTLS_NOT_OFFERED": N_(
        "Choose encryption from the start (TLS) with port 465, or ask the server's operator. If it worked before, "
        "somebody on the way may be taking the offer out."
    ),
    "NOT_ENCRYPTED": N_("Choose one of the two kinds of encryption, if the server can do it."),
    "LOGIN_IN_CLEAR": N_("Choose a kind of encryption, or “No login” if the server needs none."),
    "AUTH_ONLY_AFTER_TLS": N_("Choose encryption after the greeting (STARTTLS), with port 587."),
    "AUTH_NOT_OFFERED": N_(
        "Let the way to sign in be chosen by itself, or choose “No login” if the server needs none, or try another "
        "port such as 587."
    ),
    "NO_PASSWORD": N_("Type user name and password, or choose “No login”."),
    "NO_SENDER": N_("Write a whole mail address as user name, or fill in where answers go to."),
    "MICROSOFT_BASIC_AUTH_OFF": N_(
        "With an organisation's address, best choose Microsoft 365 as the provider and sign in without a password "
        "(OAuth); else let your Microsoft administrator turn on Authenticated SMTP for this mailbox, and turn security "
        "defaults off. A personal address (outlook.com, hotmail.com, live.com, msn.com) can do neither: send through "
        "another provider."
    ),
    "MICROSOFT_BASIC_AUTH_RETIRED": N_(
        "No password will help. With an organisation's address, choose Microsoft 365 as the provider and sign in "
        "without a password (OAuth). A personal address (outlook.com, hotmail.com, live.com, msn.com) cannot do that: "
        "send through another provider."
    ),
    "MICROSOFT_WRONG_PASSWORD": N_(
        "The user name is the whole mail address. With two-factor login an app password is needed. An organisation may "
        "not permit those; with its address, better choose Microsoft 365 as the provider and sign in without a "
        "password (OAuth). A personal address (outlook.com, hotmail.com, live.com, msn.com) cannot do that, and an "
        "app password works only as long as Microsoft takes it."
    ),
    "MICROSOFT_NOT_AUTHENTICATED": N_(
        "Let the way to sign in be chosen by itself, with user name and password, on port 587: on smtp.office365.com "
        "with an organisation's address, on smtp-mail.outlook.com with a personal one (outlook.com, hotmail.com, "
        "live.com, msn.com). An organisation may instead choose Microsoft 365 as the provider and sign in without a "
        "password (OAuth)."
    ),
    "MICROSOFT_TOKEN_LOGIN_REFUSED": N_(
        "Best switch sending by SMTP off, under “For experts”: mail then goes through Microsoft Graph. Else give the "
        "app the application permission SMTP.SendAsApp with admin consent, let an Exchange administrator register its "
        "service principal and give it full access to the mailbox, and turn on Authenticated SMTP for the mailbox."
    ),
    "GOOGLE_TOKEN_LOGIN_REFUSED": N_(
        "Best switch sending by SMTP off, under “For experts”: mail then goes through the Gmail API. Else the "
        "delegation or the consent needs the scope https://mail.google.com/, and the user name must be the address of "
        "the mailbox that they are for."
    ),
    "LOGIN_REQUIRED": N_(
        "Choose an encryption, let the way to sign in be chosen by itself, and type user name and password. Usual "
        "ports are 587 and 465."
    ),
}
"""Code of a trap -> what to do, where the catalogue speaks of the fields of the API."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to know, and values to put into the form. Texts are in the visitor's language where it has them."""

    kind: str
    """The kind of the notice: bad, warning, info."""
    title: str
    text: str
    to_do: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the form with other values."""
    shown: tuple[tuple[str, str], ...] = ()
    """The same, as a person reads it."""


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One step as it is shown."""

    title: str
    kind: str
    word: str
    """How it went, in a word."""
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    """What experts want to see: codes, the server's words, and more."""


def show_step(visit: Visit, step: Step) -> ShownStep:
    """A step of the doctor."""
    facts = [(visit.say("Took"), f"{step.duration_ms} ms")] if step.status is not StepStatus.SKIPPED else []
    if step.code:
        facts.append((visit.say("Code"), f"{step.code} {step.enhanced_code or ''}".strip()))
    if step.reply:
        facts.append((visit.say("The server said"), step.reply))
    facts += [(visit.say(FACTS.get(name, name)), _plainly(visit, value)) for name, value in step.details.items()]
    return _shown(visit, step.name, step.status, visit.say(step.summary), tuple(facts))


def show_stage(visit: Visit, name: str, status: str) -> ShownStep:
    """A stage of a test mail."""
    return _shown(visit, name, StepStatus(status))


def advise(visit: Visit, finding: Finding, values: Mapping[str, Any], kind: str) -> Advice:
    """A finding; `values` are those of the form, so that nothing is suggested that stands there already."""
    to_do = TO_DO.get(finding.code, finding.what_to_do)
    wanted = in_form(values, finding.suggested_settings)
    return Advice(
        kind, visit.say(finding.title), visit.say(finding.explanation), visit.say(to_do), wanted, named(visit, wanted)
    )


def named(visit: Visit, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Fields of the form and their values, in words."""
    return tuple(
        (visit.say(_FIELDS[name]), visit.say(CHOICES.get(name, {}).get(str(value), "")) or str(value))
        for name, value in values.items()
    )


def _shown(
    visit: Visit, name: str, status: StepStatus, text: str = "", facts: tuple[tuple[str, str], ...] = ()
) -> ShownStep:
    kind, word = STATES[status]
    title = OF_ATTEMPTS.get(name) or TITLES[StepName(name)]
    return ShownStep(visit.say(title), kind, visit.say(word), text, facts)


def _plainly(visit: Visit, value: Any) -> str:
    if isinstance(value, bool):
        return visit.say(_ANSWERS[value])
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "\N{EN DASH}" if value in (None, "") else str(value)
