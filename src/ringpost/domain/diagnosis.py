"""What the doctor says of a mail server: the steps of the sending path, and the findings that they come to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from ringpost.domain.deliveries import Stage
from ringpost.domain.endpoints import Auth, Endpoint, SmtpEndpoint, TlsMode
from ringpost.domain.providers import Provider
from ringpost.domain.traps import TRAPS


class StepName(StrEnum):
    """The steps, in their order; with STARTTLS, `tls` comes behind `ehlo`. Stages of an attempt have the same words."""

    SETTINGS = "settings"
    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    OFFERS = "offers"
    AUTH = "auth"
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    TOKEN = "token"  # noqa: S105  the step of fetching an OAuth token
    API = "api"
    MX = "mx"
    SPF = "spf"
    DMARC = "dmarc"


class StepStatus(StrEnum):
    """How a step went."""

    OK = "ok"
    WARNING = "warning"
    """It works, and there is something to know."""
    FAILED = "failed"
    """No mail gets further than this."""
    SKIPPED = "skipped"


SMTP_STEPS: Final = (
    StepName.RESOLVE,
    StepName.CONNECT,
    StepName.GREETING,
    StepName.EHLO,
    StepName.TLS,
    StepName.OFFERS,
    StepName.AUTH,
    StepName.MAIL_FROM,
    StepName.RCPT_TO,
)
DOMAIN_STEPS: Final = (StepName.MX, StepName.SPF, StepName.DMARC)
_IN_GENERAL: Final = {
    StepStatus.OK: "This works.",
    StepStatus.WARNING: "This works, but take note.",
    StepStatus.FAILED: "This does not work.",
    StepStatus.SKIPPED: "This was not tried.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as it went."""

    name: StepName
    status: StepStatus
    duration_ms: int
    summary: str
    """Our words: what happened."""
    trap: str = ""
    """Code in the catalogue of traps; empty when there is nothing to change."""
    hint: str = ""
    """Our words: what to change."""
    code: int | None = None
    enhanced_code: str | None = None
    reply: str = ""
    """The server's words, cleaned and without secrets."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More, as data."""

    def for_borrower(self) -> "Step":
        """As a tenant sees it who borrows the mail server: no more than a test mail tells."""
        words = self.reply if self.status is StepStatus.FAILED else ""
        return replace(self, summary=_IN_GENERAL[self.status], reply=words, details={})


@dataclass(frozen=True, slots=True)
class Finding:
    """A trap that the settings are in, and the way out."""

    code: str
    title: str
    explanation: str
    what_to_do: str
    suggested_settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the settings with other values; may be empty."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it."""

    server: str | None
    """What was examined; None for a borrowed server."""
    provider: Provider | None
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed: mail can be sent."""
        return all(step.status is not StepStatus.FAILED for step in self.steps)


def finding(code: str, suggested_settings: Mapping[str, Any], explanation: str = "") -> Finding:
    """The finding for a trap of the catalogue."""
    trap = TRAPS[code]
    return Finding(code, trap.title, explanation or trap.explanation, trap.what_to_do, suggested_settings)


def way_to(stage: Stage, endpoint: Endpoint) -> list[dict[str, str]]:
    """The steps of an attempt that ended at `stage`, by name and status, for who has no more than its outcome."""
    way = _way(endpoint)
    ended = way.index(stage) if stage in way else len(way) - 1  # on the way to an API, with a token in hand
    return [
        {"name": one.value, "status": _status_at(number - ended, _is_omitted(one, endpoint)).value}
        for number, one in enumerate(way)
    ]


def _way(endpoint: Endpoint) -> tuple[Stage, ...]:
    if not isinstance(endpoint, SmtpEndpoint):
        return Stage.TOKEN, Stage.API
    token = () if endpoint.grant is None else (Stage.TOKEN,)
    hello = (Stage.GREETING, Stage.EHLO)
    hello = (Stage.TLS, *hello) if endpoint.tls is TlsMode.IMPLICIT else (*hello, Stage.TLS)
    mail = (Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA, Stage.ACCEPTED)
    return (*token, Stage.RESOLVE, Stage.CONNECT, *hello, Stage.AUTH, *mail)


def _is_omitted(stage: Stage, endpoint: Endpoint) -> bool:
    if not isinstance(endpoint, SmtpEndpoint):
        return False
    no_login = endpoint.auth is Auth.DISABLE and endpoint.oauth is None
    return (stage is Stage.AUTH and no_login) or (stage is Stage.TLS and endpoint.tls is TlsMode.CLEAR)


def _status_at(distance: int, omitted: bool) -> StepStatus:
    if distance == 0:
        return StepStatus.FAILED
    return StepStatus.SKIPPED if distance > 0 or omitted else StepStatus.OK


def skipped(names: Iterable[StepName], why: str) -> list[Step]:
    """Steps that were not tried."""
    return [Step(name, StepStatus.SKIPPED, 0, why) for name in names]


def diagnosis_to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """As the API and `ringpost doctor --json` show it."""
    provider = diagnosis.provider
    return {
        "ok": diagnosis.ok,
        "server": diagnosis.server,
        "provider": None
        if provider is None
        else {"name": provider.name, "username": provider.username, "password": provider.password},
        "steps": [step_to_json(step) for step in diagnosis.steps],
        "findings": [
            {
                "code": one.code,
                "title": one.title,
                "explanation": one.explanation,
                "what_to_do": one.what_to_do,
                "suggested_settings": dict(one.suggested_settings),
            }
            for one in diagnosis.findings
        ],
    }


def step_to_json(step: Step) -> dict[str, Any]:
    """One step as the API shows it."""
    return {
        "name": step.name.value,
        "status": step.status.value,
        "duration_ms": step.duration_ms,
        "summary": step.summary,
        "finding": step.trap or None,
        "hint": step.hint or None,
        "code": step.code,
        "enhanced_code": step.enhanced_code,
        "reply": step.reply or None,
        "details": dict(step.details),
    }
