"""The machine's disk, but calls can be told to fail, and are remembered: for tests of what is done in which order."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

from collector.disk import Disk


class FailingDisk(Disk):
    """Fails the calls named in `failing` with this error; `done` holds the names of those that changed something.

    `hold` is waited for before every sync: a slow disk.
    """

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.error = errno.EIO
        self.done: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def create(self, path: Path) -> int:
        self._do("create")
        return super().create(path)

    def append(self, fd: int, data: bytes) -> None:
        if "half of append" in self.failing:
            super().append(fd, data[: len(data) // 2])
            raise OSError(self.error, "injected")
        self._do("append")
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        self.hold.wait()
        self._do("sync")
        super().sync(fd)

    def truncate(self, fd: int, size_bytes: int) -> None:
        self._do("truncate")
        super().truncate(fd, size_bytes)

    def rename(self, path: Path, target: Path) -> None:
        self._do("rename")
        super().rename(path, target)

    def unlink(self, path: Path) -> None:
        self._do("unlink")
        super().unlink(path)

    def sync_folder(self, folder: Path) -> None:
        self._do("sync_folder")
        super().sync_folder(folder)

    def free_bytes(self, folder: Path) -> tuple[int, int]:
        return (0, 1) if "free_bytes" in self.failing else super().free_bytes(folder)

    def _do(self, call: str) -> None:
        if call in self.failing:
            raise OSError(self.error, "injected")
        self.done.append(call)
