"""The matrix: every setting of a mail server, and what has to come of it by the table of docs/mail-servers.md.

Nothing here is taken from the product. Who changes what the TLS flags mean has to change it here as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

HOST: Final = "mail.example.com"
WRONG_NAME: Final = "other.example.com"
"""Leads to the same server, whose certificate does not have this name."""
USERNAME: Final = "pbx@example.com"
PASSWORD: Final = "corréct-horse-7Ω"
AUTHS: Final = ("DISABLE", "AUTO", "LOGIN", "PLAIN")


class Kind(StrEnum):
    """What a port of a mail server does."""

    RELAY = "STARTTLS and login offered, neither required"
    SUBMISSION = "STARTTLS and login required"
    SMTPS = "TLS from the first byte, login required"
    CLEAR = "no TLS, no login"
    CLEAR_LOGIN = "no TLS, login required"


KINDS: Final = {
    25: Kind.RELAY,
    465: Kind.SMTPS,
    587: Kind.SUBMISSION,
    2465: Kind.SMTPS,
    2525: Kind.RELAY,
    2587: Kind.SUBMISSION,
    10025: Kind.CLEAR,
    10026: Kind.CLEAR_LOGIN,
    10465: Kind.SMTPS,
    10587: Kind.SUBMISSION,
}
"""The ports of every server. Those from 10025 on have no meaning of their own to anybody."""
SELF_SIGNED: Final = {11465: Kind.SMTPS, 11587: Kind.SUBMISSION}
"""More ports, with a certificate that nobody issued."""
NO_SMTPUTF8: Final = {11025: Kind.CLEAR}
"""One more, where SMTPUTF8 is not offered."""
PORTS: Final = {**KINDS, **SELF_SIGNED, **NO_SMTPUTF8}

PROVIDER_PORTS: Final = {"MS365": 587, "GMAIL": 465}
"""Where Microsoft 365 and Gmail take mail by SMTP; our servers stand in for theirs."""


class Case(StrEnum):
    """What is special about a cell."""

    PLAIN = ""
    CLEAR_PERMITTED = "operator permits logins in clear"
    WRONG_PASSWORD = "wrong password"
    WRONG_NAME = "certificate for another name"
    UNKNOWN_AUTHORITY = "certificate of an unknown authority"
    SELF_SIGNED = "self-signed certificate"
    IDN_RECIPIENT = "recipient alice@münchen.de"
    UTF8_RECIPIENT = "recipient 用户@例子.公司"
    UTF8_NOT_OFFERED = "recipient 用户@例子.公司, no SMTPUTF8"


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of a mail server."""

    tls_ssl: bool
    starttls_auto: bool
    auth: str
    port: int
    """0 is the default."""
    case: Case = Case.PLAIN
    type: str = "SMTP"
    """MS365 and GMAIL have ports and TLS of their own, and always log in."""

    def __str__(self) -> str:
        flags = f"{'ssl' if self.tls_ssl else 'no-ssl'}+{'auto' if self.starttls_auto else 'no-auto'}"
        return f"{self.type} {flags} {self.auth} {self.port} {self.case}".strip()

    @property
    def port_in_effect(self) -> int:
        """The port that 0 stands for."""
        if self.type in PROVIDER_PORTS:
            return PROVIDER_PORTS[self.type]
        defaults = {(True, False): 465, (True, True): 587, (False, True): 587, (False, False): 25}
        return self.port or defaults[self.tls_ssl, self.starttls_auto]

    @property
    def mode(self) -> str:
        """What the two flags mean on this port: implicit, starttls, if offered, clear."""
        port = self.port_in_effect
        if self.type in PROVIDER_PORTS:
            return "implicit" if port == 465 else "starttls"
        match self.tls_ssl, self.starttls_auto:
            case True, False:
                return "starttls" if port in (25, 587, 2525, 2587) else "implicit"
            case True, True:
                return "implicit" if port in (465, 2465) else "starttls"
            case False, True:
                return "if offered"
            case _:
                return "clear"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell: expected, or found out."""

    verdict: str
    """sent, retry, rejected; or not saved, when the settings are refused."""
    party: str = ""
    stage: str = ""
    code: int | None = None
    received_with: str = ""
    """How the server says that it got the mail (RFC 3848): ESMTP, ESMTPS, ESMTPA, ESMTPSA."""
    password_in_clear: bool = False


NOT_SAVED: Final = Result("not saved")


@dataclass(frozen=True, slots=True)
class Manners:
    """Where servers differ: how they refuse who does not do what they require."""

    no_login: Result
    no_tls: Result
    login_in_clear: Result | None = None
    """To a login in clear where STARTTLS is offered; None when none is offered there before STARTTLS."""


def expected(cell: Cell, manners: Manners) -> Result:
    """What has to come of it."""
    login = cell.auth != "DISABLE" or cell.type != "SMTP"
    permitted = cell.case is Case.CLEAR_PERMITTED and cell.mode == "clear"
    if cell.mode == "clear" and login and not permitted:
        return NOT_SAVED
    kind = PORTS[cell.port_in_effect]
    encrypted = cell.mode == "implicit" or (cell.mode != "clear" and kind in (Kind.RELAY, Kind.SUBMISSION))
    if no_connection := _no_connection(cell, kind, encrypted=encrypted):
        return no_connection
    if login:
        return _with_login(cell, kind, manners, encrypted=encrypted, permitted=permitted)
    return _without_login(cell, kind, manners, encrypted=encrypted)


def _no_connection(cell: Cell, kind: Kind, *, encrypted: bool) -> Result | None:
    if kind is Kind.SMTPS and cell.mode != "implicit":
        return Result("retry", "mail_server", "greeting")  # both wait for the other to begin
    bad_certificate = cell.case in (Case.WRONG_NAME, Case.UNKNOWN_AUTHORITY, Case.SELF_SIGNED)
    wants_other_tls = cell.mode == "implicit" and kind is not Kind.SMTPS
    if wants_other_tls or (cell.mode == "starttls" and not encrypted) or (encrypted and bad_certificate):
        return Result("retry", "mail_server", "tls")
    return None


def _with_login(cell: Cell, kind: Kind, manners: Manners, *, encrypted: bool, permitted: bool) -> Result:
    if permitted and manners.login_in_clear and kind in (Kind.RELAY, Kind.SUBMISSION):
        # PLAIN says everything at once; LOGIN waits for an answer, and this one is a refusal.
        return replace(manners.login_in_clear, password_in_clear=cell.auth != "LOGIN")
    offered = encrypted or kind is Kind.CLEAR_LOGIN
    if not offered or not (encrypted or permitted):
        return Result("retry", "configuration", "auth")
    if cell.case is Case.WRONG_PASSWORD:
        return Result("retry", "configuration", "auth", 535)
    return Result("sent", "", "accepted", 250, "ESMTPSA" if encrypted else "ESMTPA", password_in_clear=not encrypted)


def _without_login(cell: Cell, kind: Kind, manners: Manners, *, encrypted: bool) -> Result:
    if kind is Kind.SUBMISSION and not encrypted:
        return manners.no_tls
    if kind in (Kind.SUBMISSION, Kind.SMTPS, Kind.CLEAR_LOGIN):
        return manners.no_login
    if cell.case is Case.UTF8_NOT_OFFERED:
        return Result("rejected", "recipient", "rcpt_to")
    return Result("sent", "", "accepted", 250, "ESMTPS" if encrypted else "ESMTP")


def matrix() -> Iterator[Cell]:
    """Every cell without a special case, then those with one."""
    for tls_ssl in (True, False):
        for starttls_auto in (False, True):
            for port in (0, *KINDS):
                yield from (Cell(tls_ssl, starttls_auto, auth, port) for auth in AUTHS)
    for port in (0, *KINDS):
        yield from (Cell(False, False, auth, port, Case.CLEAR_PERMITTED) for auth in AUTHS if auth != "DISABLE")
    for provider in PROVIDER_PORTS:
        for tls_ssl, starttls_auto in ((True, False), (True, True), (False, False), (False, True)):
            yield from (Cell(tls_ssl, starttls_auto, auth, 0, type=provider) for auth in AUTHS)
    yield from special_cells()


def special_cells() -> Iterator[Cell]:
    """What goes wrong, or might, whatever the settings."""
    for tls_ssl, starttls_auto, port in ((True, False, 2465), (True, True, 2587), (False, True, 2587)):
        for case in (Case.WRONG_NAME, Case.UNKNOWN_AUTHORITY):
            yield from (Cell(tls_ssl, starttls_auto, auth, port, case) for auth in ("DISABLE", "AUTO"))
        yield from (Cell(tls_ssl, starttls_auto, auth, port, Case.WRONG_PASSWORD) for auth in AUTHS[1:])
    for tls_ssl, starttls_auto, port in ((True, False, 11465), (True, True, 11587), (False, True, 11587)):
        yield from (Cell(tls_ssl, starttls_auto, auth, port, Case.SELF_SIGNED) for auth in ("DISABLE", "AUTO"))
    for case in (Case.IDN_RECIPIENT, Case.UTF8_RECIPIENT):
        yield Cell(True, False, "AUTO", 2465, case)
        yield Cell(True, True, "AUTO", 2587, case)
        yield Cell(False, True, "DISABLE", 10025, case)
    yield Cell(False, True, "DISABLE", 11025, Case.UTF8_NOT_OFFERED)
    yield Cell(False, False, "DISABLE", 11025, Case.UTF8_NOT_OFFERED)
