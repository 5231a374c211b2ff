"""Postfix, with SASL by Dovecot: the set-up that most mail servers of the Internet have."""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.mail_servers.cells import NO_SMTPUTF8, PASSWORD, PORTS, SELF_SIGNED, USERNAME, Kind, Manners, Result
from tests.mail_servers.certificates import Certificates
from tests.mail_servers.processes import (
    RunningServer,
    can_listen_below_1024,
    no_loopback_addresses,
    process,
    wait_for,
    wait_for_ports,
)

NAME: Final = "Postfix"
MANNERS: Final = Manners(
    no_login=Result("rejected", "recipient", "rcpt_to", 554),
    no_tls=Result("retry", "configuration", "mail_from", 530),
)
_OFFER_LOGIN: Final = "-o smtpd_sasl_auth_enable=yes"
_ASK_LOGIN: Final = f"{_OFFER_LOGIN} -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
_OPTIONS: Final = {
    Kind.RELAY: f"-o smtpd_tls_security_level=may {_OFFER_LOGIN}",
    Kind.SUBMISSION: f"-o smtpd_tls_security_level=encrypt {_ASK_LOGIN}",
    Kind.SMTPS: f"-o smtpd_tls_wrappermode=yes {_ASK_LOGIN}",
    Kind.CLEAR: "",
    Kind.CLEAR_LOGIN: f"{_ASK_LOGIN} -o smtpd_tls_auth_only=no",
}
_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = mail.example.com
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_chain_files = {certificates.good}
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
smtputf8_autodetect_classes = all
in_flow_delay = 0
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_mailbox_base = {folder}
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
"""
_MASTER: Final = """
postlog   unix-dgram n - n - 1 postlogd
cleanup   unix n - n -     0   cleanup
qmgr      unix n - n 300   1   qmgr
tlsmgr    unix - - n 1000? 1   tlsmgr
rewrite   unix - - n -     -   trivial-rewrite
bounce    unix - - n -     0   bounce
defer     unix - - n -     0   bounce
trace     unix - - n -     0   bounce
verify    unix - - n -     1   verify
proxymap  unix - - n -     -   proxymap
flush     unix n - n 1000? 0   flush
error     unix - - n -     -   error
retry     unix - - n -     -   error
virtual   unix - n n -     -   virtual
anvil     unix - - n -     1   anvil
"""
_DOVECOT: Final = """
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
instance_name = {folder.name}
protocols =
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
"""
_DOVECOT_2_3: Final = """
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/people
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
"""
_DOVECOT_2_4: Final = """
auth_allow_cleartext = yes
passdb passwd-file {{
  passwd_file_path = {folder}/people
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = nobody
    gid = nogroup
    home = /nonexistent
  }}
}}
"""
_WRITTEN_FOR_2_4: Final = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
"""Must stand first."""


def missing() -> str | None:
    """Why it cannot run here, or None."""
    if reason := no_loopback_addresses():
        return reason
    if not shutil.which("postconf") or not shutil.which("dovecot"):
        return "the packages postfix and dovecot-core are not installed"
    if os.geteuid() != 0 or not can_listen_below_1024():
        return "Postfix has to be started by root, and this is an ordinary user"
    return None


@contextmanager
def running(folder: Path, address: str, certificates: Certificates) -> Generator[RunningServer]:
    """Postfix and Dovecot, until the block ends."""
    _furnish(folder, address, certificates)
    dovecot = ["dovecot", "-F", "-c", str(folder / "dovecot.conf")]
    master = [_postconf(folder, "-xh", "daemon_directory") + "/master", "-d", "-c", str(folder / "etc")]
    log = folder / "server.log"
    with ExitStack() as stack:
        pid = stack.enter_context(process(dovecot, log))
        wait_for(pid, (folder / "queue" / "private" / "auth").exists, "Dovecot", folder)
        pid = stack.enter_context(process(master, log))
        wait_for_ports(pid, address, list(PORTS), folder)
        version = f"{_postconf(folder, '-dh', 'mail_version')} with Dovecot {_dovecot_version()}"
        yield RunningServer(NAME, version, address, folder / "box" / "new")


def _furnish(folder: Path, address: str, certificates: Certificates) -> None:
    owner, postfix = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
    queue = folder / "queue"
    for path in (queue, folder / "etc", folder / "dovecot", folder / "pid"):
        path.mkdir()
    (queue / "pid").mkdir()
    names = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved")
    for path in (*(queue / name for name in (*names, "trace", "public", "maildrop")), folder / "data"):
        path.mkdir(mode=0o700)
        os.chown(path, postfix.pw_uid, postfix.pw_gid)
    os.chown(queue / "public", postfix.pw_uid, grp.getgrnam("postdrop").gr_gid)
    box = folder / "box"
    for path in (box, box / "new", box / "cur", box / "tmp"):
        path.mkdir()
        os.chown(path, owner.pw_uid, owner.pw_gid)
    main = _MAIN.format(folder=folder, certificates=certificates, owner=owner)
    (folder / "etc" / "main.cf").write_text(main, encoding="utf-8")
    (folder / "etc" / "master.cf").write_text(_MASTER + _listeners(address, certificates), encoding="utf-8")
    (folder / "dovecot.conf").write_text(_dovecot_settings(folder), encoding="utf-8")
    (folder / "people").write_text(f"{USERNAME}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")


def _listeners(address: str, certificates: Certificates) -> str:
    lines: list[str] = []
    for port, kind in PORTS.items():
        options = _OPTIONS[kind]
        if port in SELF_SIGNED:
            options += f" -o smtpd_tls_chain_files={certificates.self_signed}"
        if port in NO_SMTPUTF8:
            options += " -o smtpd_discard_ehlo_keywords=smtputf8"
        lines.append(f"{address}:{port} inet n - n - - smtpd {options}\n")
    return "".join(lines)


def _dovecot_settings(folder: Path) -> str:
    """From 2.4 on, Dovecot reads no settings that were written for an earlier one."""
    is_new = tuple(map(int, _dovecot_version().split(".")[:2])) >= (2, 4)
    parts = (_WRITTEN_FOR_2_4, _DOVECOT, _DOVECOT_2_4) if is_new else (_DOVECOT, _DOVECOT_2_3)
    return "".join(parts).format(folder=folder)


def _dovecot_version() -> str:
    return _output("dovecot", "--version").split()[0].partition("-")[0]


def _postconf(folder: Path, *arguments: str) -> str:
    return _output("postconf", "-c", str(folder / "etc"), *arguments)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
