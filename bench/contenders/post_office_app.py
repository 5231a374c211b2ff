# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
"""The django-post_office contender's own code; it runs in the benchmarks' virtual environment, not in Ringpost's.

`python -m bench.contenders.post_office_app queue|bulk|send`: be told how many to queue, or send what is queued.
"""

import json
import os
import re
import sys
import time

import django
from django.conf import settings

from bench import mail

settings.configure(
    SECRET_KEY="only for the benchmark",
    INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "OPTIONS": {
                "timeout": 60,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    EMAIL_HOST="127.0.0.1",
    EMAIL_PORT=int(os.environ["BENCH_SINK"]),
    EMAIL_BACKEND="post_office.EmailBackend",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    POST_OFFICE={
        "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
        "BATCH_SIZE": 500,
        "THREADS_PER_PROCESS": 8,
        "LOG_LEVEL": 1,  # failures only
        "CELERY_ENABLED": False,
    },
)
django.setup()

from django.core.management import call_command  # noqa: E402  Django had to be set up first
from post_office import mail as office  # noqa: E402
from post_office.models import EmailTemplate  # noqa: E402

TEMPLATE = "queue_sla"


def main() -> None:
    """Do what the argument says."""
    if sys.argv[1] == "send":
        while True:
            sent = office.send_queued(processes=1, log_level=1)
            if not any(sent or (0,)):
                time.sleep(0.05)
    _set_up()
    print("ready", flush=True)
    number = 0
    for line in sys.stdin:
        count = json.loads(line)["count"]
        (_queue_in_bulk if sys.argv[1] == "bulk" else _queue)(number, count)
        number += count
        print("done", flush=True)


def _set_up() -> None:
    call_command("migrate", verbosity=0)
    bodies = mail.bodies(int(os.environ["BENCH_FILLER"]))
    EmailTemplate.objects.create(
        name=TEMPLATE,
        subject=_django(mail.SUBJECT),
        html_content=_django(bodies.html),
        content=_django(bodies.text),
    )


def _queue(first: int, count: int) -> None:
    for number in range(first, first + count):
        office.send(mail.RECIPIENT, mail.SENDER, template=TEMPLATE, context=mail.values(number))


def _queue_in_bulk(first: int, count: int) -> None:
    for start in range(first, first + count, 20):
        office.send_many(
            {"recipients": mail.RECIPIENT, "sender": mail.SENDER, "template": TEMPLATE, "context": mail.values(number)}
            for number in range(start, min(start + 20, first + count))
        )


def _django(text: str) -> str:
    return re.sub(r"%%([A-Z_]+)%%", r"{{ \1 }}", text)


if __name__ == "__main__":
    main()
