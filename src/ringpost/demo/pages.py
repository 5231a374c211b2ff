"""The pages of the mailbox viewer. Everything that came in a mail is escaped."""

import time
from collections.abc import Iterable
from email.utils import parseaddr
from html import escape
from typing import Final

from ringpost.demo import reading
from ringpost.demo.mailbox import Mail

VIEWS: Final = {"html": "HTML", "text": "Text", "headers": "Headers", "source": "Source"}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/viewer.css">
<script src="/viewer.js" defer></script>
</head>
<body class="{place}">
<aside>
<header><a class="name" href="/">Mailbox</a><span class="of">Northwind Traders</span></header>
<nav id="list" aria-label="Mails" data-current="{current}">{list}</nav>
</aside>
<main>{main}</main>
</body>
</html>
"""


def page(mails: Iterable[Mail], mail: Mail | None, view: str, *, at_list: bool) -> str:
    """The list, and beside it a mail. On a narrow screen it is the one or the other: `at_list` says which."""
    title = f"{mail.header('Subject')} - Mailbox" if mail and not at_list else "Mailbox"
    return _PAGE.format(
        title=escape(title),
        place="at-list" if at_list else "at-mail",
        current=mail.number if mail else "",
        list=mail_list(mails, mail.number if mail else None),
        main=_mail(mail, view) if mail else _nothing("No mail yet", "It is shown here as soon as it arrives."),
    )


def gone(mails: Iterable[Mail]) -> str:
    """For an address that leads nowhere."""
    main = _nothing("There is nothing here", "The mail is not kept any more, or it never was.")
    return _PAGE.format(title="Mailbox", place="at-mail", current="", list=mail_list(mails, None), main=main)


def first_view(mail: Mail) -> str:
    """What is shown of a mail when nothing was chosen."""
    return "text" if mail.message.get_body(("html",)) is None else "html"


def mail_list(mails: Iterable[Mail], current: int | None) -> str:
    """The newest first."""
    items = [_item(mail, current=mail.number == current) for mail in reversed(list(mails))]
    return f"<ol>{''.join(items)}</ol>" if items else '<p class="empty">No mail yet.</p>'


def _item(mail: Mail, *, current: bool) -> str:
    name, address = parseaddr(mail.header("From"))
    received = time.localtime(mail.received_at)
    return (
        f'<li><a href="/mails/{mail.number}"{" aria-current=page" if current else ""}>'
        f'<span class="from">{escape(name or address)}</span>'
        f'<time datetime="{time.strftime("%Y-%m-%dT%H:%M:%S", received)}">{time.strftime("%H:%M:%S", received)}</time>'
        f'<span class="subject">{escape(mail.header("Subject")) or "(no subject)"}</span>'
        f'<span class="to">to {escape(mail.recipient)}</span></a></li>'
    )


def _mail(mail: Mail, view: str) -> str:
    return f"""<article>
<div class="head">
<a class="back" href="/">All mails</a>
<h1>{escape(mail.header("Subject")) or "(no subject)"}</h1>
<dl>{"".join(_address(name, mail.header(name)) for name in ("From", "To", "Reply-To"))}</dl>
{_files(mail)}
<div class="tabs" role="tablist">{"".join(_tab(mail, name, view) for name in VIEWS)}
<a class="raw" href="/mails/{mail.number}/raw" download>Download</a></div>
</div>
{_content(mail, view)}
</article>"""


def _address(name: str, value: str) -> str:
    if not value:
        return ""
    display, address = parseaddr(value)
    shown = f"<b>{escape(display)}</b> {escape(address)}" if display else escape(address or value)
    return f"<div><dt>{name}</dt><dd>{shown}</dd></div>"


def _tab(mail: Mail, name: str, view: str) -> str:
    if (name == "html" and reading.html_of(mail) is None) or (name == "text" and reading.text_of(mail) is None):
        return ""
    chosen = "true" if name == view else "false"
    return f'<a role="tab" aria-selected="{chosen}" href="/mails/{mail.number}/{name}">{VIEWS[name]}</a>'


def _files(mail: Mail) -> str:
    links = [
        f'<li><a href="/mails/{mail.number}/files/{index}" download>{escape(file.name)}</a> '
        f"<span>{escape(file.content_type)}, {reading.size(len(file.data))}</span></li>"
        for index, file in enumerate(reading.files_of(mail))
    ]
    return f'<ul class="files" aria-label="Attachments">{"".join(links)}</ul>' if links else ""


def _content(mail: Mail, view: str) -> str:
    match view:
        case "html":
            return f'<iframe title="The mail" sandbox="" src="/mails/{mail.number}/content"></iframe>'
        case "text":
            return f'<pre class="text">{escape(reading.text_of(mail) or "")}</pre>'
        case "headers":
            rows = (
                f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in reading.headers_of(mail)
            )
            return f'<div class="headers"><table>{"".join(rows)}</table></div>'
        case _:
            return f'<pre class="source">{escape(reading.source_of(mail))}</pre>'


def _nothing(title: str, text: str) -> str:
    return f'<div class="nothing"><h1>{title}</h1><p>{text}</p><p><a class="back" href="/">All mails</a></p></div>'
