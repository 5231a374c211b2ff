"""Recognising traps in what a server says. The words for people are in `domain.traps`. No I/O."""

import re
from typing import Final

from ringpost.domain.credentials import Credentials, MicrosoftApp
from ringpost.domain.deliveries import Stage
from ringpost.domain.traps import Trap, encryption, login, mail, reaching
from ringpost.transports.smtp.replies import Reply

_LOGIN_CODES: Final = frozenset({421, 530, 534, 535, 538})
_GOOGLE = re.compile(r"google|gsmtp", re.IGNORECASE)
_TLS_FIRST = re.compile(r"start ?tls|encrypt|\btls\b|\bssl\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"too many|concurren|connection (rate|limit)|rate limit|maximum", re.IGNORECASE)
_GREYLISTING = re.compile(r"gr[ae]y[ -]?list", re.IGNORECASE)
_WRONG_PASSWORD = re.compile(r"credentials were incorrect", re.IGNORECASE)
_AT_AUTH: Final = {
    454: login.LOGIN_NOT_NOW,
    530: login.AUTH_ONLY_AFTER_TLS,
    534: login.LOGIN_KIND_REFUSED,
    535: login.LOGIN_REFUSED,
    538: login.AUTH_ONLY_AFTER_TLS,
}
_ANYWHERE: Final = {
    421: reaching.SERVER_BUSY,
    450: mail.GREYLISTED,
    451: mail.SERVER_TROUBLE,
    452: mail.OUT_OF_ROOM,
    454: mail.NOT_READY,
    530: login.LOGIN_REQUIRED,
    534: login.LOGIN_KIND_REFUSED,
    535: login.LOGIN_REFUSED,
    538: login.AUTH_ONLY_AFTER_TLS,
    552: mail.MAIL_TOO_LARGE,
    554: mail.REFUSED_FOR_GOOD,
}
_WORDS: Final = (
    (r"relay", mail.RELAYING_DENIED),
    (r"not owned|send ?as|sender address rejected|not allowed to send|not permitted to send", mail.SENDER_NOT_OWNED),
    (r"spf|dkim|dmarc", mail.SENDER_DOMAIN_POLICY),
    (r"spam|blocked|black ?list|block ?list|\blisted\b|reputation", mail.TAKEN_FOR_SPAM),
)
_ENHANCED: Final = {
    "1.1": mail.NO_SUCH_MAILBOX,
    "1.2": mail.RECIPIENT_DOMAIN_UNKNOWN,
    "1.3": mail.RECIPIENT_MISSPELT,
    "1.8": mail.SENDER_DOMAIN_UNKNOWN,
    "1.10": mail.RECIPIENT_DOMAIN_UNKNOWN,
    "2.1": mail.MAILBOX_DISABLED,
    "2.2": mail.MAILBOX_FULL,
    "3.4": mail.MAIL_TOO_LARGE,
    "7.0": mail.POLICY,
    "7.1": mail.POLICY,
    "7.8": login.LOGIN_REFUSED,
    "7.9": login.LOGIN_KIND_REFUSED,
}
_NOT_NOW: Final = {
    # RFC 3463 3.3: disabled, perhaps for a while only. Google says it too when a mailbox gets more than it may.
    "4.2.1": mail.MAILBOX_NOT_NOW,
}
_OF_PROVIDERS: Final = {
    (None, "7.139"): login.MICROSOFT_BASIC_AUTH_OFF,
    (None, "7.30"): login.MICROSOFT_BASIC_AUTH_RETIRED,
    (None, "7.57"): login.MICROSOFT_NOT_AUTHENTICATED,
    (535, "7.3"): login.MICROSOFT_WRONG_PASSWORD,
    (534, "7.9"): login.GOOGLE_APP_PASSWORD,
}
_AT_STAGE: Final = {
    Stage.GREETING: reaching.GREETING_REFUSED,
    Stage.EHLO: reaching.EHLO_REFUSED,
    Stage.TLS: encryption.STARTTLS_REFUSED,
    Stage.AUTH: login.LOGIN_REFUSED,
    Stage.MAIL_FROM: mail.SENDER_REFUSED,
    Stage.RCPT_TO: mail.RECIPIENT_REFUSED,
    Stage.DATA: mail.CONTENT_REFUSED,
}


def for_token_login(credentials: Credentials) -> Trap:
    """The trap of a login with an access token that is not taken; what mends one with a password does not help."""
    if isinstance(credentials, MicrosoftApp):
        return login.MICROSOFT_TOKEN_LOGIN_REFUSED
    return login.GOOGLE_TOKEN_LOGIN_REFUSED


def for_reply(stage: Stage, reply: Reply) -> Trap:
    """The trap of a reply that is a refusal."""
    by_provider = _providers_own(stage, reply)
    if by_provider is not None:
        return by_provider
    if reply.code // 100 == 4 and stage in {Stage.GREETING, Stage.EHLO} and _TOO_MANY.search(reply.text):
        return reaching.TOO_MANY_CONNECTIONS
    if stage is Stage.AUTH and reply.code in _AT_AUTH:
        return _AT_AUTH[reply.code]
    if stage is Stage.GREETING and reply.code // 100 == 5:
        return reaching.GREETING_REFUSED
    if stage in {Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA} and reply.code not in _LOGIN_CODES:
        return _by_words(reply) or _by_code(stage, reply)
    return _by_code(stage, reply, enhanced=False)


def _by_words(reply: Reply) -> Trap | None:
    if reply.code // 100 == 4 and _GREYLISTING.search(reply.text):  # with 450 or 451, and 4.2.0, 4.3.0 or 4.7.1
        return mail.GREYLISTED
    return next((trap for pattern, trap in _WORDS if re.search(pattern, reply.text, re.IGNORECASE)), None)


def _by_code(stage: Stage, reply: Reply, *, enhanced: bool = True) -> Trap:
    found = (_NOT_NOW.get(reply.enhanced_code or "") or _ENHANCED.get(_subject(reply))) if enhanced else None
    return found or _ANYWHERE.get(reply.code) or _AT_STAGE.get(stage, reaching.TIMEOUT)


def _subject(reply: Reply) -> str:
    return (reply.enhanced_code or "").partition(".")[2]


def _providers_own(stage: Stage, reply: Reply) -> Trap | None:
    """Codes and words by which large providers, and mail servers that many run, say something of their own."""
    subject = _subject(reply)
    if subject == "7.139" and _WRONG_PASSWORD.search(reply.text):
        return login.MICROSOFT_WRONG_PASSWORD
    if reply.code == 535 and subject == "7.8" and _GOOGLE.search(reply.text):
        return login.GOOGLE_BAD_CREDENTIALS
    if (
        reply.code == 530
        and stage is not Stage.AUTH
        and not subject.startswith("7.5")
        and _TLS_FIRST.search(reply.text)
    ):
        return login.AUTH_ONLY_AFTER_TLS
    return _OF_PROVIDERS.get((reply.code, subject)) or _OF_PROVIDERS.get((None, subject))
