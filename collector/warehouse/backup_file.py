"""The file that `collector backup` writes: everything that is sealed, for another machine to answer from.

    0    "COLBACK1"                      the form, and its version
    8    frames and nothing else, each:
           0    kind, u8                 'H', 'I', 'C' or 'E'
           1    length of the head, u32  at most MAX_HEAD_BYTES
           5    length of the body, u32  at most MAX_BODY_BYTES
           9    CRC32C, u32              over bytes 0..8, head and body
           13   head, JSON; then body, zlib

    H    first, once    what it was made of (Header)
    I    at most once   what was imported from logs (DATA/imports/imported.json), so that no log counts twice
    C    any number     {"last_day", "rows", "size_bytes"}; rows of one month, JSONCompactEachRow in the order of the
                        columns: sums of rows of one key, so that merges make no difference
    E    last, once     {"chunks", "rows", "sha256"} over all before it; [[month, node, events, visitors, amount], ...]

Numbers are little-endian. One damaged, missing or added bit is found before anything is inserted (restoring.py), in
bounded memory: a chunk has at most MAX_ROWS rows. Pure but for the stream it reads. backing_up.py writes it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import google_crc32c
import orjson

from collector.errors import Corrupt
from collector.warehouse.tables import COUNTERS, DAY_S, SEALED

MAGIC = b"COLBACK1"
FORM = MAGIC[:-1]
MAX_ROWS = 50_000
MAX_HEAD_BYTES = 1 << 20
MAX_BODY_BYTES = 64 << 20
MAX_SIZE_BYTES = 256 << 20  # of a body, unpacked: MAX_ROWS rows of the longest values are an eighth of it
_START = struct.Struct("<cII")
_CRC = struct.Struct("<I")
_COLUMNS = list(SEALED.columns)
_NODE, _BUCKET = _COLUMNS.index("node"), _COLUMNS.index("bucket")
_SUMMED = [_COLUMNS.index(counter) for counter in COUNTERS if counter in ("events", "visitors", "amount")]

Row = Sequence[Any]
Sums = dict[tuple[int, int], tuple[int, ...]]
"""By month (yyyymm) and node: what the rows' events, visitors and amounts add up to."""


class Stream(Protocol):
    """What a backup is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a backup was made of.

    made          when, UTC
    declarations  digest of the declarations of whoever made it
    columns       of `sealed`: name, type
    reports       the declared ones: name -> dimensions. Rows of others are totals of what is not declared any more
    through       [node, latest sealed day, who sealed it]: no later row of a node is in it
    rows          about how many
    """

    made: str
    declarations: str
    columns: dict[str, str]
    reports: dict[str, list[str]]
    through: list[list[Any]]
    rows: int


class Frame:
    """One frame; `raw` are its bytes."""

    __slots__ = ("body", "head", "kind", "raw")

    def __init__(self, kind: bytes, head: dict[str, Any], body: bytes, raw: bytes) -> None:
        self.kind = kind
        self.head = head
        self.body = body
        self.raw = raw

    def unpacked(self) -> bytes:
        """The body as it was before it was packed; raises Corrupt."""
        return _unpacked(self.body, self.head.get("size_bytes", MAX_SIZE_BYTES))

    def rows(self) -> list[Row]:
        """The rows of a chunk; raises Corrupt if they are not as many, or not of this table."""
        try:
            rows: list[Row] = orjson.loads(b"[%b]" % self.unpacked().replace(b"\n", b","))  # no text holds a line's end
        except ValueError as error:
            raise Corrupt("a row of it cannot be read") from error
        if len(rows) != self.head["rows"] or any(len(row) != len(_COLUMNS) for row in rows):
            raise Corrupt("a chunk of it does not hold what it says")
        return rows


class Writer:
    """Makes the frames of a backup, in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256(MAGIC)
        self._chunks = self._rows = 0
        self.sums: Sums = {}

    def header(self, header: Header) -> bytes:
        """The first bytes of the file."""
        return MAGIC + self._frame(b"H", asdict(header))

    def imported(self, content: bytes) -> bytes:
        """What was imported."""
        return self._frame(b"I", {"size_bytes": len(content)}, content)

    def chunk(self, rows: Sequence[Row]) -> bytes:
        """Rows of one month, at most MAX_ROWS and at least one."""
        body = b"\n".join(map(orjson.dumps, rows))
        self._chunks += 1
        self._rows += len(rows)
        add_up(self.sums, rows)
        last_day = max(row[_BUCKET] for row in rows) // DAY_S
        return self._frame(b"C", {"last_day": last_day, "rows": len(rows), "size_bytes": len(body)}, body)

    def end(self) -> bytes:
        """The last bytes of the file."""
        body = orjson.dumps([[month, node, *sums] for (month, node), sums in sorted(self.sums.items())])
        said = {"chunks": self._chunks, "rows": self._rows, "sha256": self._digest.hexdigest()}
        return self._frame(b"E", said | {"size_bytes": len(body)}, body)

    def _frame(self, kind: bytes, said: dict[str, Any], body: bytes = b"") -> bytes:
        head, packed = orjson.dumps(said), zlib.compress(body) if body else b""
        start = _START.pack(kind, len(head), len(packed))
        frame = b"".join([start, _CRC.pack(google_crc32c.value(start + head + packed)), head, packed])
        self._digest.update(frame)
        return frame


class Reader:
    """Reads a backup from its first byte to its last, and checks all of it on the way.

    `frames` raises Corrupt where it is not whole; only when it has ended is what it told to be believed.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._at = 0
        self._digest = hashlib.sha256()
        self.header: Header | None = None
        self.name = ""  # 16 hex digits of what all of it holds, once it was read
        self.sums: Sums = {}
        self.rows = 0

    def frames(self) -> Iterator[Frame]:
        """Its frames, the last of which ends it."""
        magic = self._take(len(MAGIC))
        if magic != MAGIC:
            newer = "made by a newer version: upgrade first" if magic.startswith(FORM) else "no backup of a collector"
            raise Corrupt(f"it is {newer}")
        self._digest.update(magic)
        sums: Sums = {}
        chunks = 0
        while True:
            frame = self._frame()
            if (self.header is None) != (frame.kind == b"H"):
                raise Corrupt("its frames are not in their order")
            if frame.kind == b"H":
                self.header = _header(frame.head)
            elif frame.kind == b"C":
                rows = frame.rows()
                chunks += 1
                self.rows += len(rows)
                add_up(sums, rows)
            elif frame.kind == b"E":
                self._end(frame, chunks, sums)
                yield frame
                return
            elif frame.kind != b"I":
                raise Corrupt("it has a frame of a kind that is not known")
            self._digest.update(frame.raw)
            yield frame

    def _end(self, frame: Frame, chunks: int, sums: Sums) -> None:
        digest = self._digest.hexdigest()
        said = {(month, node): tuple(told) for month, node, *told in orjson.loads(frame.unpacked())}
        found = {"chunks": chunks, "rows": self.rows, "sha256": digest}
        if found != {name: frame.head.get(name) for name in found} or said != sums:
            raise Corrupt("it does not hold what its end says")
        if self._stream.read(1):
            raise Corrupt("something stands after its end")
        self.sums, self.name = said, digest[:16]

    def _frame(self) -> Frame:
        start = self._take(_START.size)
        kind, head_bytes, body_bytes = _START.unpack(start)
        if head_bytes > MAX_HEAD_BYTES or body_bytes > MAX_BODY_BYTES:
            raise Corrupt(f"it is damaged at byte {self._at}")
        crc, head, body = self._take(_CRC.size), self._take(head_bytes), self._take(body_bytes)
        if google_crc32c.value(start + head + body) != _CRC.unpack(crc)[0]:
            raise Corrupt(f"it is damaged before byte {self._at}")
        try:
            return Frame(kind, orjson.loads(head), body, start + crc + head + body)
        except ValueError as error:
            raise Corrupt(f"it is damaged before byte {self._at}") from error

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            if not (more := self._stream.read(size - len(taken))):
                raise Corrupt(f"it is cut short at byte {self._at + len(taken)}")
            taken += more
        self._at += size
        return bytes(taken)


def add_up(sums: Sums, rows: Sequence[Row]) -> None:
    """Add the rows of a chunk, which are of one month, to what there is by month and node; raises Corrupt."""
    buckets = [row[_BUCKET] for row in rows]
    month = month_of(min(buckets) // DAY_S)
    if month != month_of(max(buckets) // DAY_S):
        raise Corrupt("a chunk of it is of several months")
    for node, group in groupby(rows, key=itemgetter(_NODE)):  # they come in the order of nodes
        of_node = list(group)
        before = sums.get((month, node), (0,) * len(_SUMMED))
        added = (sum(map(itemgetter(column), of_node)) for column in _SUMMED)
        sums[month, node] = tuple(map(int.__add__, before, added))


def month_of(day: int) -> int:
    """The month of a day, as 202611: a partition of `sealed`."""
    at = datetime.fromtimestamp(day * DAY_S, UTC)
    return at.year * 100 + at.month


def _header(said: dict[str, Any]) -> Header:
    try:
        return Header(**said)
    except TypeError as error:
        raise Corrupt("its header is not one of this version") from error


def _unpacked(body: bytes, size_bytes: int) -> bytes:
    """At most MAX_SIZE_BYTES, and exactly as many as were packed."""
    if not body:
        return b""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(body, min(size_bytes, MAX_SIZE_BYTES) + 1)
    except zlib.error as error:
        raise Corrupt("a chunk of it cannot be unpacked") from error
    if len(found) != size_bytes or not inflater.eof or inflater.unused_data:
        raise Corrupt("a chunk of it is not as long as it says")
    return found
