"""The OpenAPI document is true: generated requests get no answer that it does not know, and none that is our fault."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks as schemathesis_checks
from schemathesis import openapi
from schemathesis.generation import GenerationMode

from ringpost.api import authentication
from ringpost.api.app import create_app
from ringpost.api.express import express_past
from ringpost.api.problems import CODES
from ringpost.api.server import server_config
from ringpost.domain.access import SCOPES_OF_ROLE, Role
from ringpost.domain.deliveries import SENT, Outcome, Stage
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.messages import Envelope
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.tenants import TenantDraft
from ringpost.serving import ApiServer, listen, url_of
from ringpost.storage.database import open_database
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.transports import Transport
from ringpost.transports.lease import ENDLESS, Lease
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Options, Room

schemathesis_checks.load_all_checks()
_CHECKS: Any = cast("Any", schemathesis_checks).CHECKS  # its types are not all known
ADMIN = "the-operators-own-token-from-the-environment"


class Nowhere:
    """A way out where every mail is taken, and none kept."""

    async def send(self, envelope: Envelope, message: bytes, lease: Lease = ENDLESS) -> Outcome:  # noqa: ARG002
        return Outcome(SENT, Stage.ACCEPTED)

    async def close(self) -> None: ...


@dataclass
class Api:
    """The API behind a real socket, in a thread of its own."""

    url: str = ""
    token: str = ""

    async def serve(self, folder: Path, ready: threading.Event, over: threading.Event) -> None:
        """Run until `over`."""

        def to_nowhere(endpoint: Endpoint, *, overall_s: float | None = None, **_: object) -> Transport:  # noqa: ARG001
            return Nowhere()

        database = await open_database(f"sqlite:///{folder}/ringpost.db")
        room = Room(
            database, Sealer(KeyRing.fresh()), lambda: 1_800_000_000_000, to_nowhere, Options("pbx.x", ServerRules())
        )
        tenant = await create_tenant(room, TenantDraft("Acme", "acme.example"))
        role = Role.TENANT_ADMIN
        self.token = (await create_token(room, tenant, NewKey("k", SCOPES_OF_ROLE[role], role)))[1].reveal()
        app = create_app(room)
        minutes = itertools.count(step=61)  # every look at the clock is a minute later: no limit is ever reached
        authentication.set_up(app, room, Secret(ADMIN), lambda: float(next(minutes)))
        listener = listen("127.0.0.1", 0)
        self.url = url_of(listener)
        serving = ApiServer(server_config(app, "127.0.0.1", 0, express=express_past(app)))
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


NOT_HELD = (
    "positive_data_acceptance",  # no schema tells that a host may not be reached, or a password has to be given again
    "negative_data_rejection",  # a list of events takes them one by one; the lists of bad input are tests of their own
    "use_after_free",  # these two guess from names what belongs together
    "ensure_resource_availability",
)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_generated_requests_get_documented_answers_only(api: Api, mode: GenerationMode) -> None:
    schema: Any = openapi.from_url(f"{api.url}/openapi.json", timeout=30)
    operations = [found.ok() for found in schema.get_all_operations()]

    for operation in operations:
        hold_to_its_word(operation, mode, ADMIN if operation.path.startswith(("/admin", "/tenants")) else api.token)
        if operation.path == "/events":
            hold_to_its_word(operation, mode, ADMIN)

    assert len(operations) > 25


def hold_to_its_word(operation: Any, mode: GenerationMode, token: str) -> None:
    checks = _CHECKS.get_by_names([name for name in _CHECKS.get_all_names() if name not in NOT_HELD])

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(case=operation.as_strategy(mode))
    def hold(case: Any) -> None:  # schemathesis.Case, whose types are not all known
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=checks)

    try:
        hold()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing can be wrong with a request that has no parameters


def test_the_document_is_complete(api: Api) -> None:
    document: dict[str, Any] = httpx.get(f"{api.url}/openapi.json", timeout=30).json()

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


def test_the_examples_in_the_document_work_as_they_stand(api: Api) -> None:
    document: dict[str, Any] = httpx.get(f"{api.url}/openapi.json", timeout=30).json()
    posted = 0

    for path, item in document["paths"].items():
        body = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in body or path in ("/login", "/auth/refresh_token", "/tenants/{tenant}"):
            continue  # nobody can log in as in the example, and no tenant has its id
        token = ADMIN if path.startswith(("/admin", "/tenants")) else api.token
        name = "CPU_EXCEEDED" if path.startswith("/admin") else "QUEUE_SLA"
        url, headers = f"{api.url}{path.format(name=name)}", {"Authorization": f"Bearer {token}"}
        answer = httpx.post(url, json=body["example"], headers=headers, timeout=30)
        made_before = answer.status_code == 409 and answer.json()["errors"][0]["code"] == "ALREADY_EXISTS"
        assert answer.is_success or made_before, (path, answer.text)
        posted += 1

    assert posted >= 9


def test_every_code_is_documented_somewhere(api: Api) -> None:
    text = httpx.get(f"{api.url}/openapi.json", timeout=30).text

    # What no documented operation can meet: a method that is not documented.
    assert [code for code in CODES if f'"{code}"' not in text] == ["METHOD_NOT_ALLOWED"]


def test_the_page_for_people_needs_nothing_from_outside(api: Api) -> None:
    answer = httpx.get(f"{api.url}/docs", timeout=30)

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for word in ("http://", "https://", "<script", "<link", "<img", "@import", "url("):
        assert word not in answer.text.replace("https://pbx", ""), word
    for path in httpx.get(f"{api.url}/openapi.json", timeout=30).json()["paths"]:
        assert f"<code>{path}</code>" in answer.text
