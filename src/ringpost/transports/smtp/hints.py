"""Recognising traps in what a server says. The words for people are in `domain.traps`. No I/O."""

import re
from typing import Final

from ringpost.domain.credentials import Credentials, MicrosoftApp
from ringpost.domain.deliveries import Stage
from ringpost.domain.traps import Trap, encryption, login, mail, reaching
from ringpost.transports.smtp.replies import Reply

_OF_A_MAIL: Final = frozenset({Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA})
_ADDRESSES = re.compile(r"\S*@\S*")
"""Servers repeat them, and what stands in them says nothing: `<spfleger@example.org>: User unknown`."""
_GOOGLE = re.compile(r"google|gsmtp", re.IGNORECASE)
_TLS_FIRST = re.compile(r"start ?tls|encrypt|\btls\b|\bssl\b", re.IGNORECASE)
_TOO_MANY = re.compile(r"too many|concurren|connection (rate|limit)|rate limit|maximum", re.IGNORECASE)
_TOO_MANY_LOGINS = re.compile(r"too many\b[^.]{0,20}\b(?:log[ -]?ins?|auth|password)", re.IGNORECASE)
_GREYLISTING = re.compile(r"gr[ae]y[ -]?list", re.IGNORECASE)
_NOT_VERIFIED_YET = re.compile(
    r"verification in progress|unverified address: (?:connect to|lost connection|[^:]*: (?:connection )?timed out)",
    re.IGNORECASE,
)
"""Postfix asks the recipient's own server first, and has no answer (its ADDRESS_VERIFICATION_README)."""
_TOO_MANY_AT_ONCE = re.compile(r"concurren|thread limit|too many connections", re.IGNORECASE)
_LATER = re.compile(r"\blater\b|\bagain\b|temporar", re.IGNORECASE)
_WRONG_PASSWORD = re.compile(r"credentials were incorrect", re.IGNORECASE)
_NOT_FOUND = re.compile(r"recipient ?not ?found|not found by smtp address lookup", re.IGNORECASE)
_BAD_SENDER = re.compile(r"bad outbound sender", re.IGNORECASE)
_AT_AUTH: Final = {530: login.AUTH_ONLY_AFTER_TLS, 534: login.LOGIN_KIND_REFUSED, 538: login.AUTH_ONLY_AFTER_TLS}
_ANYWHERE: Final = {
    530: login.LOGIN_REQUIRED,
    534: login.LOGIN_KIND_REFUSED,
    535: login.LOGIN_REFUSED,
    538: login.AUTH_ONLY_AFTER_TLS,
}
_TO_A_MAIL: Final = {
    450: mail.GREYLISTED,
    451: mail.SERVER_TROUBLE,
    452: mail.OUT_OF_ROOM,
    454: mail.NOT_READY,
    552: mail.MAIL_TOO_LARGE,
    554: mail.REFUSED_FOR_GOOD,
}
_WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), trap)
    for pattern, trap in (
        # Exchange, of groups and mailboxes that take mail from some senders only.
        (r"resolver\.rst\.(?:auth|notauth|sendernot)", mail.RECIPIENT_RESTRICTED),
        # Postfix and Exim say only at RCPT what they think of the name that we gave at EHLO.
        (r"\b(?:helo|ehlo)\b", reaching.EHLO_REFUSED),
        (r"\b(?:sending|daily|hourly|outgoing|rate)\b[^.]{0,40}\b(?:limit|quota|exceeded)", mail.SENDING_LIMIT),
        (r"\brate.?limit|too much mail|per (?:minute|hour|day)\b|exceeded threshold", mail.SENDING_LIMIT),
        (r"credits? exceeded|messaging limit|submission ?quota", mail.SENDING_LIMIT),
        # Not in the name of a host, and not in Postfix's name for a list of mailboxes.
        (r"(?<![\w.-])relay(?:ing)?\b(?! recipient table|[.-]\w)|rcpthosts", mail.RELAYING_DENIED),
        (r"authentication (?:is )?required|requires? (?:smtp )?authentication", login.LOGIN_REQUIRED),
        (r"(?:client|user) (?:was |is )?not authenticated|not logged in", login.LOGIN_REQUIRED),
        (r"(?:starttls|\btls|encryption) (?:is )?(?:required|needed)|issue a starttls", login.AUTH_ONLY_AFTER_TLS),
        (r"not owned|send ?as|sender address (?:rejected|is not allowed)", mail.SENDER_NOT_OWNED),
        (r"not (?:allowed|permitted) to send|is not verified|verified sender", mail.SENDER_NOT_OWNED),
        (r"sender verif", mail.SENDER_REFUSED),
        (r"spf|dkim|dmarc", mail.SENDER_DOMAIN_POLICY),
        (r"mailbox (?:is )?full|over ?quota|quota (?:is )?exceeded", mail.MAILBOX_FULL),
        (r"spam|unsolicited|blocked|black ?list|block ?list|\blisted\b|reputation", mail.TAKEN_FOR_SPAM),
    )
)
_SAYS_ALL: Final = {
    "1.1": mail.NO_SUCH_MAILBOX,
    "1.2": mail.RECIPIENT_DOMAIN_UNKNOWN,
    "1.3": mail.RECIPIENT_MISSPELT,
    "1.8": mail.SENDER_DOMAIN_UNKNOWN,
    "1.10": mail.RECIPIENT_DOMAIN_UNKNOWN,
    "2.1": mail.MAILBOX_DISABLED,
    "2.2": mail.MAILBOX_FULL,
    "3.4": mail.MAIL_TOO_LARGE,
    **dict.fromkeys(("7.124", "7.129", "7.133", "7.134", "7.136"), mail.RECIPIENT_RESTRICTED),  # Microsoft's
}
"""Enhanced codes that name one thing only, whatever words go with them."""
_SAYS_SOME: Final = {
    "7.0": mail.POLICY,
    "7.1": mail.POLICY,
    "7.8": login.LOGIN_REFUSED,
    "7.9": login.LOGIN_KIND_REFUSED,
    "7.26": mail.SENDER_DOMAIN_POLICY,  # RFC 7372 3.3
    "7.515": mail.SENDER_DOMAIN_POLICY,  # Microsoft's
}
_REASONS_TO_GO: Final = frozenset({mail.SENDING_LIMIT, mail.SENDER_DOMAIN_POLICY, mail.TAKEN_FOR_SPAM})
"""What 421 to a mail is said for, beside a server that is busy."""
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
_OF_PROVIDERS_IN_WORDS: Final = (
    (frozenset({"7.139"}), _WRONG_PASSWORD, login.MICROSOFT_WRONG_PASSWORD),
    (frozenset({"1.8"}), _BAD_SENDER, mail.MICROSOFT_SENDER_BLOCKED),
    # Microsoft's; elsewhere it is said of the domain (RFC 7505).
    (frozenset({"1.10"}), _NOT_FOUND, mail.NO_SUCH_MAILBOX),
    # Google's, with 421 and 550: what SPF, DKIM or DMARC leave to be desired (its reference of SMTP errors).
    (frozenset({"7.26", "7.27", "7.30", "7.31", "7.32", "7.40"}), _GOOGLE, mail.SENDER_DOMAIN_POLICY),
)
"""Enhanced codes that mean this with these words."""
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
    if stage is Stage.AUTH and reply.code in _AT_AUTH:
        return _AT_AUTH[reply.code]
    if stage in {Stage.GREETING, Stage.EHLO} and reply.code // 100 == 4 and _TOO_MANY.search(reply.text):
        return reaching.TOO_MANY_CONNECTIONS
    if reply.code == 421:
        return _told_to_go(stage, reply)
    if reply.code in _ANYWHERE:
        return _ANYWHERE[reply.code]
    return _to_a_mail(stage, reply) if stage in _OF_A_MAIL else _before_a_mail(stage, reply)


def _told_to_go(stage: Stage, reply: Reply) -> Trap:
    """421 is said for want of room, and by many to who sends too much or what they do not like."""
    if stage is Stage.AUTH:
        return _not_now(reply) or reaching.SERVER_BUSY
    if _TOO_MANY_AT_ONCE.search(reply.text):
        return reaching.TOO_MANY_CONNECTIONS
    if stage not in _OF_A_MAIL:
        return reaching.SERVER_BUSY
    said = _by_words(reply)
    return said if said in _REASONS_TO_GO else reaching.SERVER_BUSY


def _not_now(reply: Reply) -> Trap | None:
    """Why a login is not taken for a while, when the words say it."""
    if _TOO_MANY_LOGINS.search(reply.text):
        return login.TOO_MANY_LOGINS
    if _TOO_MANY_AT_ONCE.search(reply.text):
        return reaching.TOO_MANY_CONNECTIONS
    return mail.SENDING_LIMIT if _by_words(reply) is mail.SENDING_LIMIT else None


def _by_words(reply: Reply) -> Trap | None:
    words = _ADDRESSES.sub(" ", reply.text)
    return next((trap for pattern, trap in _WORDS if pattern.search(words)), None)


def _before_a_mail(stage: Stage, reply: Reply) -> Trap:
    if reply.code // 100 == 4:
        if stage is Stage.AUTH:
            return _not_now(reply) or login.LOGIN_NOT_NOW
        if _GREYLISTING.search(reply.text):
            return mail.GREYLISTED
        if reply.code == 451 and stage is not Stage.TLS:
            return mail.SERVER_TROUBLE
    return _AT_STAGE.get(stage, reaching.TIMEOUT)


def _to_a_mail(stage: Stage, reply: Reply) -> Trap:
    if reply.code // 100 == 4:
        if _GREYLISTING.search(reply.text):  # with 450 or 451, and 4.2.0, 4.3.0 or 4.7.1
            return mail.GREYLISTED
        if _TOO_MANY_AT_ONCE.search(reply.text):
            return reaching.TOO_MANY_CONNECTIONS
        if _NOT_VERIFIED_YET.search(reply.text):
            return mail.NOT_READY
    subject = _subject(reply)
    # With 4.7.0 and 4.7.1 servers also put off whom they do not know, and say that they have trouble of their own.
    put_off = reply.code // 100 == 4 and _LATER.search(_ADDRESSES.sub(" ", reply.text))
    return (
        _NOT_NOW.get(reply.enhanced_code or "")
        or _SAYS_ALL.get(subject)
        or _by_words(reply)
        or (None if put_off else _SAYS_SOME.get(subject))
        or (mail.POLICY if reply.code // 100 == 5 and subject.startswith("7.") else None)  # RFC 3463 3.8
        or _TO_A_MAIL.get(reply.code)
        or _AT_STAGE[stage]
    )


def _subject(reply: Reply) -> str:
    return (reply.enhanced_code or "").partition(".")[2]


def _providers_own(stage: Stage, reply: Reply) -> Trap | None:
    """Codes and words by which large providers, and mail servers that many run, say something of their own."""
    subject = _subject(reply)
    for subjects, words, trap in _OF_PROVIDERS_IN_WORDS:
        if subject in subjects and words.search(reply.text):
            return trap
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
