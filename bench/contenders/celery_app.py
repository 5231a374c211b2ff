# pyright: basic, reportMissingImports=false
"""The Celery contender's own code; it runs in the benchmarks' virtual environment, not in Ringpost's.

`celery -A bench.contenders.celery_app worker` sends; `python -m bench.contenders.celery_app` is told how many to queue.
"""

import html
import json
import os
import smtplib
import sys
from email.message import EmailMessage
from email.policy import SMTP

from celery import Celery

from bench import mail

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
BODIES = mail.bodies(int(os.environ["BENCH_FILLER"]))
PORT = int(os.environ["BENCH_SINK"])
_kept: dict[str, smtplib.SMTP] = {}


@app.task(name="bench.mail")
def send(values: dict[str, str]) -> None:
    """Render, compose and send one mail over a connection that is kept."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = mail.SENDER, mail.RECIPIENT
    message["Subject"] = fill(mail.SUBJECT, values)
    message.set_content(fill(BODIES.text, values))
    escaped = {name: html.escape(value) for name, value in values.items()}
    message.add_alternative(fill(BODIES.html, escaped), subtype="html")
    if "connection" not in _kept:
        _kept["connection"] = smtplib.SMTP("127.0.0.1", PORT)
    _kept["connection"].send_message(message)


def fill(template: str, values: dict[str, str]) -> str:
    """The template with its variables."""
    for name, value in values.items():
        template = template.replace(f"%%{name}%%", value)
    return template


def main() -> None:
    """Queue as many as each line says."""
    number = 0
    with app.producer_pool.acquire(block=True) as producer:
        for line in sys.stdin:
            for _ in range(json.loads(line)["count"]):
                send.apply_async((mail.values(number),), producer=producer)
                number += 1
            print("done", flush=True)


if __name__ == "__main__":
    main()
