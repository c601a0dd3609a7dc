"""Whether the spool may still grow: the operator's quota, and a floor of free space left to the rest of the machine.

The writer asks before each commit group; the answer is looked up on the disk a few times a second, and for every group
once the quota is near as far as this writer knows. Refusing before the disk is full is what lets everything already
accepted be loaded, and nothing old ever be dropped.
"""

from __future__ import annotations

import time
from pathlib import Path

from collector.disk import Disk
from collector.spool.segment import worker_folders

LOOK_EVERY_S = 0.25
NEAR = 0.75  # of the quota: from here on every group looks
SHARE = 16  # a sixteenth is left: of the file system, but no more than
MAX_FLOOR_BYTES = 256 * 1024 * 1024
MAX_SPARE_BYTES = 4 * 1024 * 1024  # and of the quota: more than the groups that several workers write at once


class Room:
    """The room of one machine's spool and frozen batches together; used by one thread."""

    def __init__(self, disk: Disk, spool: Path, frozen: Path, quota_bytes: int) -> None:
        self._disk = disk
        self._spool = spool
        self._frozen = frozen
        self._full_bytes = quota_bytes - min(quota_bytes // SHARE, MAX_SPARE_BYTES)
        self._used_bytes = 0
        self._looked_at = 0.0
        self._left = True

    def left(self) -> bool:
        """Whether more may be written, as of the last quarter of a second. A disk that does not say has none."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S or (self._left and self._used_bytes >= NEAR * self._full_bytes):
            self._looked_at = now
            try:
                self._left = self._look()
            except OSError:
                self._left = False
        return self._left

    def taken(self, size_bytes: int) -> None:
        """So much was written since the last look."""
        self._used_bytes += size_bytes

    def _look(self) -> bool:
        free, size = self._disk.free_bytes(self._spool)
        if free <= min(size // SHARE, MAX_FLOOR_BYTES):
            return False
        folders = [*worker_folders(self._disk, self._spool), self._frozen]
        self._used_bytes = sum(
            self._disk.size_bytes(folder / file) for folder in folders for file in self._disk.names(folder)
        )
        return self._used_bytes < self._full_bytes
