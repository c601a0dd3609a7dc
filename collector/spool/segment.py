"""Segments: the files of the spool, their names and their recovery.

    DATA/spool/<digest>.layout                     fact names per kind under those declarations, for old frames
    DATA/spool/w<worker>/<name>.open               being written by its worker
    DATA/spool/w<worker>/<name>.<events>.segment   closed with so many events: never written again, the loader's
    DATA/spool/w<worker>/<name>.broken             what was found after a torn write, until its segment is loaded

    name = node (16 hex) - worker - epoch - sequence

A name is never used twice: the epoch is counted durably, and the sequence lives as long as the epoch. The rename that
closes a segment also says how many events it holds, so a frame that is missing later, the last one too, is noticed and
its events are known by number; and what waits can be counted without reading it. A worker's folder has one owner at a
time: whoever holds its flock.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from collector.disk import Disk
from collector.log import log, place_of
from collector.spool.frame import Frame, frames

OPEN, CLOSED, BROKEN, LAYOUT = ".open", ".segment", ".broken", ".layout"
_WORKER = re.compile(r"w\d+")
_FILE = re.compile(r"(([0-9a-f]{16})-(\d+)-(\d+)-(\d+))(?:\.(\d+))?(\.open|\.segment)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment file and what its name says; `events` is None while it is open."""

    path: Path
    name: str
    node: int
    worker: int
    epoch: int
    sequence: int
    events: int | None

    @property
    def closed(self) -> bool:
        """Whether it is complete and the loader's."""
        return self.events is not None

    @property
    def broken(self) -> Path:
        """Where what was found after a torn write lies, if there was one."""
        return self.path.with_name(self.name + BROKEN)


class Life(NamedTuple):
    """One life of a node: which machine's collector, and which epoch of its memory."""

    node: int
    epoch: int


def worker_folder(spool: Path, worker: int) -> Path:
    """Where a worker's segments lie."""
    return spool / f"w{worker}"


def worker_folders(disk: Disk, spool: Path) -> list[Path]:
    """The folders of all workers there ever were."""
    return [spool / name for name in disk.names(spool) if _WORKER.fullmatch(name)]


def segment_name(life: Life, worker: int, sequence: int) -> str:
    """The name of a segment."""
    return f"{life.node:016x}-{worker}-{life.epoch}-{sequence}"


def epoch_of(name: str) -> int:
    """The epoch a segment was written in."""
    return int(name.split("-")[2])


def worker_of(name: str) -> int:
    """The worker that a segment's name tells."""
    return int(name.split("-")[1])


def closed_path(folder: Path, name: str, events: int) -> Path:
    """Where a segment lies once it is closed."""
    return folder / f"{name}.{events}{CLOSED}"


def segments(disk: Disk, spool: Path) -> list[Segment]:
    """Every segment below `spool`, of every worker and epoch, oldest first within its worker."""
    folders = worker_folders(disk, spool)
    found = [_segment(folder, file) for folder in folders for file in disk.names(folder)]
    return sorted((each for each in found if each), key=lambda each: (each.epoch, each.sequence, each.worker))


def recover(disk: Disk, folder: Path) -> int:
    """Close every segment left open in an owned folder, and tidy it; returns how many bytes of torn writes were cut.

    One that cannot be closed stays as it is, for the next start, and is told: it never keeps a worker from its work.
    A copy that was cut short (disk.write_durably) goes: nothing else would ever remove the events in it.
    """
    cut = 0
    with suppress(OSError):  # at the next start, then
        _tidy(disk, folder)
    for file in disk.names(folder):
        try:
            if file.startswith("."):
                disk.unlink(folder / file)
            elif file.endswith(OPEN):
                cut += recover_one(disk, folder / file)
        except OSError as error:
            log.error("a segment cannot be recovered now", segment=file, **place_of(error))
    return cut


def _tidy(disk: Disk, folder: Path) -> None:
    """Remove writes that were cut short, and what was found of segments that are gone."""
    disk.tidy(folder)
    files = disk.names(folder)
    there = {file.partition(".")[0] for file in files if not file.endswith(BROKEN)}
    for file in files:
        if file.endswith(BROKEN) and file.removesuffix(BROKEN) not in there:
            disk.unlink(folder / file)


def recover_one(disk: Disk, path: Path) -> int:
    """Close one segment that nobody writes any more; returns how many bytes of a torn write were cut. Raises OSError.

    Only its tail may be cut: the bytes after the last whole frame, which nobody was told are safe; the file as it was
    found is kept beside it until it is loaded. What is read here was written, but perhaps never synced, or a sync of it
    failed: so it is written anew before anybody counts it. An id that is remembered for a frame which a power loss then
    takes would have the client's retry left out, too (found by the model test).
    """
    name = path.name.removesuffix(OPEN)
    data = disk.read(path)
    if not data:
        disk.unlink(path.with_name(name + BROKEN))  # of an earlier try that ended between the copy and the cut
        disk.unlink(path)
        disk.sync_folder(path.parent)
        return 0
    whole = events = 0
    for found in frames(name, data):
        if isinstance(found, Frame):
            whole, events = found.end, found.after
    if torn := len(data) - whole:
        disk.write_durably(path.with_name(name + BROKEN), data)
    disk.write_durably(path, data[:whole])
    close(disk, path, events)
    return torn


def close(disk: Disk, path: Path, events: int) -> None:
    """Close a segment all of which is durable, with so many events: it is the loader's now. Raises OSError."""
    disk.rename(path, closed_path(path.parent, path.name.removesuffix(OPEN), events))
    disk.sync_folder(path.parent)


def _segment(folder: Path, file: str) -> Segment | None:
    matched = _FILE.fullmatch(file)
    if matched is None or (matched[6] is None) != (matched[7] == OPEN):
        return None
    return Segment(
        path=folder / file,
        name=matched[1],
        node=int(matched[2], 16),
        worker=int(matched[3]),
        epoch=int(matched[4]),
        sequence=int(matched[5]),
        events=None if matched[6] is None else int(matched[6]),
    )
