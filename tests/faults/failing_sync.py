"""Runs Ringpost so that, from SIGUSR2 on, every fsync and fdatasync fails with EIO, as on a disk that is dying.

The kernel itself refuses: a seccomp filter is put on all threads of the process (seccomp(2)). It needs neither root nor
a compiler, and it cannot be taken off again.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys

_SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}
"""Numbers of fsync and fdatasync."""
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_NO_NEW_PRIVILEGES = 38
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EIO
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def let_syncs_fail() -> None:
    """From now on, in this process. OSError where the kernel has no seccomp."""
    fsync, fdatasync = _SYNCS[platform.machine()]
    instructions = (
        (_LOAD, 0, 0, 0),  # the number of the system call
        (_JUMP_IF_EQUAL, 1, 0, fsync),
        (_JUMP_IF_EQUAL, 0, 1, fdatasync),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(
        _SECCOMP[platform.machine()], _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    from ringpost.cli import main

    signal.signal(signal.SIGUSR2, lambda _number, _frame: let_syncs_fail())
    sys.exit(main())
