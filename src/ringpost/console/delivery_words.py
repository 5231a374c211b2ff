"""Deliveries in plain words: why one failed, how far it came, what was said, what to do and whom to ask."""

from dataclasses import dataclass
from typing import Any, Final

from ringpost.console.doctor_words import TO_DO
from ringpost.console.languages import N_
from ringpost.console.notifications import GROUPS
from ringpost.domain.catalogue import CATALOGUE, Audience
from ringpost.domain.deliveries import Party, Stage, Urgency
from ringpost.domain.endpoints import API_LABELS
from ringpost.domain.events import SkipReason
from ringpost.domain.traps import TRAPS, Trap
from ringpost.storage.queues import is_borrowed

TITLES: Final = {told.name: told.title for group in GROUPS for told in group.types}
"""Event type -> what happened."""

AUDIENCES: Final = {
    Audience.USER: N_("It tells the person it is about."),
    Audience.EVENT: N_("It tells the people whom the phone system names."),
    Audience.TENANT: N_("It tells the recipients under Notifications."),
    Audience.EVENT_AND_TENANT: N_(
        "It tells the recipients under Notifications and the people whom the phone system names."
    ),
    Audience.EVENT_ELSE_TENANT: N_(
        "It tells the people whom the phone system names; if none, the recipients under Notifications."
    ),
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why an event sent nothing, and what to change; texts are English, to be translated."""

    title: str
    text: str
    to_do: str
    path: str = ""
    """The page where it is changed."""
    link: str = ""


_NAMED_NOBODY: Final = Skipped(
    N_("There was nobody to tell"),
    N_("Only people whom the phone system names are told of events like this, and it named nobody."),
    N_("Enter a mail address for the person in the phone system. Recipients under Notifications do not help here."),
)
_NO_RECIPIENTS: Final = Skipped(
    N_("There was nobody to tell"),
    N_("Only the recipients under Notifications are told of events like this, and there were none."),
    N_("Add recipients. It holds for events from then on."),
    "/notifications",
    N_("Add recipients"),
)
_NOBODY_TOLD: Final = {
    Audience.USER: _NAMED_NOBODY,
    Audience.EVENT: _NAMED_NOBODY,
    Audience.TENANT: _NO_RECIPIENTS,
}
"""Where the advice differs from that for types of which both can be told."""

SKIPPED: Final = {
    SkipReason.NOTIFICATION_OFF: Skipped(
        N_("This notification is switched off"),
        N_("The event came in, but its switch under Notifications was off at that moment."),
        N_("Switch it on if people should be told. It holds for events from then on."),
        "/notifications",
        N_("Open Notifications"),
    ),
    SkipReason.NO_RECIPIENTS: Skipped(
        N_("There was nobody to tell"),
        N_("The phone system named nobody, and there were no recipients under Notifications for events like this."),
        N_("Add recipients, or enter a mail address for the person in the phone system."),
        "/notifications",
        N_("Add recipients"),
    ),
    SkipReason.NO_MAIL_SERVER: Skipped(
        N_("There was no mail server"),
        N_("There was nothing to send it through: no mail server of your own, and none to borrow."),
        N_("Set up the mail server. What was skipped before is not sent afterwards."),
        "/mail-server",
        N_("Set up the mail server"),
    ),
    SkipReason.TENANT_DISABLED: Skipped(
        N_("The tenant was disabled"),
        N_("While a tenant is disabled, nothing is sent for it."),
        N_("Ask whoever runs the phone system."),
    ),
}
"""Reason -> words, for each that is kept with an event; DUPLICATE is only counted."""


def skipped(event: Any) -> Skipped:
    """Why this event sent nothing. Whom it would help to add depends on who is told of its type."""
    reason, kind = SkipReason(event.skip_reason), CATALOGUE.get(event.type)
    if reason is SkipReason.NO_RECIPIENTS and kind is not None:
        return _NOBODY_TOLD.get(kind.audience, SKIPPED[reason])
    return SKIPPED[reason]


@dataclass(frozen=True, slots=True)
class Helper:
    """Whose failure it is: who can mend it; texts are English, to be translated."""

    whose: str
    ask: str
    path: str = ""
    link: str = ""


HELPERS: Final = {
    Party.RECIPIENT: Helper(
        N_("The recipient's address or mailbox"),
        N_("Check the address with the person. If it is right, ask whoever runs the mail of their organisation."),
    ),
    Party.MESSAGE: Helper(
        N_("The mail itself"),
        N_("Whoever edits the templates can shorten or correct the mail; then the event has to be sent again."),
        "/templates",
        N_("Open Templates"),
    ),
    Party.MAIL_SERVER: Helper(
        N_("The mail server"),
        N_("Whoever runs the mail server. Give them its own words and the time below."),
        "/mail-server",
        N_("Diagnose the mail server"),
    ),
    Party.CONFIGURATION: Helper(
        N_("The settings of the mail server"),
        N_("Whoever administers the mail server settings here. What waits goes out as soon as they are corrected."),
        "/mail-server",
        N_("Correct the settings"),
    ),
    Party.NETWORK: Helper(
        N_("The way to the mail server"),
        N_("Whoever runs the network or the firewall of the phone system."),
        "/mail-server",
        N_("Diagnose the mail server"),
    ),
}
_OURS: Final = Helper(N_("Ringpost itself"), N_("Whoever runs Ringpost. Its log says more."))
NOBODY: Final = Helper(N_("Nobody can know"), N_("Nothing has to be done: it is tried again by itself."))

SHARE_USED: Final = N_("Your share of the phone system's mail server is used up")
_SHARE: Final = Helper(
    N_("The phone system's mail server, which is lent"),
    N_("Whoever administers the mail server settings here can set up a mail server of your own."),
    "/mail-server",
    N_("Set up the mail server"),
)

_BY_HINT: Final = {trap.hint: trap for trap in TRAPS.values()}
"""Attempts keep the words and not the code of the trap."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an attempt failed, or a lane waits."""

    title: str
    text: str
    to_do: str
    trap: Trap | None
    helper: Helper
    reply: str = ""
    """The server's own words; empty when it said nothing."""


def is_over_share(hold: Any) -> bool:
    """Whether mail waits because the tenant has used its share of the lent mail server, and not because that fails."""
    return hold is not None and is_borrowed(hold.lane)


def hold_for(row: Any, hold: Any) -> Any:
    """The hold that keeps a mail waiting. Emergencies take no share, so none of theirs is used up."""
    return None if is_over_share(hold) and row.urgency == Urgency.EMERGENCY else hold


def reason_of_hold(hold: Any) -> Reason:
    """Why all mail of a queue waits."""
    if is_over_share(hold):
        return Reason(SHARE_USED, hold.hint, N_("There is nothing to do: it goes by itself."), None, _SHARE)
    return reason_of(hold)


def reason_of(row: Any) -> Reason:
    """The reason in an attempt or a hold."""
    trap = _trap_of(row.hint)
    if trap is not None:
        to_do = TO_DO.get(trap.code, trap.what_to_do)
        return Reason(trap.title, trap.explanation, to_do, trap, _helper(row.party), row.reply)
    # What no server has answered, and no known trap is, has failed before the mail was looked at
    ours = row.party == Party.MESSAGE and row.code is None
    return Reason(N_("The mail was not taken"), row.hint, "", None, _OURS if ours else _helper(row.party), row.reply)


def _helper(party: str | None) -> Helper:
    return HELPERS[Party(party)] if party else NOBODY


def why(row: Any, hold: Any = None) -> str:
    """The reason of the hold, else of the last attempt, in one line; "" when there is none."""
    if is_over_share(hold):
        return SHARE_USED
    if hold is not None:
        return _in_short(hold.hint, hold.reply)
    if row.attempt_number is None or row.attempt_verdict == "sent":
        return ""
    return _in_short(row.attempt_hint, row.attempt_reply)


def _in_short(hint: str, reply: str) -> str:
    trap = _trap_of(hint)
    return trap.title if trap is not None else hint or reply


def _trap_of(hint: str) -> Trap | None:
    """The trap whose words these are; some are followed by numbers of the very mail."""
    if not hint:
        return None
    return _BY_HINT.get(hint) or next((trap for words, trap in _BY_HINT.items() if hint.startswith(words)), None)


# How far an attempt came --------------------------------------------------------------------------------------------

_SMTP: Final = (
    (N_("Find the server"), (Stage.RESOLVE,)),
    (N_("Connect"), (Stage.CONNECT, Stage.GREETING, Stage.EHLO)),
    (N_("Encrypt"), (Stage.TLS,)),
    (N_("Sign in"), (Stage.AUTH,)),
    (N_("Name the sender"), (Stage.MAIL_FROM,)),
    (N_("Name the recipient"), (Stage.RCPT_TO,)),
    (N_("Hand over the mail"), (Stage.DATA, Stage.ACCEPTED)),
)
_ACCESS: Final = (N_("Get access"), (Stage.TOKEN,))
_API: Final = (
    (N_("Reach the provider"), (Stage.RESOLVE, Stage.CONNECT, Stage.TLS)),
    _ACCESS,
    (N_("Hand over the mail"), (Stage.DATA, Stage.API, Stage.ACCEPTED)),
)


def _steps(server: str, stage: Stage) -> tuple[tuple[str, tuple[Stage, ...]], ...]:
    if server in API_LABELS:
        return _API
    return (_ACCESS, *_SMTP) if stage is Stage.TOKEN else _SMTP


def way_of(attempt: Any) -> list[tuple[str, str]]:
    """Steps in plain words with `done`, `failed` or `open`; none when no server was asked."""
    if not attempt.server:
        return []
    stage = Stage(attempt.stage)
    way = _steps(attempt.server, stage)
    last = next(place for place, (_, stages) in enumerate(way) if stage in stages)
    if attempt.verdict == "sent":
        return [(title, "done") for title, _ in way]
    return [
        (title, "done" if place < last else "failed" if place == last else "open")
        for place, (title, _) in enumerate(way)
    ]


_SAID: Final = {
    Stage.RESOLVE: N_("(looks up the name of the server)"),
    Stage.CONNECT: N_("(opens a connection)"),
    Stage.GREETING: N_("(waits for the server's greeting)"),
    Stage.TLS: N_("(asks for an encrypted connection)"),
    Stage.EHLO: "EHLO",
    Stage.AUTH: N_("AUTH (user name and password, not shown)"),
    Stage.MAIL_FROM: "MAIL FROM:<…>",
    Stage.DATA: N_("DATA (the mail)"),
    Stage.ACCEPTED: N_("DATA (the mail)"),
    Stage.TOKEN: N_("(asks for an access token; secrets not shown)"),
    Stage.API: N_("(hands over the mail by HTTPS)"),
}


def said(attempt: Any, recipient: str) -> tuple[str, str]:
    """The last thing we said, and the server's answer; both may be to be translated, as far as they are ours."""
    stage = Stage(attempt.stage)
    ours = f"RCPT TO:<{recipient}>" if stage is Stage.RCPT_TO else _SAID[stage]
    codes = [str(attempt.code)] if attempt.code else []
    if attempt.enhanced_code and not attempt.reply.startswith(attempt.enhanced_code):
        codes.append(attempt.enhanced_code)
    return ours, " ".join([*codes, attempt.reply]).strip()
