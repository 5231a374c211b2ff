"""A process whose disk stops taking syncs: run by test_sqlite, as `python no_sync.py URL`.

The kernel itself refuses fsync and fdatasync from then on, by a seccomp filter for all threads of this process.
"""

import asyncio
import ctypes
import errno
import os
import platform
import struct
import sys

from sqlalchemy import text

from ringpost.storage.database import open_database

_NUMBERS = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}
"""Of the system calls seccomp, fsync and fdatasync."""

_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


def refuse_syncs() -> None:
    """Have the kernel answer every sync of this process with EIO."""
    seccomp, fsync, fdatasync = _NUMBERS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, 0),  # the number of the system call
        (_JUMP_IF_EQUAL, 2, 0, fsync),
        (_JUMP_IF_EQUAL, 1, 0, fdatasync),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | errno.EIO),
    ]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        seccomp, _SET_MODE_FILTER, _ALL_THREADS, program
    )
    if failed:
        raise OSError(ctypes.get_errno(), "no seccomp here")


async def main(url: str) -> None:
    """Write once with a good disk, once with a bad one, and say what was acknowledged."""
    database = await open_database(url)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE note (word TEXT)")))
    os.write(1, b"acknowledged\n")
    refuse_syncs()
    await database.write(lambda connection: connection.execute(text("INSERT INTO note VALUES ('a')")))
    os.write(1, b"acknowledged\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
