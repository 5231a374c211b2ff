"""Ask for known vulnerabilities of what a lock file names. One that is found fails; a network that is away does not.

Run: python tools/audit.py requirements/dev.lock
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 240


def main(lock: str) -> int:
    """The exit code: 0 when nothing is known against any of them, or nobody could be asked."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--requirement", lock, "--require-hashes"]
    command += ["--disable-pip", "--format=json", "--progress-spinner=off", "--timeout=20"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return _not_asked("no answer in time")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return _no_report(done.stderr)
    return _judge(report, lock)


def _judge(report: dict[str, Any], lock: str) -> int:
    found = [(package, hole) for package in report["dependencies"] for hole in package.get("vulns", ())]
    for package, hole in found:
        mended = ", ".join(hole["fix_versions"]) or "no version yet"
        sys.stderr.write(f"{package['name']} {package['version']}: {hole['id']}, mended in {mended}\n")
    if not found:
        sys.stdout.write(f"{lock}: no known vulnerability in {len(report['dependencies'])} packages\n")
    return 1 if found else 0


def _no_report(said: str) -> int:
    last = said.strip().splitlines()[-1] if said.strip() else "pip-audit said nothing"
    away = ("connect", "timed out", "timeout", "resolve", "unreachable", "proxy", "ssl", "http")
    if any(word in said.lower() for word in away):
        return _not_asked(last)
    sys.stderr.write(f"{said}\npip-audit failed\n")
    return 1


def _not_asked(why: str) -> int:
    sys.stderr.write(f"\n*** NOT CHECKED for known vulnerabilities: the network is away ({why[:200]}) ***\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
