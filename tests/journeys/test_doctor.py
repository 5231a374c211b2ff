"""`ringpost doctor` in a real process, against a mail server of this machine."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from tests.journeys.machine import Machine
from tests.transports.scripted_server import Answer, ScriptedServer, polite

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def acme(tmp_path: Any) -> Machine:
    """A machine with one tenant."""
    machine = Machine(tmp_path)
    machine.env |= {"RINGPOST_ALLOWED_MAIL_NETWORKS": "127.0.0.0/8", "RINGPOST_DNS_SERVERS": "127.0.0.1:1"}
    machine.output("tenant", "create", "acme.example.com", "--name", "Acme")
    return machine


async def doctor(
    machine: Machine, answers: Mapping[str, Answer], *arguments: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """Save settings for a server that answers like this, and run the command."""
    token = (await asyncio.to_thread(machine.output, "token", "create")).strip()
    async with ScriptedServer(polite(answers)) as server:
        settings = {
            "type": "SMTP",
            "server": "127.0.0.1",
            "port": server.port,
            "username": "phones@acme.example.com",
            "auth": "DISABLE",
            "enable_tls_ssl": False,
        }
        with machine.serving(RINGPOST_WORKERS="0") as api:
            async with httpx.AsyncClient(
                base_url=api.match[1], headers={"Authorization": f"Bearer {token}"}, timeout=30
            ) as client:
                assert (await client.post("/tenant/notification", json=settings)).status_code == 200
        return await asyncio.to_thread(machine.run, "doctor", "--tenant", "acme.example.com", *arguments, **env)


async def test_a_good_server_ends_with_0(acme: Machine) -> None:
    done = await doctor(acme, {}, "--recipient", "jane@example.com")

    assert done.returncode == 0, done.stderr
    assert "✓ Connection" in done.stdout
    assert "✓ Recipient" in done.stdout
    assert " ms" in done.stdout
    assert "Mail can be sent." in done.stdout


async def test_a_failure_ends_with_1_and_names_the_cause(acme: Machine) -> None:
    done = await doctor(acme, {"MAIL": b"530 5.7.57 Client not \x1b[31mauthenticated\r\n"})

    assert done.returncode == 1
    assert "✗ Sender" in done.stdout
    assert "MICROSOFT_NOT_AUTHENTICATED" in done.stdout
    assert "auth: AUTO" in done.stdout
    assert "\x1b" not in done.stdout


async def test_json_has_all_of_it(acme: Machine) -> None:
    done = await doctor(acme, {"MAIL": b"550 no\r\n"}, "--json")

    diagnosis = json.loads(done.stdout)
    assert (done.returncode, diagnosis["ok"], diagnosis["findings"][0]["code"]) == (1, False, "SENDER_REFUSED")


async def test_the_operator_is_told_what_allows_a_host(acme: Machine) -> None:
    """Such as when only the services have been told of the network."""
    done = await doctor(acme, {}, RINGPOST_ALLOWED_MAIL_NETWORKS="")

    assert done.returncode == 1
    assert "This host is not allowed" in done.stdout
    assert "What to do: Allow its network in RINGPOST_ALLOWED_MAIL_NETWORKS" in " ".join(done.stdout.split())


def test_without_a_mail_server_it_says_so(acme: Machine) -> None:
    done = acme.run("doctor", "--tenant", "acme.example.com")

    assert (done.returncode, done.stdout) == (1, "")
    assert "no mail server" in done.stderr
