"""Segments: the files of the spool, their names and their recovery.

    DATA/spool/<digest>.layout              fact names per kind under those declarations, for reading old frames
    DATA/spool/w<worker>/<name>.open        being written by its worker
    DATA/spool/w<worker>/<name>.segment     closed: complete, never written again, the loader's
    DATA/spool/w<worker>/<name>.broken      what was found after a torn write, kept until its segment is loaded

name = node (16 hex) - worker - epoch - sequence. A name is never used twice: the epoch is counted durably, and the
sequence lives as long as the epoch. A worker's directory has one owner at a time: whoever holds its flock.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collector.durable import sync_folder, write_durably
from collector.spool.frame import Frame, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, CLOSED, BROKEN = ".open", ".segment", ".broken"
_NAME = re.compile(r"([0-9a-f]{16})-(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment file and what its name says."""

    path: Path
    name: str
    node: int
    worker: int
    epoch: int
    sequence: int

    @property
    def closed(self) -> bool:
        """Whether it is complete and the loader's."""
        return self.path.suffix == CLOSED


def worker_folder(spool: Path, worker: int) -> Path:
    """Where a worker's segments lie."""
    return spool / f"w{worker}"


def segment_name(node: int, worker: int, epoch: int, sequence: int) -> str:
    """The name of a segment."""
    return f"{node:016x}-{worker}-{epoch}-{sequence}"


def segments(spool: Path) -> list[Segment]:
    """Every segment below `spool`, of every worker and epoch, oldest first within its worker."""
    found = [segment for path in spool.glob("w*/*") if (segment := _segment(path))]
    return sorted(found, key=lambda segment: (segment.epoch, segment.sequence, segment.worker))


@contextmanager
def owned(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Own a worker's directory for the block; yields whether it could be had. With `wait` it waits until it is free."""
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


def recover(folder: Path) -> int:
    """Close every segment left open in an owned directory; returns how many bytes of torn writes were cut.

    Only the tail of a segment may be cut: the bytes after the last whole frame, which nobody was told are safe.
    """
    cut = 0
    for path in sorted(folder.glob(f"*{OPEN}")):
        data = path.read_bytes()
        whole = 0
        for found in frames(path.stem, data):
            if isinstance(found, Frame):
                whole = found.end
        if whole < len(data):
            cut += len(data) - whole
            write_durably(path.with_suffix(BROKEN), data)
            with path.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        path.rename(path.with_suffix(CLOSED))
    sync_folder(folder)
    return cut


def _segment(path: Path) -> Segment | None:
    matched = _NAME.fullmatch(path.stem)
    if path.suffix not in (OPEN, CLOSED) or matched is None:
        return None
    node, worker, epoch, sequence = matched.groups()
    return Segment(
        path=path, name=path.stem, node=int(node, 16), worker=int(worker), epoch=int(epoch), sequence=int(sequence)
    )
