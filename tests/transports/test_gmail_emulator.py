"""Gmail as others understood it: the npm package emulate, with its own consent, tokens and mailbox."""

import socket
import subprocess
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.left_out import left_out
from tests.mail_servers.node_server import find_node
from tests.transports.mail_samples import MESSAGE, envelope
from tests.transports.oauth_samples import MAILBOX
from tools.mail_servers import BUILD, GMAIL
from tools.outside import has_node_modules

from ringpost.domain.credentials import GoogleUser
from ringpost.domain.deliveries import SENT, Outcome, Party, Stage
from ringpost.domain.endpoints import GmailEndpoint
from ringpost.domain.secrets import Secret
from ringpost.transports.gmail import gmail
from ringpost.transports.oauth.tokens import Authorities
from ringpost.transports.providers import ProviderOptions, Providers

PROGRAM: Final = BUILD / "gmail" / "node_modules" / "emulate" / "dist" / "index.js"
SCOPES: Final = "https://www.googleapis.com/auth/gmail.send https://www.googleapis.com/auth/gmail.readonly"
CLIENT: Final = {"client_id": "client.apps", "client_secret": "a-secret", "redirect_uri": "http://localhost/back"}
SEED: Final = f"""\
google:
  users: [{{email: {MAILBOX}, name: PBX}}]
  oauth_clients:
    - {{client_id: client.apps, client_secret: a-secret, name: Ringpost, redirect_uris: ["http://localhost/back"]}}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    node = find_node()
    if node is None or not has_node_modules(GMAIL, BUILD / "gmail"):
        left_out("Gmail as others understood it: emulate of npm is not installed, or no Node.js from 20 on")
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("emulator")
    (folder / "seed.yaml").write_text(SEED, encoding="utf-8")
    command = [node, str(PROGRAM), "start", "--service", "google", "--port", str(port), "--seed", "seed.yaml"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert process.poll() is None, "the emulator has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the emulator does not answer")


@pytest.fixture
def consent(emulator: str) -> dict[str, str]:
    """The user agrees in the browser, and the code is exchanged for tokens, as docs/gmail.md says."""
    with httpx.Client(base_url=emulator, trust_env=False, timeout=30) as browser:
        agreed = browser.post("/o/oauth2/v2/auth/callback", data={**CLIENT, "email": MAILBOX, "scope": SCOPES})
        code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
        fields = {**CLIENT, "grant_type": "authorization_code", "code": code}
        return browser.post("/oauth2/token", data=fields).json()


async def send(emulator: str, refresh_token: str) -> Outcome:
    """One mail."""
    user = GoogleUser(CLIENT["client_id"], Secret(CLIENT["client_secret"]), Secret(refresh_token))
    options = ProviderOptions(authorities=Authorities(google=f"{emulator}/oauth2/token"), gmail=emulator)
    transport = gmail(GmailEndpoint(MAILBOX, user), Providers(options))
    try:
        return await transport.send(envelope(), MESSAGE)
    finally:
        await transport.close()


async def test_a_mail_is_in_the_mailbox_that_sent_it(emulator: str, consent: dict[str, str]) -> None:
    outcome = await send(emulator, consent["refresh_token"])

    assert (outcome.verdict, outcome.stage) == (SENT, Stage.ACCEPTED)
    headers = {"Authorization": f"Bearer {consent['access_token']}"}
    async with httpx.AsyncClient(base_url=emulator, headers=headers, trust_env=False, timeout=30) as reader:
        sent = (await reader.get(f"/gmail/v1/users/me/messages/{outcome.reply[3:]}?format=raw")).json()
    raw = str(sent["raw"])
    kept = urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
    assert "SENT" in sent["labelIds"]
    assert b"To: alice@recipient.example" in kept
    assert b".a line with a dot" in kept


async def test_a_consent_that_has_ended_is_a_matter_of_the_settings(emulator: str) -> None:
    outcome = await send(emulator, "1//gone")

    assert (outcome.stage, outcome.party, outcome.code) == (Stage.TOKEN, Party.CONFIGURATION, 400)
    assert outcome.reply.startswith("invalid_grant")
