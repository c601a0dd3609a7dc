"""Makes events durable: group commit with one fdatasync, and only then the answer.

The event loop hands over whole groups: what arrived while the disk was busy, and until the loop has nothing else to do,
is the next group. One thread named "spool" owns the files. A write or sync that fails is never tried again: the segment
is cut where its last whole frame ended and closed, its group is answered 503, and the next group begins another. Where
even the cut fails nobody knows whether the group is on disk: then its connections are closed without an answer.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from collector.catalogue.layout import Layout
from collector.durable import sync_folder, write_durably
from collector.errors import InDoubt, Unavailable
from collector.event import Event
from collector.log import log, place_of
from collector.spool.frame import Record, encode, record_of
from collector.spool.reader import LAYOUT
from collector.spool.segment import CLOSED, OPEN

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
MAX_GATHERED = 128  # events: some 8 ms of requests on one core
MAX_FRAME_EVENTS = 5_000  # at most 3 MB: far below what a reader takes (frame.py)
MAX_WAITING = 50_000  # events in memory while the disk is slow; more are answered 503

Marked = tuple[Event, int]


class _Appended(NamedTuple):
    """The events of one request, which become durable together, and who waits for that."""

    records: list[Record]
    done: asyncio.Future[None]


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
        self._waiting: deque[_Appended] = deque()
        self._gathered = 0
        self._committing = False
        self._groups: queue.SimpleQueue[list[_Appended] | None] = queue.SimpleQueue()
        self._file: _OpenSegment | None = None
        _keep_layout(folder.parent, layouts, digest)
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def append(self, marked: list[Marked]) -> asyncio.Future[None]:
        """Append events as one: the future is done once all are on disk.

        It raises Unavailable where none of them counts, InDoubt where the disk does not say.
        """
        future = self._loop.create_future()
        if self._gathered >= MAX_WAITING:
            future.set_exception(Unavailable("the disk does not keep up"))
            return future
        self._waiting.append(_Appended([record_of(event, marks) for event, marks in marked], future))
        self._gathered += len(marked)
        if not self._committing:
            self._committing = True
            self._loop.call_soon(self._gather, 0)
        return future

    def close(self) -> None:
        """Commit what waits, close the segment and end the thread. Blocks for the last commits."""
        while self._waiting:
            self._commit()
        self._groups.put(None)
        self._thread.join()

    def _gather(self, before: int) -> None:
        """Commit as soon as a pass of the loop brings nothing more, or the group is large enough.

        Every group costs two changes of thread: groups twice as large took 12 us off a request at full load (measured),
        and a single event waits for one pass of an idle loop.
        """
        if before < self._gathered < MAX_GATHERED:
            self._loop.call_soon(self._gather, self._gathered)
        else:
            self._commit()

    def _commit(self) -> None:
        """Hand over what waits, whole requests, at most one frame full; the rest is the next group."""
        group: list[_Appended] = []
        events = 0
        while self._waiting and events < MAX_FRAME_EVENTS:
            group.append(self._waiting.popleft())
            events += len(group[-1].records)
        self._gathered -= events
        self._groups.put(group)

    def _committed(self, group: list[_Appended], error: Exception | None) -> None:
        for appended in group:
            if not appended.done.done():
                if error:
                    appended.done.set_exception(error)
                else:
                    appended.done.set_result(None)
        self._committing = bool(self._waiting)
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
            error = self._write([record for appended in group for record in appended.records])
            self._loop.call_soon_threadsafe(self._committed, group, error)
            if self._file and (self._file.seconds_left() <= 0 or self._file.size >= MAX_SEGMENT_BYTES):
                self._rotate()

    def _write(self, records: list[Record]) -> Exception | None:
        """Make records durable; what to tell those who wait for them if that failed."""
        started = time.perf_counter()
        try:
            if self._file is None:
                self._file = _OpenSegment(self._folder, self._next_name(), self._segment_s)
            self._file.append(self._digest, records)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are answered and the thread goes on
            log.error("the spool cannot be written", **place_of(error))
            return self._abandon()
        self._observe(time.perf_counter() - started)
        return None

    def _abandon(self) -> Exception:
        """Give a segment up after a failed write: only if its unacknowledged end is gone, nothing was counted."""
        file, self._file = self._file, None
        if file is None:
            return Unavailable("the spool cannot be written")
        try:
            file.cut()
        except OSError:
            file.leave()
            return InDoubt("what was written may come back")
        with suppress(OSError):  # it stays open on disk and is recovered at the next start
            file.close()
        return Unavailable("the spool cannot be written")

    def _rotate(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # the same
                file.close()


class _OpenSegment:
    """The segment being written. Every append is durable when it returns."""

    def __init__(self, folder: Path, name: str, seconds: float) -> None:
        self.name = name
        self.size = 0
        self._path = folder / (name + OPEN)
        self._sequence = 0
        self._close_at = time.monotonic() + seconds
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            sync_folder(folder)
        except OSError:
            self.leave()
            self._path.unlink(missing_ok=True)
            raise

    def seconds_left(self) -> float:
        return max(0.0, self._close_at - time.monotonic())

    def append(self, digest: bytes, records: list[Record]) -> None:
        frame = encode(self.name, self._sequence, digest, records)
        if os.write(self._fd, frame) != len(frame):
            raise OSError("short write")
        os.fdatasync(self._fd)
        self.size += len(frame)
        self._sequence += 1

    def cut(self) -> None:
        """Take away what a failed append left behind; raises OSError if that cannot be made sure."""
        os.ftruncate(self._fd, self.size)
        os.fsync(self._fd)

    def close(self) -> None:
        """Hand the segment to the loader."""
        self.leave()
        self._path.rename(self._path.with_suffix(CLOSED))
        sync_folder(self._path.parent)

    def leave(self) -> None:
        """Write no more; the file stays as it is."""
        os.close(self._fd)


def _keep_layout(spool: Path, layouts: dict[str, Layout], digest: str) -> None:
    """Leave beside the segments what their facts are called, so that frames stay readable under later declarations."""
    path = spool / (digest + LAYOUT)
    if not path.exists():
        write_durably(path, orjson.dumps({kind: layout.facts for kind, layout in layouts.items()}))
