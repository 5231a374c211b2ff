"""Why the room does not open, or its database fails: what it is about, where that is set, what to do."""

import errno
import shutil
from pathlib import Path
from typing import Final

from ringpost.cli.exits import Failed, Misconfigured
from ringpost.cli.output import without_password
from ringpost.config import Config
from ringpost.errors import StorageUnavailable
from ringpost.storage.engines import database_file
from ringpost.storage.keyring import KeyRingError
from ringpost.storage.schema import FromNewerVersion, NothingThere

NO_ROOM: Final = 1024 * 1024
"""Bytes that are left on a disk that is full: SQLite cannot even open a file with less."""


def why(config: Config, error: Exception) -> Exception | None:
    """The error to raise instead; None when there is nothing to add."""
    told: Exception | None = None
    match error:
        case StorageUnavailable():
            told = about_the_database(config, error)
        case NothingThere():
            told = Failed(
                f"There is nothing of Ringpost in the database yet. {_which_database(config)} Name the right one, or "
                "begin: ringpost tenant create acme.example.com"
            )
        case FromNewerVersion():
            told = Misconfigured(
                f"The database was made by a newer version of Ringpost ({error}). Install that version again, or bring "
                f"back the backup from before the upgrade. {_which_database(config)}"
            )
        case KeyRingError():
            told = KeyRingError(_about_the_keys(config, str(error)))
        case FileExistsError() | NotADirectoryError():
            told = Misconfigured(f"{error.filename} is a file, and a folder is needed there.")
        case PermissionError():
            told = Misconfigured(f"{error.filename}: {error.strerror}")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            told = StorageUnavailable(f"There is no room left on the disk of {config.data_dir.resolve()}.")
        case ValueError():
            told = Misconfigured(str(error))
        case _:
            pass
    return told


def about_the_database(config: Config, error: StorageUnavailable) -> StorageUnavailable:
    """The same, with which database it is about, and whether its disk is full."""
    said = error.message.partition("\nLINE ")[0]  # where in a statement of ours it stood
    stop = "" if said.endswith((".", "?")) else "."
    folder = _folder(config)
    full = folder is not None and folder.exists() and shutil.disk_usage(folder).free < NO_ROOM
    no_room = f"There is no room left on the disk of {folder}. " if full else ""
    return StorageUnavailable(f"{said}{stop} {no_room}{_which_database(config)}")


def _which_database(config: Config) -> str:
    named = "RINGPOST_DATABASE_URL" if config.database_url else "the data folder"
    return f"The database is {without_password(config.url)} ({named})."


def _folder(config: Config) -> Path | None:
    """Where the embedded database is."""
    file = database_file(config.url)
    return None if file is None else file.resolve().parent


def _about_the_keys(config: Config, said: str) -> str:
    file = (config.data_dir / "keys").resolve()
    if config.keys is None and not file.exists():
        return f"{file} is missing. {said}"
    where = "RINGPOST_KEYS" if config.keys else str(file)
    return said if where in said or "RINGPOST_KEYS" in said else f"{where}: {said}"
