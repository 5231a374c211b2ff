"""docs/mail-servers.md: the whole matrix as one table, and how to choose from it."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from tests.mail_servers.cells import KINDS, Cell, Kind, Result, matrix

Results = Mapping[Cell, Result]
_ROWS: Final = "| type | enable_tls_ssl | enable_starttls_auto | auth | port | besides |"
_INTRO: Final = """\
# Mail servers: which settings do what

Made by `make mail-servers`, which sends a mail with every setting to mail servers that are not ours and writes down
what came of it. The same cells are tests (`tests/mail_servers`): expected there by the rules below, not by the code.

## How to choose

1. **Port 587 or 465, with a login.** Write the name of the server as its certificate has it, `auth` AUTO, and leave
   the port empty. `enable_tls_ssl` alone is 465 (TLS from the first byte); with `enable_starttls_auto` it is 587
   (STARTTLS). Both are equally safe: no mail and no login goes in clear, and the certificate is verified before.
2. **Only `enable_starttls_auto`** encrypts where the server can, and sends in clear where it cannot. The password goes
   encrypted or not at all. For relays in your own network with `auth` DISABLE.
3. **Neither flag** is clear text, for relays in your own network. Only with `auth` DISABLE, unless the operator permits
   logins in clear (`RINGPOST_ALLOW_CLEAR_LOGIN`): then everybody on the way can read the password.
4. `auth` AUTO takes PLAIN, else LOGIN, from what the server offers. Name one only when a server's offer is wrong.
5. A private certificate authority is named by the operator (`RINGPOST_MAIL_CA_FILE`). There is no switch to skip the
   verification. A server in a private network, or on an unusual port, is permitted by the operator
   too: [networks of mail servers](configuration.md#networks-of-mail-servers).
6. Types MS365 and GMAIL need neither server nor port nor flags. They send by OAuth when there are credentials, and with
   a password by SMTP, always encrypted and with a login. In the table below our servers stand in for theirs.

What the flags and the port come to for type SMTP:

| enable_tls_ssl | enable_starttls_auto | TLS | port when empty or 0 |
|---|---|---|---|
| true | false | from the first byte; on 25, 587, 2525 and 2587 STARTTLS, required | 465 |
| true | true | STARTTLS, required; on 465 and 2465 from the first byte | 587 |
| false | true | STARTTLS where offered | 587 |
| false | false | none | 25 |

## What came of it

Each server has these ports:

"""
_LEGEND: Final = """
*sent*: the mail arrived whole, and the server's own Received line says whether it came encrypted, and with a login.
*waits*: nothing is lost, the mail is tried again and goes when the server or the settings are mended.
*rejected*: the server refused this mail for good; *relaying denied* is what servers say to who should have logged in.
In no row but those that say *password readable* was the password to be read on the wire.

"""
_SENT: Final = {
    "ESMTPSA": "sent, encrypted, with login",
    "ESMTPS": "sent, encrypted",
    "ESMTPA": "sent in clear, with login",
    "ESMTP": "sent in clear",
}
_WAITS: Final[dict[tuple[str, int | None], str]] = {
    ("tls", None): "TLS fails",
    ("greeting", None): "the port expects TLS at once",
    ("auth", None): "no login without TLS, or none offered",
    ("auth", 535): "login refused",
    ("auth", 538): "login only after STARTTLS",
    ("mail_from", 530): "login or STARTTLS required",
}


def page(versions: Mapping[str, str], results: Mapping[str, Results]) -> str:
    """The page. `versions` and `results` by name of the server; a cell without a result is a KeyError."""
    names = list(versions)
    head = f"{_ROWS} {' | '.join(f'{name} {versions[name]}' for name in names)} |\n"
    rule = "|---" * (6 + len(names)) + "|\n"
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows([results[name] for name in names]))
    return _INTRO + _ports() + _LEGEND + head + rule + rows


def versions_on(text: str, names: Iterable[str]) -> dict[str, str]:
    """The versions of the servers that a page names in its head."""
    head = next((line for line in text.splitlines() if line.startswith(_ROWS)), "")
    columns = [column.strip() for column in head.removeprefix(_ROWS).strip(" |").split("|")]
    return {name: column.removeprefix(f"{name} ") for name, column in zip(names, columns, strict=True)}


def words(result: Result) -> str:
    """A result in a few words."""
    code = f" ({result.code})" if result.code else ""
    readable = ", password readable" if result.password_in_clear else ""
    match result.verdict:
        case "sent":
            return _SENT[result.received_with] + readable
        case "not saved":
            return "not saved (422)"
        case "retry":
            return f"waits: {_WAITS[result.stage, result.code]}{code}{readable}"
        case _:
            return f"rejected: {'relaying denied' if code else 'no SMTPUTF8'}{code}"


def _ports() -> str:
    lines: list[str] = []
    for kind in Kind:
        ports = [str(port) for port, one in KINDS.items() if one is kind]
        lines.append(f"- {', '.join(ports)}: {kind}\n")
    return "".join(lines)


def _rows(results: list[Results]) -> Iterable[tuple[str, ...]]:
    """Cells of the same flags, with ports and logins of which the same came put together."""
    for (server_type, tls_ssl, starttls_auto, case), group in groupby(
        matrix(), key=lambda cell: (cell.type, cell.tls_ssl, cell.starttls_auto, cell.case)
    ):
        cells = list(group)
        ports: dict[tuple[tuple[tuple[str, ...], str], ...], list[str]] = {}
        for port in dict.fromkeys(cell.port for cell in cells):
            outcome = _by_auth([cell for cell in cells if cell.port == port], results)
            ports.setdefault(outcome, []).append(str(port) if port else "empty")
        for outcome, same in ports.items():
            for came, auths in outcome:
                flags = (str(tls_ssl).lower(), str(starttls_auto).lower())
                yield (server_type, *flags, auths, ", ".join(same), case.value, *came)


def _by_auth(cells: list[Cell], results: list[Results]) -> tuple[tuple[tuple[str, ...], str], ...]:
    came: dict[tuple[str, ...], list[str]] = {}
    for cell in cells:
        came.setdefault(tuple(words(one[cell]) for one in results), []).append(cell.auth)
    return tuple((outcome, ", ".join(auths)) for outcome, auths in came.items())
