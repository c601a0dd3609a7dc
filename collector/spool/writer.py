"""Makes events durable: group commit with one fdatasync, and only then the answer.

The event loop hands over whole groups: what arrived while the disk was busy, and until the loop has nothing else to do,
is the next group. One thread named "spool" owns the files (appender.py). A group that cannot be made durable is
answered 503, or not at all where the disk does not say whether it was. While there is no room, or more waits than the
disk keeps up with, `accepting` is false: then the door answers 503 before it has read anything.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson

from collector.catalogue.layout import Layout
from collector.disk import Disk
from collector.errors import InDoubt, Unavailable
from collector.event import Event
from collector.log import log, place_of
from collector.spool.appender import Appender
from collector.spool.frame import Record, record_of
from collector.spool.room import LOOK_EVERY_S, Room
from collector.spool.segment import LAYOUT

MAX_GATHERED = 128  # events: some 8 ms of requests on one core
MAX_FRAME_EVENTS = 5_000  # at most 3 MB: far below what a reader takes (frame.py)
# A loop that never waits lets go of the interpreter between callbacks and has it back before the thread awakes. Only a
# callback longer than this makes it change hands; at Python's 5 ms a group waited for seconds (measured).
SWITCH_S = 1e-4
MAX_WAITING = 50_000  # events in memory while the disk is slow; more are answered 503

Marked = tuple[Event, int]


class _Appended(NamedTuple):
    """The events of one request, which become durable together, and who waits for that."""

    records: list[Record]
    done: asyncio.Future[None]


class SpoolWriter:
    """One worker's end of the spool. Made and used in one event loop, in a folder this process owns."""

    def __init__(self, appender: Appender, room: Room, observe: Callable[[float], None]) -> None:
        self._appender = appender
        self._room = room
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Appended] = deque()
        self._gathered = 0
        self._committing = False
        self._groups: queue.SimpleQueue[list[_Appended] | None] = queue.SimpleQueue()
        self._full = False  # set by the thread alone
        sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    @property
    def accepting(self) -> bool:
        """Whether an append now is likely to become durable; if not, nobody needs to read a body."""
        return not self._full and self._gathered < MAX_WAITING

    def append(self, marked: list[Marked]) -> asyncio.Future[None]:
        """Append events as one: the future is done once all are on disk. None at all: it asks whether there is room.

        It raises Unavailable where none of them counts, InDoubt where the disk does not say.
        """
        future = self._loop.create_future()
        if not self.accepting:
            future.set_exception(Unavailable("the disk is full or does not keep up"))
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
        try:
            self._make_durable()
        except BaseException as error:  # noqa: BLE001 - as when memory is short: whoever waits would wait for ever
            log.critical("the spool's thread failed: this process ends", **place_of(error))
            os._exit(os.EX_SOFTWARE)  # the next one recovers what is on disk

    def _make_durable(self) -> None:
        while True:
            try:
                group = self._groups.get(timeout=LOOK_EVERY_S if self._full else self._appender.seconds_left())
            except queue.Empty:
                self._appender.tend()
                self._full = self._full and self._is_full()
                continue
            if group is None:
                self._appender.rotate()
                return
            error = self._write([record for appended in group for record in appended.records])
            if self._loop.is_closed():  # nobody waits any more
                return
            self._loop.call_soon_threadsafe(self._committed, group, error)

    def _write(self, records: list[Record]) -> Exception | None:
        """Make records durable; what to tell those who wait for them if that failed."""
        if self._is_full():
            return Unavailable("no room is left")
        if not records:  # somebody asks whether there is room
            return None
        started = time.perf_counter()
        try:
            self._room.taken(self._appender.append(records))
        except (Unavailable, InDoubt) as error:
            return error
        self._observe(time.perf_counter() - started)
        return None

    def _is_full(self) -> bool:
        full = not self._room.left()
        if full != self._full:
            log.warning("no room is left: events are refused" if full else "there is room again")
        self._full = full
        return full


def keep_layout(disk: Disk, spool: Path, layouts: dict[str, Layout], digest: str) -> None:
    """Leave beside the segments what their facts are called, so that frames stay readable under later declarations."""
    file = digest + LAYOUT
    if file in disk.names(spool):
        disk.sync_folder(spool)  # another worker's, or one that died, may not be durable yet
    else:
        disk.write_durably(spool / file, orjson.dumps({kind: layout.facts for kind, layout in layouts.items()}))
