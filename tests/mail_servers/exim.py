"""Exim, the unpacked Debian package: nothing of it is installed, and it runs as whoever starts it."""

import os
import platform
import pwd
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.mail_servers.cells import NO_SMTPUTF8, PASSWORD, PORTS, SELF_SIGNED, USERNAME, Kind, Manners, Result
from tests.mail_servers.certificates import Certificates
from tests.mail_servers.processes import (
    BUILD,
    RunningServer,
    no_loopback_addresses,
    own_ports,
    process,
    wait_for_ports,
)

NAME: Final = "Exim"
MANNERS: Final = Manners(
    no_login=Result("rejected", "recipient", "rcpt_to", 550),
    no_tls=Result("rejected", "recipient", "rcpt_to", 550),
)
_ROOT: Final = BUILD / "exim"
_BINARY: Final = _ROOT / "usr/sbin/exim4"
_CONFIG: Final = """
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/spool/exim-%s.log
pid_file_path = {folder}/exim.pid
primary_hostname = mail.example.com
local_interfaces = {address}
daemon_smtp_ports = {ports}
tls_on_connect_ports = {smtps}
keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
exim_path = {binary}
deliver_drop_privilege = true
host_lookup =
rfc1413_hosts =
rfc1413_query_timeout = 0s
message_size_limit = 50M
smtp_accept_max = 100
allow_utf8_domains = true
tls_advertise_hosts = ${{if forany{{{plain}}}{{eq{{$item}}{{$received_port}}}}{{}}{{*}}}}
tls_certificate = ${{if forany{{{self_signed}}}{{eq{{$item}}{{$received_port}}}}\
{{{certificates.self_signed}}}{{{certificates.good}}}}}
auth_advertise_hosts = ${{if or{{{{def:tls_in_cipher}}\
{{forany{{{clear_login}}}{{eq{{$item}}{{$received_port}}}}}}}}{{*}}{{}}}}
smtputf8_advertise_hosts = ${{if forany{{{no_smtputf8}}}{{eq{{$item}}{{$received_port}}}}{{}}{{*}}}}
acl_smtp_rcpt = recipient
acl_smtp_data = content

begin acl
recipient:
  deny message = 5.7.1 encryption required
       condition = ${{if forany{{{submission}}}{{eq{{$item}}{{$received_port}}}}}}
       !encrypted = *
  deny message = 5.7.1 relay not permitted
       condition = ${{if forany{{{login}}}{{eq{{$item}}{{$received_port}}}}}}
       !authenticated = *
  accept
content:
  accept

begin routers
everybody:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = {folder}/box
  maildir_format
  user = Debian-exim
  group = Debian-exim

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{username}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{username}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1
"""


def missing() -> str | None:
    """Why it cannot run here, or None."""
    if reason := no_loopback_addresses():
        return reason
    return None if _BINARY.exists() else "the package exim4-daemon-light is not unpacked"


@contextmanager
def running(folder: Path, address: str, certificates: Certificates) -> Generator[RunningServer]:
    """Exim, until the block ends."""
    uid, gid = _owner()
    for path in (folder / "spool", folder / "box"):
        path.mkdir(mode=0o700)
        os.chown(path, uid, gid)
    ports = own_ports(list(PORTS))
    config = folder / "exim.conf"
    config.write_text(_config(folder, address, certificates, ports), encoding="utf-8")
    environment = _environment(folder)
    command = [str(_BINARY), "-C", str(config)]
    version = subprocess.run(
        [*command, "-bV"], check=True, capture_output=True, text=True, env={**os.environ, **environment}
    ).stdout.split()[2]
    with process([*command, "-bdf", "-odi"], folder / "server.log", environment) as pid:
        wait_for_ports(pid, address, ports, folder)
        yield RunningServer(NAME, version, address, folder / "box" / "new")


def _config(folder: Path, address: str, certificates: Certificates, ports: list[int]) -> str:
    def having(*kinds: Kind) -> str:
        return " : ".join(str(port) for port in ports if PORTS[port] in kinds)

    return _CONFIG.format(
        folder=folder,
        binary=_BINARY,
        address=address,
        certificates=certificates,
        username=USERNAME,
        password=PASSWORD,
        ports=" : ".join(map(str, ports)),
        smtps=having(Kind.SMTPS),
        plain=having(Kind.CLEAR, Kind.CLEAR_LOGIN),
        login=having(Kind.SUBMISSION, Kind.SMTPS, Kind.CLEAR_LOGIN),
        submission=having(Kind.SUBMISSION),
        clear_login=having(Kind.CLEAR_LOGIN),
        self_signed=" : ".join(map(str, SELF_SIGNED)),
        no_smtputf8=" : ".join(map(str, NO_SMTPUTF8)),
    )


def _owner() -> tuple[int, int]:
    """User and group that it runs as: ours, or when we are root, nobody's."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _environment(folder: Path) -> dict[str, str]:
    """Its libraries, and names for the user and group that its package would have made; it looks them up."""
    uid, gid = _owner()
    people = f"root:x:0:0:root:/root:/bin/sh\nDebian-exim:x:{uid}:{gid}::/:/bin/false\n"
    groups = f"root:x:0:\nDebian-exim:x:{gid}:\n"
    (folder / "passwd").write_text(people, encoding="ascii")
    (folder / "group").write_text(groups, encoding="ascii")
    libraries = _ROOT / "usr/lib" / f"{platform.machine()}-linux-gnu"
    return {
        "LD_LIBRARY_PATH": str(libraries),
        "LD_PRELOAD": str(libraries / "libnss_wrapper.so"),
        "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
        "NSS_WRAPPER_GROUP": str(folder / "group"),
    }
