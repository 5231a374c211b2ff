"""The schema of a database, brought up to date."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_REVISIONS: Final = frozenset(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
_NEWEST: Final = max(_REVISIONS)


class NothingThere(Exception):
    """The database has no tables of ours, and none were to be made."""


class FromNewerVersion(Exception):
    """The database is of a revision that is not known here: a newer version of Ringpost has migrated it."""


def migrate(engine: Engine, *, make: bool = True) -> None:
    """Bring the schema to the newest revision. Safe to run at every start, and from several processes.

    Raises FromNewerVersion and, without `make`, NothingThere when there is none.
    """
    with engine.begin() as connection:
        if _revision(connection) == _NEWEST:
            return
        if connection.dialect.name == "postgresql":
            from ringpost.storage import postgresql  # noqa: PLC0415  its driver takes 5 MB of memory, and SQLite none of it

            postgresql.be_the_only_one_to_migrate(connection)
        revision = _revision(connection)
        if revision is None and not make:
            raise NothingThere
        if revision is not None and revision not in _REVISIONS:
            raise FromNewerVersion(f"it is of revision {revision}, and this one knows those up to {_NEWEST}")
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command, config  # noqa: PLC0415  takes long to import, and there is hardly ever a migration

    upgrade = config.Config()
    upgrade.set_main_option("script_location", str(_MIGRATIONS))
    upgrade.attributes["connection"] = connection
    command.upgrade(upgrade, "head")
