"""What many tests start from: a room over a real database file, a clock that moves when told, the API, its clients."""

import os
import shutil
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp
from tests.left_out import pytest_terminal_summary as pytest_terminal_summary  # noqa: PLC0414  a hook
from tests.postgresql import PostgresServer, postgres_server

from ringpost.api import authentication
from ringpost.api.app import create_app
from ringpost.domain.access import SCOPES_OF_ROLE, Role
from ringpost.domain.endpoints import Endpoint
from ringpost.domain.secrets import Secret
from ringpost.domain.server_rules import ServerRules
from ringpost.domain.tenants import TenantDraft, TenantId
from ringpost.storage.database import open_database
from ringpost.storage.engines import open_engines
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.storage.standing import Memory
from ringpost.transports import Transport
from ringpost.usecases.create_tenant import create_tenant
from ringpost.usecases.create_token import NewKey, create_token
from ringpost.usecases.room import Options, Room

ADMIN_TOKEN = "the-operators-own-token-from-the-environment"


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` has no such hook
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: tests wait two fifths of their time."""
    return (os.cpu_count() or 1) * 3 // 2


class Clock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        """The same time as monotonic seconds."""
        return self.ms / 1000

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the texts were that Unicode normalised: it takes the square of their combining marks."""
    lengths: list[int] = []
    normalize = unicodedata.normalize

    def noted(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
        lengths.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    return lengths


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with nothing but the schema, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("fresh") / "ringpost.db"
    for engine in open_engines(f"sqlite:///{path}"):
        engine.dispose()
    return path


@pytest.fixture
def database_path(tmp_path: Path, fresh_database: Path) -> Path:
    """The database file of `room`."""
    return Path(shutil.copy(fresh_database, tmp_path / "ringpost.db"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, for all tests of this process that want one."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def fresh_postgres_database(postgres: PostgresServer) -> str:
    """A database with nothing but the schema, to be copied."""
    name = postgres.new_database()
    for engine in open_engines(postgres.url(name)):
        engine.dispose()
    return name


@pytest.fixture
def kind_of_database() -> str:
    """`sqlite`, or `postgresql`; folders whose tests are about the database run on both."""
    return "sqlite"


@pytest.fixture
def database_url(kind_of_database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database with the schema and nothing else."""
    if kind_of_database == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('database_path')}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("fresh_postgres_database"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def stored_bytes(database_url: str, request: pytest.FixtureRequest) -> Callable[[], bytes]:
    """Everything that is in the files of the database at this moment."""
    if database_url.startswith("sqlite"):
        path: Path = request.getfixturevalue("database_path")
        return lambda: b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    server: PostgresServer = request.getfixturevalue("postgres")
    return lambda: server.bytes_of(database_url.rpartition("/")[2])


@pytest.fixture
async def room(database_url: str, clock: Clock) -> AsyncIterator[Room]:
    """A room over a fresh database; nothing can be sent from it."""
    database = await open_database(database_url)
    room = Room(database, Sealer(KeyRing.fresh()), clock, _no_way_out, Options("pbx.example", ServerRules()))
    database.on_ring(room.bell.ring)
    yield room
    await database.close()


@pytest.fixture
async def elsewhere(room: Room, database_url: str) -> AsyncIterator[Room]:
    """The room of another process."""
    database = await open_database(database_url)
    yield replace(room, database=database, standing=Memory())
    await database.close()


@pytest.fixture
async def slow(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Whose open transaction others wait for, on PostgreSQL."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        yield connection


def _no_way_out(endpoint: Endpoint, *, overall_s: float | None = None, **_: object) -> Transport:
    raise AssertionError(f"nothing is sent in this test, least of all to {endpoint.label} within {overall_s} s")


@pytest.fixture
def key_of() -> "KeyOf":
    """Makes keys: `await key_of(room, tenant, role)`."""
    return make_key


@pytest.fixture
def app(room: Room, clock: Clock) -> FastAPI:
    """The API in `room`; its limits go by `clock`."""
    app = create_app(room)
    authentication.set_up(app, room, Secret(ADMIN_TOKEN), clock.monotonic)
    return app


@pytest.fixture
async def acme(room: Room) -> TenantId:
    """A tenant."""
    return await create_tenant(room, TenantDraft("Acme", "acme.example"))


@pytest.fixture
async def other(room: Room) -> TenantId:
    """Another tenant, who must never see anything of the first."""
    return await create_tenant(room, TenantDraft("Other", "other.example"))


@pytest.fixture
async def acme_token(room: Room, acme: TenantId) -> str:
    """May do everything in the tenant `acme`."""
    return await make_key(room, acme)


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with client_with(app, None) as client:
        yield client


@pytest.fixture
async def tenant_client(app: FastAPI, acme_token: str) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of `acme`."""
    async with client_with(app, acme_token) as client:
        yield client


@pytest.fixture
async def other_client(app: FastAPI, room: Room, other: TenantId) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of `other`."""
    async with client_with(app, await make_key(room, other)) as client:
        yield client


@pytest.fixture
async def admin_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The system administrator."""
    async with client_with(app, ADMIN_TOKEN) as client:
        yield client


def client_with(app: ASGIApp, token: str | None) -> httpx.AsyncClient:
    """A client in this process, with a token or without."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ringpost", headers=headers)


async def make_key(room: Room, tenant: TenantId, role: Role = Role.TENANT_ADMIN) -> str:
    """A fresh key that has all scopes of its role."""
    _, secret = await create_token(room, tenant, NewKey("test", SCOPES_OF_ROLE[role], role))
    return secret.reveal()


KeyOf = Callable[..., Awaitable[str]]
