"""The disk as the collector uses it: a dozen calls, each of which either did what it says or raises OSError.

Everything that must survive a crash (spool, frozen batches, small state) goes through a `Disk`, so that tests can hand
in one that is full, fails, or forgets what was not synced. Files are private (0600). What each call promises:

    append + sync        the bytes of a file survive a power loss
    sync_folder          creations, renames and removals in a folder survive it
    write_durably        a file is the old or the new one, whole, after any crash

A failed sync is never tried again here: the kernel may have dropped the pages it could not write (fsyncgate, 2018), so
a second sync that succeeds proves nothing about them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PRIVATE = 0o600


def read_named(path: Path) -> bytes:
    """All of a file that an operator named; raises OSError, too, for a device, of which some have no end."""
    with path.open("rb") as file:
        if stat.S_ISCHR(mode := os.fstat(file.fileno()).st_mode) or stat.S_ISBLK(mode):
            raise OSError(errno.EINVAL, "it is a device")
        return file.read()


class Disk:
    """The machine's own disk. Stateless; any thread may use it."""

    def create(self, path: Path) -> int:
        """A new, empty file, open for appending; raises FileExistsError if there is one of that name."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, _PRIVATE)

    def append(self, fd: int, data: bytes) -> None:
        """Write all of `data`; after an OSError any part of it may be in the file."""
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, "written in part")

    def sync(self, fd: int) -> None:
        """Make what a file holds durable."""
        os.fdatasync(fd)

    def truncate(self, fd: int, size_bytes: int) -> None:
        """Cut a file to its first bytes."""
        os.ftruncate(fd, size_bytes)

    def close(self, fd: int) -> None:
        """Let go of an open file."""
        os.close(fd)

    def read(self, path: Path, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file from `start` on, at most `length` of them."""
        with path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def names(self, folder: Path) -> list[str]:
        """What lies in a folder, in order; nothing where there is no such folder."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is asked
        except FileNotFoundError:
            return []

    def make_folder(self, folder: Path) -> None:
        """Have a private folder there, durably, with its parents."""
        if not folder.parent.exists():
            self.make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        self.sync_folder(folder.parent)

    def tidy(self, folder: Path) -> None:
        """Have a private folder there, without what a crash left of write_durably: what that was made of still is.

        What is found in it from here on is durably there: also a file whose own write failed at the last sync.
        """
        self.make_folder(folder)
        for name in self.names(folder):
            if name.startswith("."):
                self.unlink(folder / name)
        self.sync_folder(folder)

    def size_bytes(self, path: Path) -> int:
        """How large a file is; 0 where there is none any more."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0

    def modified_s(self, path: Path) -> float:
        """When a file was last written, as seconds since 1970."""
        return path.stat().st_mtime

    def free_bytes(self, folder: Path) -> tuple[int, int]:
        """What is free in the file system of a folder, and how large that file system is."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name, replacing what had it."""
        path.rename(target)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Make creations, renames and removals in a folder durable."""
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def write_durably(self, path: Path, data: bytes) -> None:
        """Replace `path` by `data`: it is the old file or the new, whole, and when this returns it is the new."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fd = self._begin(temporary)
            try:
                self.append(fd, data)
                self.sync(fd)
            finally:
                self.close(fd)
            self.rename(temporary, path)
        except OSError:
            with suppress(OSError):
                self.unlink(temporary)
            raise
        self.sync_folder(path.parent)

    def _begin(self, temporary: Path) -> int:
        try:
            return self.create(temporary)
        except FileExistsError:  # left by a process of that number, or by a removal that failed
            self.unlink(temporary)
            return self.create(temporary)

    @contextmanager
    def owned(self, folder: Path, *, wait: bool) -> Iterator[bool]:
        """Own a folder for the block; yields whether it could be had. With `wait` it waits until it is free."""
        fd = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(fd)


DISK = Disk()
