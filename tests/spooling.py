"""A worker's folder of the spool, a writer for it, and what a reader finds there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from collector.catalogue.declarations import read_declarations
from collector.disk import DISK, Disk
from collector.event import Event, Fact
from collector.spool.appender import MAX_SEGMENT_BYTES, Appender
from collector.spool.reader import Contents, SpoolReader
from collector.spool.room import Room
from collector.spool.segment import Life, segment_name, segments, worker_folder
from collector.spool.writer import SpoolWriter, keep_layout

DECLARATIONS = read_declarations()
DIGEST = bytes.fromhex(DECLARATIONS.digest)
LIFE = Life(0xABCDEF, 1)
NAME = segment_name(LIFE, 0, 1)
HOUR = 498_700
QUOTA_BYTES = 1 << 40


def event(path: str, event_id: str | None = None) -> Event:
    """A page hit of that path."""
    facts: tuple[Fact, ...] = (True, path, "(direct)", *("(unknown)",) * 3, "DE", "linux", "desktop", "firefox", "de")
    return Event("page_hit", "www.example.org", HOUR, facts, event_id)


def new_appender(
    spool: Path,
    *,
    disk: Disk = DISK,
    segment_s: float = 60,
    segment_bytes: int = MAX_SEGMENT_BYTES,
    next_name: Callable[[], str] | None = None,
) -> Appender:
    """An appender of worker 0; its segments are numbered from 1."""
    folder = worker_folder(spool, 0)
    folder.mkdir(exist_ok=True)
    numbers = count(1)
    return Appender(
        disk,
        folder,
        digest=DECLARATIONS.digest,
        next_name=next_name or (lambda: segment_name(LIFE, 0, next(numbers))),
        segment_s=segment_s,
        segment_bytes=segment_bytes,
    )


def new_writer(spool: Path, *, disk: Disk = DISK, segment_s: float = 60, quota_bytes: int = QUOTA_BYTES) -> SpoolWriter:
    """A writer of worker 0."""
    keep_layout(disk, spool, DECLARATIONS.layouts, DECLARATIONS.digest)
    appender = new_appender(spool, disk=disk, segment_s=segment_s)
    return SpoolWriter(appender, Room(disk, spool, spool.parent / "frozen", quota_bytes), lambda _seconds: None)


def new_reader(spool: Path) -> SpoolReader:
    """A reader under today's declarations."""
    return SpoolReader(DISK, spool, DECLARATIONS.layouts, DECLARATIONS.digest)


def contents(spool: Path) -> list[Contents]:
    """What the closed segments hold, oldest first."""
    reader = new_reader(spool)
    return [reader.read(segment) for segment in segments(DISK, spool) if segment.closed]


def paths(spool: Path) -> list[str]:
    """The path of every event in closed segments, in order."""
    return [str(record.event.facts[1]) for each in contents(spool) for record in each.records]


def events_kept(spool: Path) -> list[Event]:
    """The events of the closed segments, oldest first."""
    return [record.event for each in contents(spool) for record in each.records]


def named_facts(event: Event) -> dict[str, Fact]:
    """What an event says, by name."""
    return dict(zip(DECLARATIONS.layouts[event.kind].facts, event.facts, strict=True))
