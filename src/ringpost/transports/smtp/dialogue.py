"""What was said on a connection, for people who ask why a mail did not go: a line each, as in RFC 5321's examples.

    S: 220 mail.example.com ESMTP
    C: EHLO pbx.example.com
    S: 250 mail.example.com

Logins are left out of what we say, and our password, in any form, out of what servers repeat (`Judge.words`).
"""

from collections.abc import Iterable

from ringpost.transports.smtp import commands
from ringpost.transports.smtp.classify import Judge
from ringpost.transports.smtp.mails import Kind, Mail, Phrases
from ringpost.transports.smtp.replies import Garbage, Reply

MOST_OCTETS = 4096
"""The most that is kept of one dialogue; what was said last is."""
NO_ANSWER = "S: (no answer)"
NO_END = "S: (an answer without its end)"
OTHER_ADDRESS = "(another address of the mail server)"
_HIDDEN = "***"


def ours(command: bytes) -> str:
    """A command as it is shown."""
    words = command.decode("utf-8", "replace").rstrip("\r\n")
    if words[:5].upper() != "AUTH ":
        return f"C: {words}"
    verb, mechanism, *response = words.split(" ", 2)
    return " ".join(["C:", verb, mechanism, *([_HIDDEN] if response else [])])


def hidden() -> str:
    """An answer in the middle of a login."""
    return f"C: {_HIDDEN}"


def theirs(reply: Reply | Garbage, judge: Judge) -> str:
    """A reply as it is shown, in one line."""
    return "S: (not SMTP)" if isinstance(reply, Garbage) else f"S: {reply.code} {judge.words(reply)}".rstrip()


def of_a_mail(mail: Mail, unanswered: Iterable[Kind], phrases: Phrases, judge: Judge) -> str:
    """What was said about one mail, with the commands that got no answer at the end."""
    lines: list[str] = []
    again = False
    for kind, reply in mail.heard:
        lines += (_about(kind, mail, phrases, again=again), theirs(reply, judge))
        again = again or kind is Kind.MAIL
    silent = [_about(kind, mail, phrases, again=again) for kind in unanswered]
    return whole([*lines, *silent, NO_ANSWER] if silent else lines)


def whole(lines: list[str]) -> str:
    """The lines as they are kept."""
    text = "\n".join(lines)
    while len(text.encode()) > MOST_OCTETS:
        _, _, text = text.partition("\n")
    return text


def _about(kind: Kind, mail: Mail, phrases: Phrases, *, again: bool) -> str:
    match kind:
        case Kind.RSET:
            return ours(commands.RSET)
        case Kind.MAIL:
            return ours(phrases.mail(mail, bare=mail.bare and again))
        case Kind.RCPT:
            return ours(commands.rcpt(mail.envelope.recipient))
        case Kind.DATA:
            return ours(commands.DATA)
        case Kind.DOT:
            return f"C: (the message, {mail.size} octets)"
        case Kind.EMPTY_DOT:
            return "C: ."
