"""The whole path: mail offered until taken by the mail server, Ringpost beside Postfix and others, in one run."""

from dataclasses import asdict
from typing import Any, Final

from bench import install, machine, mail, race, results
from bench.contenders import postfix
from bench.contenders.celery_smtplib import CelerySmtplib
from bench.contenders.nodemailer import Nodemailer
from bench.contenders.post_office import PostOffice
from bench.contenders.raw import SmtpSource
from bench.contenders.ringpost import VARIANTS

POSTFIX: Final = postfix.Postfix.name
RAW: Final = SmtpSource.name


def main(*, full: bool) -> None:
    """Install, find Postfix's best configuration, let each qualify, and race."""
    steal = machine.Steal()
    not_installed = install.install()
    chosen, sweep = _tuned_postfix(messages=4_000 if full else 1_000)
    print("one mail of each:", flush=True)
    contenders: list[race.Contender] = [
        SmtpSource(),
        chosen,
        *VARIANTS,
        PostOffice(in_bulk=False),
        PostOffice(in_bulk=True),
        CelerySmtplib(),
        Nodemailer(),
    ]
    entries, left_out = race.qualify(contenders)
    rounds, seconds = (7, 10.0) if full else (3, 2.5)
    laps, failures = race.run(entries, rounds, seconds)
    found: dict[str, Any] = {
        "rounds": rounds,
        "seconds": seconds,
        "wire_bytes": mail.WIRE_BYTES,
        "sweep": sweep,
        "contenders": [
            {"name": entry.contender.name, "what": entry.contender.what, "wire_bytes": entry.wire_bytes}
            for entry in entries
        ],
        "not_installed": not_installed,
        "left_out": left_out,
        "failures": failures,
        "laps": [{name: asdict(lap) for name, lap in each.items()} for each in laps],
    }
    results.save("path", found, steal=steal, full=full)


def _tuned_postfix(messages: int) -> tuple[postfix.Postfix, dict[str, list[float]]]:
    """Postfix at the best of the sweep; as it is when the sweep cannot run."""
    if postfix.Postfix().missing():
        return postfix.Postfix(), {}
    print("the sweep for Postfix:", flush=True)
    try:
        return postfix.best(messages)
    except Exception as error:  # noqa: BLE001  the others run without it
        print(f"  failed: {error}", flush=True)
        return postfix.Postfix(), {}
