"""What is in force, kept from one commit to the next: what was never committed must not be believed."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text, update

from ringpost.domain.credentials import ProviderHosts
from ringpost.domain.templates import Parts
from ringpost.domain.tenants import TenantId
from ringpost.storage import templates
from ringpost.storage.engines import migrate, open_engines
from ringpost.storage.keyring import KeyRing
from ringpost.storage.sealing import Sealer
from ringpost.storage.standing import Memory
from ringpost.storage.tables import tenants

ACME = TenantId("acme")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with a tenant."""
    reader, writer = open_engines(database_url)
    with writer.begin() as connection:
        always = {"domain": "acme.example", "enabled": True, "timezone": "UTC", "locale": "en"}
        connection.execute(tenants.insert().values(id=ACME, name="Acme", created_at=0, **always))
    yield writer
    reader.dispose()
    writer.dispose()


def name_now(connection: Connection, memory: Memory) -> str:
    """What the tenant is called, as far as the memory knows."""
    standing = memory.now(connection)
    standing.load(connection, {ACME}, set())
    return standing.tenants[ACME].name


def test_a_change_counts_at_once_and_for_everybody(engine: Engine) -> None:
    memory = Memory()
    with engine.begin() as connection:
        assert name_now(connection, memory) == "Acme"
        connection.execute(update(tenants).values(name="Acme 2"))
        assert name_now(connection, memory) == "Acme 2"
    with engine.begin() as connection:
        assert name_now(connection, memory) == "Acme 2"


def test_a_change_that_was_undone_is_not_believed(engine: Engine) -> None:
    believe_nothing_that_was_undone(engine)


def test_a_change_that_was_undone_is_not_believed_on_a_database_that_an_early_version_made(engine: Engine) -> None:
    as_an_early_version_made_it(engine)
    migrate(engine)
    believe_nothing_that_was_undone(engine)


def believe_nothing_that_was_undone(engine: Engine) -> None:
    memory = Memory()
    with engine.connect() as connection, connection.begin() as undone:
        connection.execute(update(tenants).values(name="never"))
        assert name_now(connection, memory) == "never"
        undone.rollback()  # the disk was full
    with engine.begin() as connection:
        connection.execute(update(tenants).values(name="Acme 2"))
        assert name_now(connection, memory) == "Acme 2"


def as_an_early_version_made_it(engine: Engine) -> None:
    """Changes are counted by ones, as 0008 had it at first."""
    one_more = "UPDATE changes SET count = count + 1"
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0014'"))
        if connection.dialect.name == "postgresql":
            body = f"$$ BEGIN {one_more}; RETURN NULL; END $$"
            head = "CREATE OR REPLACE FUNCTION ringpost_changed() RETURNS trigger LANGUAGE plpgsql AS"
            connection.execute(text(f"{head} {body}"))
            return
        for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            table, _, verb = name.rpartition("_")
            connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(text(f"CREATE TRIGGER {name} AFTER {verb} ON {table} BEGIN {one_more}; END"))


def test_a_process_that_only_sends_keeps_no_more_tenants_than_one_that_accepts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.storage.standing.MOST_KEPT", 10)
    memory, sealer, hosts = Memory(), Sealer(KeyRing.fresh()), ProviderHosts()
    with engine.begin() as connection:
        first = memory.now(connection)
        for number in range(30):
            memory.now(connection).server(connection, sealer, TenantId(f"t{number}"), hosts)
        assert memory.now(connection) is not first


def test_it_starts_anew_when_the_templates_that_it_keeps_are_large(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringpost.storage.standing.MOST_TEXT", 3000)
    memory = Memory()
    with engine.begin() as connection:
        for name in ("DISK_LOW", "RECHARGE"):
            templates.create(connection, ACME, name, Parts(body="x" * 2000), templates.Edit("ann", 0))
        first = memory.now(connection)
        first.load(connection, {ACME}, {(ACME, "DISK_LOW")})
        assert memory.now(connection) is first
        first.load(connection, {ACME}, {(ACME, "RECHARGE")})
        assert memory.now(connection) is not first
