"""A small file system in memory, mounted where a scenario wants it and taken away whatever happens; needs root.

Ballast is a file on it that takes all the room there is.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.durability.outcome import NotHereError

MEBIBYTE = 1024 * 1024
BLOCK_BYTES = 4096


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    """Mount it at a new folder; raises NotHereError where that is not allowed."""
    if os.geteuid() != 0:
        raise NotHereError("mounting a small disk needs root")
    place.mkdir(mode=0o700, parents=True)
    options = f"size={megabytes}m,mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "durability", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotHereError(f"mounting a small disk fails here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily, if something is still open on it: it goes with the last process that uses it.
        if subprocess.run(["umount", place], capture_output=True, check=False).returncode:
            subprocess.run(["umount", "--lazy", place], check=True)


class Ballast:
    """A file that takes what room is left."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self) -> None:
        """Take all that is free at this moment."""
        with self._path.open("ab", buffering=0) as file:
            for size in (MEBIBYTE, BLOCK_BYTES):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def drop(self) -> None:
        """Give all of it back."""
        self._path.unlink(missing_ok=True)
