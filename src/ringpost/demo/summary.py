"""What the demo prints."""

import json
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringpost.demo import reading
from ringpost.demo.mailbox import Mailbox
from ringpost.demo.northwind import DOMAIN, Reported
from ringpost.demo.stage import Stage

_STYLES = {"sent": "green", "queued": "yellow", "sending": "yellow"}


@dataclass
class Progress:
    """The events so far, and their deliveries as the API last showed them, by id."""

    reported: list[Reported]
    deliveries: dict[str, dict[str, Any]]

    def state(self, one: Reported) -> str:
        """The state of an event's delivery."""
        delivery = self.deliveries.get(one.delivery)
        return delivery["state"] if delivery else "queued"

    def reason(self, one: Reported) -> str:
        """What the last attempt said, as ` (...)`; empty when there is nothing to say."""
        delivery = self.deliveries.get(one.delivery)
        last: dict[str, Any] | None = delivery["last_attempt"] if delivery else None
        words = (last["hint"] or last["reply"]) if last else ""
        return f" ({words})" if words else ""

    def milliseconds(self, one: Reported) -> str:
        """From accepting the event until the mail server took the mail."""
        delivery = self.deliveries.get(one.delivery)
        if not delivery or not delivery["sent_at"]:
            return ""
        began, ended = (datetime.fromisoformat(delivery[name]) for name in ("created_at", "sent_at"))
        return f"{(ended - began).total_seconds() * 1000:.0f}"


def progress_table(progress: Progress) -> Table:
    """Event -> state -> time, while it happens."""
    table = Table(box=box.SIMPLE_HEAD, title="Events at Northwind Traders", title_justify="left")
    for name in ("event", "state"):
        table.add_column(name)
    table.add_column("ms", justify="right")
    for one in progress.reported:
        state = progress.state(one)
        table.add_row(one.type, Text(state, style=_STYLES.get(state, "bold red")), progress.milliseconds(one))
    return table


def mails_table(progress: Progress, mailbox: Mailbox, width: int) -> Table:
    """The mails that arrived, one per event and line, in a terminal of this width."""
    table = Table(box=box.SIMPLE_HEAD, title="The mails that arrived", title_justify="left", pad_edge=False)
    for name, widest in _widths(width).items():
        table.add_column(name, no_wrap=True, max_width=widest, justify="right" if name in ("size", "ms") else "left")
    for one in progress.reported:
        mail = mailbox.of_delivery(one.delivery)
        if mail is None:
            table.add_row(one.type, "", "", Text(progress.state(one) + progress.reason(one), style="red"), "", "")
            continue
        cells = [one.type, parseaddr(mail.header("From"))[0], mail.recipient, mail.header("Subject")]
        table.add_row(*map(Text, cells), reading.size(len(mail.raw)), progress.milliseconds(one))
    return table


def _widths(width: int) -> dict[str, int]:
    """The figures are always whole; what is left goes to the words."""
    fixed = {"type": 21, "size": 7, "ms": 5}
    left = max(30, width - sum(fixed.values()) - 18)  # between six columns
    words = {"from": left * 22 // 100, "to": left * 33 // 100, "subject": left * 45 // 100}
    return {name: (fixed | words)[name] for name in ("type", "from", "to", "subject", "size", "ms")}


def how_to_go_on(console: Console, stage: Stage, token: str, password: str) -> None:
    """The addresses, the token, and three lines to paste. Lines are never broken, so that they can be pasted."""
    lines = [
        f"Read the mails   {stage.viewer_url}",
        f"API              {stage.api_url}  (documentation: {stage.api_url}/docs)",
        f"Token            {token}",
        f"Log in as        jane of {DOMAIN}, or root of the system" + (f"; password {password}" if password else ""),
        "",
        "Try, in another terminal:",
        "",
        *_curl_lines(stage.api_url, token),
        "New mails are shown here as they arrive. Ctrl-C ends the demo.",
        "",
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _curl_lines(url: str, token: str) -> list[str]:
    bearer = f"-H 'Authorization: Bearer {token}'"
    as_json = "-H 'Content-Type: application/json'"
    event = {
        "type": "QUEUE_CALL_LOST",
        "variables": {"QUEUE_NAME": "Support", "QUEUE_NUMBER": "8002", "CALLER_NUMBER": "+1 555 0177"},
    }
    test_mail = {"recipient": f"you@{DOMAIN}", "subject": "A test", "content": "Does it work? It does."}
    return [
        "# An event: a caller has left a queue",
        f"curl {bearer} {as_json} -d '{json.dumps(event)}' {url}/events",
        "",
        "# What became of the last three mails",
        f"curl {bearer} '{url}/deliveries?top=3'",
        "",
        "# A test mail through the tenant's mail server, sent while you wait",
        f"curl {bearer} {as_json} -d '{json.dumps(test_mail)}' {url}/tenant/notification/test_email",
        "",
    ]
