"""One worker's segments, written one after the other: the synchronous half of the spool. One thread uses it.

    append -> in the open segment, durable -> ... -> rotate -> closed, the loader's

A write or sync that fails is never tried again. The segment is cut where its last whole frame ended and given up, and
the next append begins another. Where even the cut fails nobody knows whether the group is on disk: InDoubt. Segments
that were given up, or could not be recovered at the start, are closed as after a crash (segment.recover_one): now, or
by one of the next calls, of which `tend` comes while nothing else does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from collector.disk import Disk
from collector.errors import InDoubt, Unavailable
from collector.log import log, place_of
from collector.spool.frame import Record, encode
from collector.spool.segment import OPEN, close, recover_one

MAX_SEGMENT_BYTES = 64 * 1024 * 1024
TRY_AGAIN_S = 1.0


class Appender:
    """Writes the segments of one folder, which this process owns."""

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        *,
        digest: str,
        next_name: Callable[[], str],
        segment_s: float,
        segment_bytes: int = MAX_SEGMENT_BYTES,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._digest = bytes.fromhex(digest)
        self._next_name = next_name
        self._segment_s = segment_s
        self._segment_bytes = segment_bytes
        self._open: _OpenSegment | None = None
        self._given_up = [_GivenUp(folder / name, None) for name in disk.names(folder) if name.endswith(OPEN)]

    def append(self, records: list[Record]) -> int:
        """Make records durable, all or none; how many bytes that took.

        Raises Unavailable if none of them will count, InDoubt if that is not known.
        """
        try:
            if self._open is None:
                self._tidy()
                self._open = self._begin()
            size_bytes = self._open.append(self._digest, records)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are answered and the thread goes on
            log.error("the spool cannot be written", **place_of(error))
            raise self._failed() from None
        if self._open.size_bytes >= self._segment_bytes or not self._open.seconds_left():
            self.rotate()
        return size_bytes

    def seconds_left(self) -> float | None:
        """Until something is due while nothing comes (tend); None if nothing is."""
        return self._open.seconds_left() if self._open else TRY_AGAIN_S if self._given_up else None

    def tend(self) -> None:
        """Close a segment whose time is over, and what was given up, if the disk lets us now."""
        if self._open and not self._open.seconds_left():
            self.rotate()
        self._tidy()

    def rotate(self) -> None:
        """Close the open segment, if there is one: from here on it is the loader's."""
        segment, self._open = self._open, None
        if segment is None:
            return
        try:
            segment.close()
        except OSError as error:
            log.error("a segment cannot be closed now", segment=segment.name, **place_of(error))
            self._given_up.append(_GivenUp(segment.path, segment.events))
        self._tidy()

    def _begin(self) -> _OpenSegment:
        name = self._next_name()
        path = self._folder / (name + OPEN)
        fd = self._disk.create(path)
        try:
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(fd)
            self._given_up.append(_GivenUp(path, None))
            raise
        return _OpenSegment(self._disk, path, name, fd, time.monotonic() + self._segment_s)

    def _failed(self) -> Unavailable | InDoubt:
        """Give the open segment up; what to tell those whose records failed."""
        segment, self._open = self._open, None
        if segment is None:
            return Unavailable("the spool cannot be written")
        cut = segment.cut()
        segment.leave()
        self._given_up.append(_GivenUp(segment.path, segment.events if cut and segment.events else None))
        self._tidy()
        return Unavailable("the spool cannot be written") if cut else InDoubt("what was written may come back")

    def _tidy(self) -> None:
        """Close what was given up, if the disk lets us now. One that cannot be closed has to let others go first."""
        while self._given_up:
            given_up = self._given_up.pop()
            try:
                if given_up.events is None:
                    recover_one(self._disk, given_up.path)
                else:
                    close(self._disk, given_up.path, given_up.events)
            except FileNotFoundError:  # the rename before was done, and only its sync failed
                pass
            except OSError:
                self._given_up.insert(0, given_up)
                return


class _GivenUp(NamedTuple):
    """A segment that is still to be closed; so many `events` are durable in it and nothing else, None if not known."""

    path: Path
    events: int | None


class _OpenSegment:
    """The segment being written. Every append is durable when it returns."""

    def __init__(self, disk: Disk, path: Path, name: str, fd: int, close_at_s: float) -> None:
        self.path = path
        self.name = name
        self.size_bytes = 0
        self.events = 0
        self._disk = disk
        self._fd = fd
        self._close_at_s = close_at_s

    def seconds_left(self) -> float:
        return max(0.0, self._close_at_s - time.monotonic())

    def append(self, digest: bytes, records: list[Record]) -> int:
        frame = encode(self.name, self.events, digest, records)
        self._disk.append(self._fd, frame)
        self._disk.sync(self._fd)
        self.size_bytes += len(frame)
        self.events += len(records)
        return len(frame)

    def cut(self) -> bool:
        """Take away what a failed append left behind; whether that is sure."""
        try:
            self._disk.truncate(self._fd, self.size_bytes)
            self._disk.sync(self._fd)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hand the segment to the loader; raises OSError if it may be found open after a crash."""
        self.leave()
        close(self._disk, self.path, self.events)

    def leave(self) -> None:
        """Write no more; the file stays as it is."""
        with suppress(OSError):
            self._disk.close(self._fd)
