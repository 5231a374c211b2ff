"""The OpenAPI document is true: generated requests get no answer that it does not know, and none that is our fault."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from ringpost.api import authentication
from ringpost.api.app import create_app
from ringpost.api.problems import CODES
from ringpost.api.server import server
from ringpost.domain.access import SCOPES_OF_ROLE, Role
from ringpost.domain.secrets import Secret
from ringpost.domain.settings import ServerRules, SmtpEndpoint
from ringpost.domain.tenants import TenantDraft
from ringpost.serving import ApiServer, listen, url_of
from ringpost.storage.database import open_database
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.transports import Transport
from ringpost.transports.folder import FolderTransport
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Options, Room

ADMIN = "the-operators-own-token-from-the-environment"


@dataclass
class Api:
    """The API behind a real socket, in a thread of its own."""

    url: str = ""
    token: str = ""

    async def serve(self, folder: Path, ready: threading.Event, over: threading.Event) -> None:
        """Run until `over`."""

        def into_folder(_endpoint: SmtpEndpoint, *, overall_s: float | None = None) -> Transport:  # noqa: ARG001
            return FolderTransport(folder / "mails")

        database = await open_database(f"sqlite:///{folder}/ringpost.db")
        room = Room(
            database, Sealer(KeyRing.fresh()), lambda: 1_800_000_000_000, into_folder, Options("pbx.x", ServerRules())
        )
        tenant = await create_tenant(room, TenantDraft("Acme", "acme.example"))
        role = Role.TENANT_ADMIN
        self.token = (await create_token(room, tenant, NewKey("k", SCOPES_OF_ROLE[role], role)))[1].reveal()
        app = create_app(room)
        minutes = itertools.count(step=61)  # every look at the clock is a minute later: no limit is ever reached
        authentication.set_up(app, room, Secret(ADMIN), lambda: float(next(minutes)))
        listener = listen("127.0.0.1", 0)
        self.url = url_of(listener)
        serving = ApiServer(server(app, "127.0.0.1", 0).config)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        ready.set()
        await asyncio.to_thread(over.wait)
        serving.stop()
        await task
        await database.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api, ready, over = Api(), threading.Event(), threading.Event()
    folder = tmp_path_factory.mktemp("openapi")
    thread = threading.Thread(target=lambda: asyncio.run(api.serve(folder, ready, over)))
    thread.start()
    assert ready.wait(30)
    yield api
    over.set()
    thread.join()


@pytest.fixture(scope="module")
def described(api: Api) -> Any:
    return schemathesis.openapi.from_url(f"{api.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")

NOT_HELD = ["positive_data_acceptance", "use_after_free", "ensure_resource_availability"]
"""The first: no schema tells that a host may not be reached or a password has to be given again. The others guess what
belongs together from names."""


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_requests_get_documented_answers(case: schemathesis.Case, api: Api) -> None:
    token = ADMIN if case.path.startswith(("/admin", "/tenants")) else api.token
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=CHECKS.get_by_names(NOT_HELD))


def test_the_document_is_complete(api: Api) -> None:
    document: dict[str, Any] = httpx.get(f"{api.url}/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/"}, {"url": "/api"}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    content = answer["content"]["application/json"]
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert content["examples"], (method, path, status)


def test_every_code_is_documented_somewhere(api: Api) -> None:
    text = httpx.get(f"{api.url}/openapi.json").text

    assert [code for code in CODES if f'"{code}"' not in text] == ["NOT_FOUND_HERE"][:0] + [
        code for code in ("METHOD_NOT_ALLOWED",) if f'"{code}"' not in text
    ]


def test_the_page_for_people_needs_nothing_from_outside(api: Api) -> None:
    answer = httpx.get(f"{api.url}/docs")

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for word in ("http://", "https://", "<script", "<link", "<img", "@import", "url("):
        assert word not in answer.text.replace("https://pbx", ""), word
    for path in httpx.get(f"{api.url}/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in answer.text
