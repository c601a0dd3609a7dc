"""Whether the spool may still grow: the operator's quota, and a floor of free space left to the rest of the machine.

The writer asks before each commit group; the answer is looked up on the disk a few times a second. Refusing before the
disk is full is what lets everything already accepted be loaded, and nothing old ever be dropped.
"""

from __future__ import annotations

import time
from pathlib import Path

from collector.disk import Disk
from collector.spool.segment import worker_folders

LOOK_EVERY_S = 0.25
FLOOR_SHARE = 16  # a sixteenth of the file system stays free, but no more than
MAX_FLOOR_BYTES = 256 * 1024 * 1024


class Room:
    """The room of one machine's spool and frozen batches together; used by one thread."""

    def __init__(self, disk: Disk, spool: Path, frozen: Path, quota_bytes: int) -> None:
        self._disk = disk
        self._spool = spool
        self._frozen = frozen
        self._quota_bytes = quota_bytes
        self._looked_at = 0.0
        self._left = True

    def left(self) -> bool:
        """Whether more may be written, as of the last quarter of a second. A disk that does not say has none."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            try:
                self._left = self._look()
            except OSError:
                self._left = False
        return self._left

    def _look(self) -> bool:
        free, size = self._disk.free_bytes(self._spool)
        if free <= min(size // FLOOR_SHARE, MAX_FLOOR_BYTES):
            return False
        folders = [*worker_folders(self._disk, self._spool), self._frozen]
        used = sum(self._disk.size_bytes(folder / file) for folder in folders for file in self._disk.names(folder))
        return used < self._quota_bytes
