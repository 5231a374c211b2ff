"""What the database is and how large, for the operator."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Sizes in octets."""

    name: str
    """`SQLite` or `PostgreSQL`."""
    version: str
    size: int
    disk_free: int | None
    """Bytes free on the disk that the file is on; None when that is another machine's."""
    disk_size: int | None


def engine_facts(connection: Connection) -> EngineFacts:
    """What is known at this moment. It costs some milliseconds whatever the size."""
    if connection.dialect.name == "postgresql":
        version = str(_one(connection, "SHOW server_version")).split()[0]
        return EngineFacts("PostgreSQL", version, int(_one(connection, _PG_SIZE)), None, None)
    pages, octets = _one(connection, "PRAGMA page_count"), _one(connection, "PRAGMA page_size")
    file = connection.exec_driver_sql("PRAGMA database_list").one()[2]
    disk = shutil.disk_usage(Path(file).parent)
    return EngineFacts(
        "SQLite", str(_one(connection, "SELECT sqlite_version()")), pages * octets, disk.free, disk.total
    )


_PG_SIZE = "SELECT pg_database_size(current_database())"


def _one(connection: Connection, query: str) -> int:
    return connection.exec_driver_sql(query).scalar_one()
