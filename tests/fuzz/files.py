"""What is read off a disk that may have rotted: frames of segments, files of batches.

An input says how a good file is changed (or is the file itself): what is read back is what was written, or less, or
refused; never anything else, never twice, and never more bytes than the file has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from collector.cell import CellKey, Counters
from collector.disk import DISK, Disk
from collector.errors import Corrupt
from collector.spool.frame import Frame, encode, frames, record_of, told
from collector.spool.reader import Record, SpoolReader
from collector.spool.segment import Segment, closed_path, segments, worker_folder
from collector.spool.writer import keep_layout
from collector.warehouse.batch import freeze, read_frozen
from tests.fuzz.target import Target, Try
from tests.spooling import DECLARATIONS, DIGEST, NAME, event

_GROUPS = (2, 1, 4, 1)
EVENTS = sum(_GROUPS)
FILE = Path("any.batches")
_RAW = 0xFF  # an input that begins so is the file itself


class Bytes(Disk):
    """A disk with one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, path: Path, start: int = 0, length: int | None = None) -> bytes:
        return self.data[start:] if length is None else self.data[start : start + length]


def changed(good: bytes, program: bytes) -> bytes:
    """A file after what the program does to it: runs of (what, where, how much) in four bytes each."""
    if program[:1] == bytes((_RAW,)):
        return program[1:]
    data = bytearray(good)
    for place in range(0, len(program) - 3, 4):
        what, value = program[place] % 5, program[place + 3]
        at = int.from_bytes(program[place + 1 : place + 3], "little") % (len(data) + 1)
        match what:
            case 0 if at < len(data):
                data[at] ^= value
            case 1:
                del data[at : at + value]
            case 2:
                data[at:at] = data[at : at + value]
            case 3:
                del data[at:]
            case 4:
                other = int.from_bytes(program[place + 2 : place + 4], "little") % (len(good) + 1)
                data[at:at] = good[other:]
    return bytes(data[: 8 * len(good)])


@cache
def _segment() -> bytes:
    groups = []
    before = 0
    for size in _GROUPS:
        records = [record_of(event(f"/{before + number}"), number) for number in range(size)]
        groups.append(encode(NAME, before, DIGEST, records))
        before += size
    return b"".join(groups)


@cache
def _batches() -> bytes:
    with TemporaryDirectory() as folder:
        keys = [CellKey("pages", "www.example.org", 1_795_305_600 + 86_400 * n, (f"/{n}",), 1) for n in range(3)]
        days = {key.bucket // 86_400: {key: Counters(1, 2, 3, 4, 5)} for key in keys}
        frozen = freeze(
            DISK, Path(folder), node=7, segments=[NAME, f"{NAME}0"], days=days, events=dict.fromkeys(days, 1)
        )
        return frozen.path.read_bytes()


@contextmanager
def _frames() -> Iterator[Try]:
    good = [found for found in frames(NAME, _segment()) if isinstance(found, Frame)]
    written = {(frame.first, frame.events, frame.digest, frame.payload) for frame in good}
    with TemporaryDirectory() as folder:
        spool = Path(folder)
        worker_folder(spool, 0).mkdir()
        keep_layout(DISK, spool, DECLARATIONS.layouts, DECLARATIONS.digest)
        path = closed_path(worker_folder(spool, 0), NAME, EVENTS)
        path.write_bytes(_segment())
        (segment,) = segments(DISK, spool)
        everything = Counter(_reader(spool, _segment()).read(segment).records)
        assert everything.total() == EVENTS

        def try_it(data: bytes) -> None:
            file = changed(_segment(), data)
            at = 0
            for found in frames(NAME, file):
                if isinstance(found, int):
                    assert found > 0
                    at += found
                else:
                    assert (found.first, found.events, found.digest, found.payload) in written, "a changed frame passed"
                    at = found.end
            assert at == len(file)
            told(file[:32])
            _assert_counted(spool, segment, file, everything)

        yield try_it


def _assert_counted(spool: Path, segment: Segment, file: bytes, everything: Counter[Record]) -> None:
    contents = _reader(spool, file).read(segment)
    assert not Counter(contents.records) - everything, "an event was read twice"
    assert contents.lost >= 0
    assert len(contents.records) + contents.lost + contents.dropped == EVENTS, "events are neither read nor known lost"


def _reader(spool: Path, file: bytes) -> SpoolReader:
    return SpoolReader(Bytes(file), spool, DECLARATIONS.layouts, DECLARATIONS.digest)


@contextmanager
def _frozen() -> Iterator[Try]:
    good = read_frozen(Bytes(_batches()), FILE)
    said = good.segments, [_told(batch) for batch in good.batches]
    bodies = [batch.body() for batch in good.batches]

    def try_it(data: bytes) -> None:
        file = changed(_batches(), data)
        try:
            frozen = read_frozen(Bytes(file), FILE)
        except Corrupt:
            return
        assert (frozen.segments, [_told(batch) for batch in frozen.batches]) == said, "a changed header passed"
        for batch, body in zip(frozen.batches, bodies, strict=True):
            try:
                assert batch.body() == body, "a changed body passed"
            except Corrupt:
                continue

    yield try_it


def _told(batch: object) -> list[object]:
    return [
        getattr(batch, name) for name in ("name", "table", "node", "day", "events", "rows", "offset", "length", "crc")
    ]


def _programs(good: bytes) -> Iterator[bytes]:
    yield b""
    for what in range(5):
        for at in range(0, len(good), max(1, len(good) // 12)):
            yield bytes((what, *at.to_bytes(2, "little"), 1))
            yield bytes((what, *at.to_bytes(2, "little"), 64)) * 2
    yield bytes((_RAW,)) + good


TARGETS = (
    Target(name="frames", opened=_frames, seeds=lambda: _programs(_segment()), words=(b"CLF2", b"\xff\xff\xff\xff")),
    Target(
        name="batches", opened=_frozen, seeds=lambda: _programs(_batches()), words=(b"COLBATCH", b"\xff\xff\xff\xff")
    ),
)
