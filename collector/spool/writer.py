"""Makes events durable: group commit with one fdatasync, and only then the answer.

The event loop hands over whole groups: what arrived while the disk was busy, and until the loop has nothing else to do,
is the next group. One thread named "spool" owns the files. A write or sync that fails is never tried again: its group
is answered 503, the segment is abandoned where its last whole frame ended, and the next group begins another.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from collector.catalogue.layout import Layout
from collector.durable import sync_folder, write_durably
from collector.errors import Unavailable
from collector.event import Event
from collector.spool.frame import Record, encode, record_of
from collector.spool.reader import LAYOUT
from collector.spool.segment import CLOSED, OPEN

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
MAX_GATHERED = 128  # events: some 8 ms of requests on one core

Marked = tuple[Event, int]


class _Group(NamedTuple):
    records: list[Record]
    waiting: list[asyncio.Future[None]]


class SpoolWriter:
    """One worker's end of the spool. Made and used in one event loop, in a directory this process owns."""

    def __init__(
        self,
        folder: Path,
        *,
        layouts: dict[str, Layout],
        digest: str,
        next_name: Callable[[], str],
        segment_s: float,
        observe: Callable[[float], None],
    ) -> None:
        self._folder = folder
        self._digest = bytes.fromhex(digest)
        self._next_name = next_name
        self._segment_s = segment_s
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._group = _Group([], [])
        self._committing = False
        self._groups: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._file: _OpenSegment | None = None
        _keep_layout(folder.parent, layouts, digest)
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def append(self, marked: list[Marked]) -> asyncio.Future[None]:
        """Append events as one: the future is done once all are on disk, or raises Unavailable and none counts."""
        future = self._loop.create_future()
        records, waiting = self._group
        for event, marks in marked:
            records.append(record_of(event, marks))
        waiting.append(future)
        if not self._committing:
            self._committing = True
            self._loop.call_soon(self._gather, 0)
        return future

    def close(self) -> None:
        """Commit what waits, close the segment and end the thread. Blocks for one commit."""
        if self._group.records:
            self._commit()
        self._groups.put(None)
        self._thread.join()

    def _gather(self, before: int) -> None:
        """Commit as soon as a pass of the loop brings nothing more, or the group is large enough.

        Every group costs two changes of thread: groups twice as large took 12 us off a request at full load (measured),
        and a single event waits for one pass of an idle loop.
        """
        gathered = len(self._group.records)
        if before < gathered < MAX_GATHERED:
            self._loop.call_soon(self._gather, gathered)
        else:
            self._commit()

    def _commit(self) -> None:
        group, self._group = self._group, _Group([], [])
        self._groups.put(group)

    def _committed(self, group: _Group, *, error: bool) -> None:
        for future in group.waiting:
            if not future.done():
                if error:
                    future.set_exception(Unavailable("the spool cannot be written"))
                else:
                    future.set_result(None)
        self._committing = bool(self._group.records)
        if self._committing:
            self._loop.call_soon(self._gather, 0)

    def _run(self) -> None:
        while True:
            try:
                group = self._groups.get(timeout=self._file.seconds_left() if self._file else None)
            except queue.Empty:
                self._rotate()
                continue
            if group is None:
                self._rotate()
                return
            error = self._write(group.records)
            self._loop.call_soon_threadsafe(partial(self._committed, group, error=error))
            if self._file and (self._file.seconds_left() <= 0 or self._file.size >= MAX_SEGMENT_BYTES):
                self._rotate()

    def _write(self, records: list[Record]) -> bool:
        started = time.perf_counter()
        try:
            if self._file is None:
                self._file = _OpenSegment(self._folder, self._next_name(), self._segment_s)
            self._file.append(self._digest, records)
        except OSError:
            self._rotate()
            return True
        self._observe(time.perf_counter() - started)
        return False

    def _rotate(self) -> None:
        if self._file is None:
            return
        with suppress(OSError):  # it stays open on disk and is recovered at the next start, its frames safe until then
            self._file.close()
        self._file = None


class _OpenSegment:
    """The segment being written. Every append is durable when it returns."""

    def __init__(self, folder: Path, name: str, seconds: float) -> None:
        self.name = name
        self.size = 0
        self._path = folder / (name + OPEN)
        self._sequence = 0
        self._close_at = time.monotonic() + seconds
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        sync_folder(folder)

    def seconds_left(self) -> float:
        return max(0.0, self._close_at - time.monotonic())

    def append(self, digest: bytes, records: list[Record]) -> None:
        frame = encode(self.name, self._sequence, digest, records)
        if os.write(self._fd, frame) != len(frame):
            raise OSError("short write")
        os.fdatasync(self._fd)
        self.size += len(frame)
        self._sequence += 1

    def close(self) -> None:
        """End the segment after its last whole frame and hand it to the loader."""
        try:
            os.ftruncate(self._fd, self.size)
        finally:
            os.close(self._fd)
        self._path.rename(self._path.with_suffix(CLOSED))
        sync_folder(self._path.parent)


def _keep_layout(spool: Path, layouts: dict[str, Layout], digest: str) -> None:
    """Leave beside the segments what their facts are called, so that frames stay readable under later declarations."""
    path = spool / (digest + LAYOUT)
    if not path.exists():
        write_durably(path, orjson.dumps({kind: layout.facts for kind, layout in layouts.items()}))
