"""The log files of one import: what they hold, how far they were imported before, and their lines merged by time.

Rotated logs split days, so all files of an import are read as one. A file is known by what it holds, not by its name or
compression (access.log.1 becomes access.log.2.gz): SHA-256 of its bytes, unpacked. One that begins with what was
imported before, and grew, is read from there on. Called by run.py.
"""

from __future__ import annotations

import gzip
import heapq
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from collector.errors import Misconfigured
from collector.tools.import_log.lines import MAX_LINE_BYTES, Line, Lines

_GZIP = b"\x1f\x8b"
_BLOCK_BYTES = 1 << 20


class Content(NamedTuple):
    """The first bytes of a file, unpacked: how many, and their SHA-256 in hex."""

    size_bytes: int
    digest: str


class Log(NamedTuple):
    """A file to be read: all it holds, and from which of its bytes on."""

    path: Path
    content: Content
    begin: int


class Read(NamedTuple):
    """A line, or None for one that cannot be read; which file it is of, and from where to where it lies there.

    at  seconds since 1970 by which files are merged: the line's, or that of the one before it
    """

    at: int
    file: int
    begin: int
    end: int
    line: Line | None


def measured(path: Path, imported: Collection[Content]) -> Log:
    """What a file holds, to be read after what of it was imported before. Raises Misconfigured."""
    marks = sorted({content.size_bytes for content in imported})
    seen = sha256()
    size = begin = 0
    with _opened(path) as stream:
        while block := stream.read(min(_BLOCK_BYTES, marks[0] - size) if marks else _BLOCK_BYTES):
            seen.update(block)
            size += len(block)
            if marks and size == marks[0] and Content(marks.pop(0), seen.hexdigest()) in imported:
                begin = size
    return Log(path, Content(size, seen.hexdigest()), begin)


def content_of(log: Log, size_bytes: int) -> Content:
    """The first bytes of a log. Raises Misconfigured."""
    if size_bytes == log.content.size_bytes:
        return log.content
    seen = sha256()
    left = size_bytes
    with _opened(log.path) as stream:
        while left and (block := stream.read(min(_BLOCK_BYTES, left))):
            seen.update(block)
            left -= len(block)
    return Content(size_bytes, seen.hexdigest())


def merged(logs: Sequence[Log], places: Sequence[int]) -> Iterator[Read]:
    """Every line of these files from these places on, by time as far as each file is. Raises Misconfigured."""
    reader = Lines()
    files = [_lines(number, log, place, reader) for number, (log, place) in enumerate(zip(logs, places, strict=True))]
    return heapq.merge(*files, key=_time)


def _time(read: Read) -> int:
    return read.at


def _lines(number: int, log: Log, begin: int, reader: Lines) -> Iterator[Read]:
    """The lines of one file; one that is too long is one that cannot be read. Nothing written since is looked at."""
    at = 0
    with _opened(log.path) as stream:
        stream.seek(begin)
        while begin < log.content.size_bytes and (text := stream.readline(MAX_LINE_BYTES)):
            end = begin + len(text)
            line = reader.read(text)
            if len(text) == MAX_LINE_BYTES and not text.endswith(b"\n"):
                line = None
                while (more := stream.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
                    end += len(more)
                end += len(more)
            at = line.at if line else at
            yield Read(at, number, begin, end, line)
            begin = end


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file, unpacked, for the block; what is wrong with it is said in a sentence."""
    try:
        with path.open("rb") as raw:
            if raw.peek(len(_GZIP)).startswith(_GZIP):
                with gzip.open(raw) as stream:
                    yield cast("BinaryIO", stream)
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Misconfigured(f"{path}: is no whole gzip file") from error
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from error
