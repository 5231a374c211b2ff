"""Postfix end to end: SMTP in, its durable queue, SMTP out, at the best of a sweep of configurations."""

import grp
import itertools
import os
import pwd
import shutil
import statistics
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import machine, mail
from bench.contenders import raw
from bench.race import Offer, one_lap, workspace
from bench.sink import running_sink

_HEADERS: Final = 301
"""About what smtp-source and Postfix (Received) write before the payload."""
_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
myhostname = mail.example.org
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:{sink_port}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
in_flow_delay = 0
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000
default_process_limit = 200
default_destination_concurrency_limit = {concurrency}
initial_destination_concurrency = {concurrency}
smtp_connection_cache_on_demand = {cache}
"""
_MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60    1   pickup
cleanup   unix n - n -     0   cleanup
qmgr      unix n - n 300   1   qmgr
rewrite   unix - - n -     -   trivial-rewrite
bounce    unix - - n -     0   bounce
defer     unix - - n -     0   bounce
trace     unix - - n -     0   bounce
verify    unix - - n -     1   verify
proxymap  unix - - n -     -   proxymap
flush     unix n - n 1000? 0   flush
smtp      unix - - n -     -   smtp
relay     unix - - n -     -   smtp
error     unix - - n -     -   error
retry     unix - - n -     -   error
anvil     unix - - n -     1   anvil
scache    unix - - n -     1   scache
"""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the sweep varies."""

    sessions: int
    concurrency: int
    cache: bool

    @property
    def words(self) -> str:
        """For the report."""
        cache = "on" if self.cache else "off"
        return f"{self.sessions} sessions in, {self.concurrency} deliveries at once, connection cache {cache}"


SWEEP: Final = tuple(Tuning(*each) for each in itertools.product((4, 10, 20), (20, 50), (False, True)))


@dataclass(frozen=True)
class Postfix:
    """An instance of its own in a folder, with nothing of the system's configuration."""

    tuning: Tuning = Tuning(4, 20, cache=False)
    name: str = "Postfix"
    rate: int = 900

    @property
    def what(self) -> str:
        """How it is set up."""
        return (
            f"fed by smtp-source; {self.tuning.words}, in_flow_delay 0, qmgr limits 100,000; every mail synced to its "
            "queue before it is acknowledged, as always; nothing is rendered"
        )

    def missing(self) -> str | None:
        """Why it cannot run here."""
        if not shutil.which("postconf", path=machine.PATH) or not raw.path():
            return "Postfix is not installed"
        if os.geteuid() != 0:
            return "Postfix has to be started by root, and this is an ordinary user"
        return None

    @contextmanager
    def running(self, folder: Path, sink_port: int) -> Generator["_Queue"]:
        """Master and all that it starts."""
        port = machine.free_port()
        self._furnish(folder, port, sink_port)
        master = Path(_postconf(folder, "-xh", "daemon_directory")) / "master"
        command = machine.pinned([master, "-d", "-c", folder / "etc"], machine.cores().contender)
        with machine.process(command, folder / "log") as started:
            machine.wait_for(port, started)
            yield _Queue(port, self.tuning.sessions, [started.pid])

    def _furnish(self, folder: Path, port: int, sink_port: int) -> None:
        postfix, queue = pwd.getpwnam("postfix"), folder / "queue"
        for path in (queue, folder / "etc", queue / "pid"):
            path.mkdir()
        names = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved")
        for path in (*(queue / name for name in (*names, "trace", "public", "maildrop")), folder / "data"):
            path.mkdir(mode=0o700)
            os.chown(path, postfix.pw_uid, postfix.pw_gid)
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            os.chown(queue / name, postfix.pw_uid, grp.getgrnam("postdrop").gr_gid)
            (queue / name).chmod(mode)
        tuning = self.tuning
        main = _MAIN.format(
            folder=folder,
            sink_port=sink_port,
            concurrency=tuning.concurrency,
            cache="yes" if tuning.cache else "no",
        )
        (folder / "etc" / "main.cf").write_text(main, encoding="utf-8")
        (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port), encoding="utf-8")


@dataclass(frozen=True)
class _Queue:
    port: int
    sessions: int
    roots: Sequence[int]

    def offer(self, count: int) -> Offer:
        return raw.smtp_source(self.port, count, self.sessions, mail.WIRE_BYTES - _HEADERS)


def best(messages: int) -> tuple[Postfix, dict[str, list[float]]]:
    """The best of the sweep, and mails a second of each: all are tried once, the best four twice more."""
    found: dict[Tuning, list[float]] = {tuning: [] for tuning in SWEEP}
    with workspace() as folder, running_sink(folder / "sink.log") as sink:
        tunings = list(SWEEP)
        for number in range(3):
            for tuning in tunings:
                found[tuning].append(one_lap(Postfix(tuning), sink, messages).rate)
                print(f"  {tuning.words:70} {found[tuning][-1]:9,.0f} mails/s", flush=True)
            if number == 0:
                tunings = sorted(SWEEP, key=lambda tuning: -found[tuning][0])[:4]
    winner = max(tunings, key=lambda tuning: statistics.median(found[tuning]))
    return Postfix(winner), {tuning.words: rates for tuning, rates in found.items()}


def _postconf(folder: Path, *arguments: str) -> str:
    command = ["postconf", "-c", str(folder / "etc"), *arguments]
    environment = {**os.environ, "PATH": machine.PATH}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()
