"""Reads segments back: the loader's half of the spool.

Frames made under other declarations are put into today's order by name, without their marks: events and amounts stay
exact, whoever was new is not known any more.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from collector.catalogue.layout import Layout
from collector.disk import Disk
from collector.event import Event
from collector.spool.frame import HEADER, Frame, frames, told
from collector.spool.segment import LAYOUT, Segment, recover, segments, worker_folder, worker_folders, worker_of


class Record(NamedTuple):
    """One spooled event and its marks, three bits per line of its kind's layout; 0 where they cannot be known."""

    event: Event
    marks: int


class Contents(NamedTuple):
    """What a segment holds.

    lost     events of frames that are not whole any more
    dropped  events of kinds that are no longer declared
    """

    records: list[Record]
    lost: int
    dropped: int

    @property
    def uncounted(self) -> int:
        """Events that were accepted and cannot be counted."""
        return self.lost + self.dropped


class SpoolReader:
    """Finds and reads the segments that may be loaded."""

    def __init__(self, disk: Disk, spool: Path, layouts: dict[str, Layout], digest: str) -> None:
        self.disk = disk
        self.layouts = layouts
        self._spool = spool
        self._digest = digest
        self._walked: dict[Path, tuple[int, int]] = {}

    def settle(self) -> None:
        """Close what dead workers left open. A folder whose worker lives is passed over: it settles its own."""
        for folder in worker_folders(self.disk, self._spool):
            with self.disk.owned(folder, wait=False) as free:
                if free:
                    recover(self.disk, folder)

    def segments(self) -> list[Segment]:
        """The segments there are, open ones too, oldest first within their worker."""
        return segments(self.disk, self._spool)

    def read(self, segment: Segment) -> Contents:
        """Everything in a closed segment that is whole. A torn tail that could not be cut was never acknowledged."""
        return self._contents(segment.path, segment.name, segment.events or 0)

    def uncounted_in(self, path: Path, name: str, events: int) -> tuple[int, int]:
        """Of a copy of a segment that held so many events: how many are damaged, and of a kind not declared today.

        Raises OSError, ValueError or LookupError if it cannot be read.
        """
        contents = self._contents(path, name, events)
        return contents.lost, contents.dropped

    def delete(self, names: Iterable[str]) -> None:
        """Have the closed segments of these names gone, with what torn writes left of them; durably when this returns.

        Also where an earlier call removed them, and failed before that was durable: a crash could bring them back.
        Raises BlockingIOError while one of them is open: a crash took the rename that closed it. Its worker will close
        it anew, and then it would look new if nobody spoke for it any more.
        """
        gone = set(names)
        there = [segment for segment in self.segments() if segment.name in gone]
        if not all(segment.closed for segment in there):
            raise BlockingIOError(errno.EAGAIN, "a segment is to be closed anew before it can go")
        for segment in there:
            self.disk.unlink(segment.broken)
            self.disk.unlink(segment.path)
        touched = {worker_folder(self._spool, worker_of(name)) for name in gone}
        for folder in worker_folders(self.disk, self._spool):
            if folder in touched:
                self.disk.sync_folder(folder)

    def _contents(self, path: Path, name: str, events: int) -> Contents:
        records: list[Record] = []
        dropped = lost = after = 0
        for found in frames(name, self.disk.read(path)):
            if isinstance(found, int):
                continue
            lost += found.first - after
            after = found.after
            read = self._records(found)
            records += [record for record in read if record]
            dropped += sum(record is None for record in read)
        return Contents(records, lost + events - after, dropped)

    def waiting(self, held: set[str]) -> tuple[int, int]:
        """How many segments there are beside those of these names, and how many events they hold. Raises OSError."""
        found = self.segments()
        still_open = {segment.path for segment in found if not segment.closed}
        self._walked = {path: walked for path, walked in self._walked.items() if path in still_open}
        waiting = [segment for segment in found if segment.name not in held]
        return len(waiting), sum(map(self.events_in, waiting))

    def events_in(self, segment: Segment) -> int:
        """How many events a segment holds; of an open one as far as its headers are written, unchecked."""
        if segment.events is not None:
            return segment.events
        at, events = self._walked.get(segment.path, (0, 0))
        while said := told(self.disk.read(segment.path, at, HEADER.size)):
            at, events = at + said[0], said[1]
        self._walked[segment.path] = at, events
        return events

    def _records(self, frame: Frame) -> list[Record | None]:
        rows: list[list[Any]] = orjson.loads(frame.payload)
        if frame.digest == self._digest:
            return [
                Record(Event(kind, property_id, hour, tuple(facts), *id_), marks)
                for kind, property_id, hour, facts, marks, *id_ in rows
            ]
        names: dict[str, list[str]] = orjson.loads(self.disk.read(self._spool / (frame.digest + LAYOUT)))
        return [self._remapped(row, names) for row in rows]

    def _remapped(self, row: list[Any], names: dict[str, list[str]]) -> Record | None:
        kind, property_id, hour, facts, _, *id_ = row
        layout = self.layouts.get(kind)
        if layout is None:
            return None
        return Record(Event(kind, property_id, hour, layout.remap(names[kind], facts), *id_), 0)
