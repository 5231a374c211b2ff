"""A small disk that can be filled."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class Disk:
    """A file system in memory. It is filled by taking away all the room that is left, which costs nothing."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._kilobytes = megabytes * 1024

    def fill(self) -> None:
        """Leave no room."""
        for _ in range(100):  # whoever writes at this very moment needs some more
            found = os.statvfs(self.folder)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
            if self._resize(max(4, used)):  # 0 means no limit (tmpfs of the kernel's documentation)
                return
        raise OSError(f"{self.folder} could not be filled")

    def free(self) -> None:
        """Make room again."""
        if not self._resize(self._kilobytes):
            raise OSError(f"{self.folder} could not be made larger again")

    def _resize(self, kilobytes: int) -> bool:
        """False when more than that is in use."""
        command = ["mount", "-o", f"remount,size={kilobytes}k", self.folder]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(megabytes: int) -> Generator[Disk]:
    """A file system in memory. PermissionError where only root may mount one."""
    folder = Path(tempfile.mkdtemp(prefix="ringpost-disk-"))
    options = f"size={megabytes}m,mode=0755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "ringpost-chaos", folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        folder.rmdir()
        raise PermissionError(mounted.stderr.strip())
    try:
        yield Disk(folder, megabytes)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()
