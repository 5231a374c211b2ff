"""docs/doctor.md: what the doctor says of broken set-ups, each on a mail server of its own on loopback, and its tables.

Run: python tools/doctor_gallery.py (prints the page; `make docs` writes it)
"""

import asyncio
import json
import re
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import trustme

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the scripted mail server of the tests

from tests.transports.dns_server import DnsServer
from tests.transports.scripted_server import Answer, ScriptedServer, polite

from ringpost.cli.doctor import result_lines, step_lines
from ringpost.domain.addresses import parse_address
from ringpost.domain.diagnosis import Diagnosis, diagnosis_to_json
from ringpost.domain.endpoints import SmtpEndpoint
from ringpost.domain.mail_servers import MailServer
from ringpost.domain.providers import PROVIDERS
from ringpost.domain.server_rules import ServerRules, parse_mail_server
from ringpost.domain.traps import TRAPS
from ringpost.transports.doctor import DnsServers, Doctor
from ringpost.transports.egress import EgressRules
from ringpost.transports.examining import Case
from ringpost.transports.smtp import SmtpOptions
from ringpost.usecases.diagnose import DiagnosisPlan, conclude

SHOWN_ADDRESS: Final = "192.0.2.25"
LOGIN: Final = ("PIPELINING", "SIZE 9999999", "AUTH LOGIN PLAIN", "8BITMIME", "ENHANCEDSTATUSCODES")
ZONE: Final = {
    ("example.com", "MX"): ["10 mail.example.com."],
    ("example.com", "TXT"): ['"v=spf1 mx -all"'],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=none"'],
}


@dataclass(frozen=True)
class Setup:
    """One broken set-up: the settings, how the server behaves, and what the doctor has to call it."""

    title: str
    cause: str
    settings: Mapping[str, Any]
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    certificate: str = "good"
    """Name in `Certificates`."""
    implicit: bool = False
    """The server speaks TLS from the first byte."""
    listens: bool = True
    known: bool = True
    """The name is in the DNS."""
    also_json: bool = False


STARTTLS: Final = {"port": 587, "enable_starttls_auto": True}
SETUPS: Final = (
    Setup(
        "STARTTLS on a port that begins with TLS",
        "STARTTLS_ON_IMPLICIT_TLS_PORT",
        {"port": 465, "enable_tls_ssl": False, "enable_starttls_auto": True},
        implicit=True,
        also_json=True,
    ),
    Setup("TLS from the first byte on a port that begins in clear", "IMPLICIT_TLS_ON_STARTTLS_PORT", {"port": 465}),
    Setup("A certificate for another name", "WRONG_NAME", STARTTLS, certificate="wrong name"),
    Setup("An expired certificate", "CERTIFICATE_EXPIRED", {"port": 465}, certificate="expired", implicit=True),
    Setup("A private authority", "PRIVATE_CA", STARTTLS, certificate="private"),
    Setup(
        "Microsoft 365 with password login switched off",
        "MICROSOFT_BASIC_AUTH_OFF",
        {**STARTTLS, "server": "smtp.office365.com"},
        {
            "GREETING": b"220 FR0P281CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready\r\n",
            "AUTH": b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled.\r\n",
        },
        also_json=True,
    ),
    Setup(
        "Google without an app password",
        "GOOGLE_APP_PASSWORD",
        {"server": "smtp.gmail.com", "port": 587},
        {"AUTH": b"534 5.7.9 Application-specific password required. For more information, see gsmtp\r\n"},
    ),
    Setup("Relaying denied", "RELAYING_DENIED", STARTTLS, {"RCPT": b"554 5.7.1 <ann@example.org>: Relay denied\r\n"}),
    Setup(
        "A sender that the login does not own",
        "SENDER_NOT_OWNED",
        STARTTLS,
        {"MAIL": b"553 5.7.1 <pbx@example.com>: Sender address rejected: not owned by user sip@example.com\r\n"},
    ),
    Setup("Nothing listens at the port", "CONNECTION_REFUSED", {"port": 2525}, listens=False),
    Setup("A name with a typing error", "NAME_NOT_FOUND", {**STARTTLS, "server": "mial.example.com"}, known=False),
)


class Certificates:
    """Certificates by what is wrong with them, and the authority that is trusted."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = str(folder / "ca.pem")
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(self.ca_file)

    def context(self, kind: str, host: str) -> ssl.SSLContext:
        """The server's side of TLS."""
        begins, ends = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
        make: dict[str, Callable[[], trustme.LeafCert]] = {
            "good": lambda: self._authority.issue_cert(host),
            "wrong name": lambda: self._authority.issue_cert("mx1.example.com"),
            "expired": lambda: self._authority.issue_cert(host, not_before=begins, not_after=ends),
            "private": lambda: trustme.CA().issue_cert(host),
        }
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        make[kind]().configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  trustme also takes pyOpenSSL's
        return context


async def examine(setup: Setup, certificates: Certificates) -> tuple[Diagnosis, str]:
    """The diagnosis of a set-up as a person gets it, and as text."""
    fields = {"type": "SMTP", "server": "mail.example.com", "username": "pbx@example.com", "password": "a secret"}
    server = parse_mail_server({**fields, **setup.settings}, ServerRules())
    endpoint = server.endpoint(restricted=False)
    assert isinstance(endpoint, SmtpEndpoint)  # noqa: S101
    context = certificates.context(setup.certificate, endpoint.host)
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(DnsServer(ZONE))
        script = polite(setup.answers, capabilities=LOGIN, context=None if setup.implicit else context)
        broken = await stack.enter_async_context(ScriptedServer(script, context=context if setup.implicit else None))
        port = broken.port if setup.listens else _free_port()
        return await _diagnose(setup, server, replace(endpoint, port=port), (certificates.ca_file, dns.port))


async def _diagnose(
    setup: Setup, server: MailServer, endpoint: SmtpEndpoint, around: tuple[str, int]
) -> tuple[Diagnosis, str]:
    async def lookup(_host: str, _port: int) -> list[str]:
        if not setup.known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return ["127.0.0.1"]

    options = SmtpOptions("pbx.example.com", ca_file=around[0], egress=EgressRules(lookup=lookup))
    case = Case(endpoint, parse_address("pbx@example.com"), parse_address("ann@example.org"))
    doctor = Doctor(options, DnsServers((("127.0.0.1", around[1]),)))
    diagnosis = conclude(DiagnosisPlan(server, case), [step async for step in doctor.examine(case)])
    lines = [line.plain for step in diagnosis.steps for line in step_lines(step)]
    lines += [line.plain for line in result_lines(diagnosis)]
    return diagnosis, _steady("\n".join(lines), endpoint.port, server.tls[1])


def page() -> str:
    """The page."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_page(Certificates(Path(folder))))


async def _page(certificates: Certificates) -> str:
    shown = [await _section(setup, certificates) for setup in SETUPS]
    traps = "".join(
        f"| `{trap.code}` | {trap.title}. {trap.sign} | {trap.what_to_do or trap.explanation} |\n"
        for trap in TRAPS.values()
    )
    providers = "".join(
        f"| {one.name} | `{one.server}` | {_ports(one.starttls_port, one.implicit_port)} | {one.username} "
        f"| {one.password} |\n"
        for one in PROVIDERS
    )
    return f"{_HEAD}{''.join(shown)}{_TRAPS}{traps}{_PROVIDERS}{providers}"


async def _section(setup: Setup, certificates: Certificates) -> str:
    diagnosis, text = await examine(setup, certificates)
    section = f"### {setup.title}\n\n```text\n{text}\n```\n\n"
    if not setup.also_json:
        return section
    port = int((diagnosis.server or ":0").rpartition(":")[2])
    nominal = setup.settings["port"]
    shown = json.dumps(diagnosis_to_json(diagnosis), indent=2, ensure_ascii=False)
    return f"{section}The same as JSON:\n\n```json\n{_steady(shown, port, nominal)}\n```\n\n"


def _steady(text: str, port: int, nominal: int) -> str:
    """Without what is another at every run: times, ports, days."""
    text = re.sub(r"  \d+ ms$", "", text, flags=re.MULTILINE)
    text = re.sub(r'"duration_ms": \d+', '"duration_ms": 0', text)
    text = re.sub(r"good for \d+ more days", "good for 61 more days", text)
    text = re.sub(r'"days_left": \d+', '"days_left": 61', text)
    text = re.sub(r'"ends": "[\d-]+"', '"ends": "2027-01-24"', text)
    text = re.sub(r'"issuer": "trustme[^"]*"', '"issuer": "Example Trust Services"', text)
    return text.replace("127.0.0.1", SHOWN_ADDRESS).replace(str(port), str(nominal))


def _ports(starttls: int | None, implicit: int | None) -> str:
    ports = [f"{implicit} (TLS)"] if implicit else []
    return ", ".join([*ports, *([f"{starttls} (STARTTLS)"] if starttls else [])])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_HEAD: Final = """# The mail doctor

<!-- Made by tools/doctor_gallery.py (`make docs`), from real examinations of broken mail servers; change it there. -->

The doctor examines a mail server step by step, on the way that a mail would go, and says what to change. Nothing is
sent: after MAIL and RCPT it takes both back.

```sh
ringpost doctor --tenant acme.example.com --recipient ann@example.org
ringpost doctor --system --json
```

Over HTTP it is `POST /tenant/notification/diagnose` ([API](api.md#the-mail-doctor)). It also examines settings that are
not saved yet. Exit code 0, or `"ok": true`, means that mail can be sent; warnings are advice.

| Step | What is tried |
|---|---|
| `settings` | only shown when something is missing |
| `resolve` | the server's name in the DNS, and whether it may be connected to |
| `connect` | a TCP connection, to each address until one answers |
| `greeting`, `ehlo` | the first words of both sides |
| `tls` | encryption: chain, name, dates and version of the certificate |
| `offers` | STARTTLS, logins, largest mail and other extensions |
| `auth` | the login; once, because a wrong password counts against the account |
| `mail_from`, `rcpt_to` | sender and recipient, without a mail |
| `token`, `api` | with Microsoft 365 and Gmail by OAuth, instead of the above |
| `mx`, `spf`, `dmarc` | the sender's domain in the DNS: advice, never a failure |

All steps together take 30 s at most, most of them milliseconds. A password goes nowhere before the certificate is
verified, and a stored password never goes to a changed server. Of a host that is not allowed the doctor says only that.
A tenant that borrows the system's mail server is told no more than a test mail would tell.

`RINGPOST_DNS_SERVERS` says which DNS servers are asked about senders' domains. A tenant chooses the domain and sees its
MX and TXT records, so name public ones where the system's own DNS knows of inner networks.

## Ten broken set-ups and one more

Each was run against a mail server that is broken in just this way. Times are left out.

"""
_TRAPS: Final = """## The catalogue of traps

A *trap* is a known way for sending to go wrong. The code is the `finding` of a step, and is part of the API.

| Code | How it is recognised | What to do |
|---|---|---|
"""
_PROVIDERS: Final = """
## Providers

Recognised by the server's name, by how it greets, and by where the sender's domain gets its mail. When the settings
differ from these, the diagnosis suggests them (`PROVIDER_SETTINGS_DIFFER`).

| Provider | Server | Ports | User name | Password |
|---|---|---|---|---|
"""

if __name__ == "__main__":
    sys.stdout.write(page())
