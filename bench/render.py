"""What rendering costs, beside composing with the standard library.

Contenders are interleaved in rounds, so that what else the machine does hits all alike. A body of 4 KB of HTML with 10
variables, its text alternative, subject and sender.
"""

import re
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from bench import machine, results
from ringpost.domain.addresses import parse_address
from ringpost.domain.catalogue import CATALOGUE
from ringpost.domain.messages import Envelope, assemble
from ringpost.domain.rendering import Stamp, prepare
from ringpost.domain.templates import Template

SECONDS_PER_ROUND = 0.05

EVENT_TYPE = CATALOGUE["QUEUE_SLA"]
VALUES = EVENT_TYPE.samples
STAMP = Stamp(date=1_767_605_400_000, message_id_domain="mail.example.com")
ENVELOPE = Envelope(parse_address("pbx@example.com"), parse_address("jane@example.com"))
WORDS = "The waiting time has passed what the service level of this queue allows for its callers. " * 4
BODY = "<!DOCTYPE html><html><body>{}</body></html>".format(
    "\n".join(f'<p class="fact" style="margin:0">{WORDS} <b>%%{name}%%</b></p>' for name in VALUES)
)
TEMPLATE = Template("QUEUE_SLA", "%%TENANT_NAME%%", "Waiting in %%QUEUE_NAME%%", BODY)
PREPARED = prepare(TEMPLATE, EVENT_TYPE)


def preparing() -> object:
    """Once per revision of a template."""
    return prepare(TEMPLATE, EVENT_TYPE)


def filling_html() -> object:
    """The HTML alone, as for a preview."""
    assert PREPARED.html is not None
    return PREPARED.html.fill(VALUES)


def rendering() -> object:
    """Text, HTML, subject, headers, MIME: all that an event costs here."""
    return PREPARED.render(VALUES, STAMP).message


def rendering_and_assembling() -> bytes:
    """The same and the headers of one delivery: a mail ready to be sent."""
    message = PREPARED.render(VALUES, STAMP).message
    return assemble(message, envelope=ENVELOPE, delivery_id="0198c5a2", reply_to=None)


def composing_with_the_standard_library() -> bytes:
    """The same mail by `str.replace`, `html.escape` and `EmailMessage`."""
    html, text = BODY, re.sub(r"<[^>]+>", "", BODY)
    subject = TEMPLATE.subject
    for name, value in VALUES.items():
        html = html.replace(f"%%{name}%%", escape(value))
        text = text.replace(f"%%{name}%%", value)
        subject = subject.replace(f"%%{name}%%", value)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "Northwind <pbx@example.com>", "jane@example.com", subject
    mail["Date"], mail["Message-ID"] = "Mon, 05 Jan 2026 09:30:00 +0000", "<0198c5a2@mail.example.com>"
    mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"] = "auto-generated", "All"
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


CONTENDERS: tuple[Callable[[], object], ...] = (
    preparing,
    filling_html,
    rendering,
    rendering_and_assembling,
    composing_with_the_standard_library,
)


def main(*, full: bool) -> None:
    """Measure all in turns and save the microseconds of each call."""
    steal = machine.Steal()
    rounds = 45 if full else 15
    laps: list[dict[str, dict[str, float]]] = []
    for number in range(rounds + 1):
        lap = {_name(contender): {"us": measure(contender)} for contender in CONTENDERS}
        if number:  # the first round warms up
            laps.append(lap)
    found = {
        "rounds": rounds,
        "html_bytes": len(BODY),
        "variables": len(VALUES),
        "mail_bytes": len(rendering_and_assembling()),
        "laps": laps,
    }
    results.save("render", found, steal=steal, full=full)


def measure(contender: Callable[[], object]) -> float:
    """Microseconds per call over one round."""
    calls, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < SECONDS_PER_ROUND:
        contender()
        calls += 1
    return taken / calls * 1e6


def _name(contender: Callable[[], object]) -> str:
    return contender.__name__.replace("_", " ")
