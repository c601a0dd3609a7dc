"""Batches of rows, frozen to a file before the first attempt to insert them: DATA/frozen/<first segment>.batches.

    0    "COLBATCH"
    8    version, u16                     1
    10   length of the header, u32        at most MAX_HEADER_BYTES
    14   CRC32C, u32                      over bytes 0..13 and the header
    18   header, JSON: {"node", "table", "segments": [name, ...], "batches": [batch, ...]}
                 batch: {"name", "day", "events", "rows", "length", "crc"}
    ...  one body per batch, in that order: JSONCompactEachRow, its last line the marker row; crc is its CRC32C

All numbers little-endian; day = days since 1970-01-01. A batch is one day's share of the cells of some segments, of at
most MAX_ROWS rows; its name, <first segment>.<yyyymmdd>[.<n>], follows from the segments alone. All days lie in one
file, so one rename decides for every event of these segments which batches count it: there is no moment at which one
day of a segment is frozen and another is not. Bodies are the bytes that are inserted: every attempt sends the same.
Files are 0600, written once, never changed, and deleted after the segments they stand for (loader.py). The folded rows
of one day of a node are such a file, too, that stands for no segment: DATA/sealing/<node>-seal.<yyyymmdd>.batches.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import google_crc32c
import orjson

from collector.cell import MAX_DIMENSIONS, CellKey, Counters
from collector.disk import DISK, Disk
from collector.errors import Corrupt, Unreadable
from collector.warehouse.tables import DAY_S, HOT, SEAL, SEALED, TABLES

FROZEN, SEALING = "frozen", "sealing"
"""The folders in DATA: of the loader's files, and of the sealer's."""
SUFFIX = ".batches"
MAX_ROWS = 500_000  # a part of so many rows takes 1-2 s; insert_once.py makes sure that it stays one block
MAX_HEADER_BYTES = 16 * 1024 * 1024

_MAGIC, _VERSION = b"COLBATCH", 1
_PREFIX = struct.Struct("<8sHI")
_CRC = struct.Struct("<I")
_HEADER_AT = _PREFIX.size + _CRC.size
_ENTRY = ("name", "day", "events", "rows", "length", "crc")
_PADDING = tuple(("",) * (MAX_DIMENSIONS - count) for count in range(MAX_DIMENSIONS + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one insert brings to `table`: `rows` cells of one node and day, made of `events` events, and their marker.

    Where the cells of a day fill several batches, the first one's marker tells all its events, the others none.
    """

    name: str
    table: str
    node: int
    day: int
    events: int
    rows: int
    path: Path
    offset: int
    length: int
    crc: int
    disk: Disk = DISK

    def body(self) -> bytes:
        """The bytes to insert; raises Corrupt if they are not what was written."""
        body = _read(self.disk, self.path, self.offset, self.length)
        if len(body) != self.length or google_crc32c.value(body) != self.crc:
            raise Corrupt(f"batch {self.name} is damaged on disk")
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """One file of batches and the segments it stands for."""

    path: Path
    segments: tuple[str, ...]
    batches: tuple[Batch, ...]

    @property
    def events(self) -> int:
        """How many events its batches are made of."""
        return sum(batch.events for batch in self.batches)


def freeze(
    disk: Disk,
    folder: Path,
    *,
    node: int,
    segments: list[str],
    days: Mapping[int, Mapping[CellKey, Counters]],
    events: Mapping[int, int],
) -> Frozen:
    """Write the cells of these segments, by day, to a file that survives any crash from here on. Raises OSError."""
    made: list[_Made] = []
    for day in sorted(events):
        unsaid = events[day]
        name = f"{segments[0]}.{_date(day)}"
        rows = (_row(node, key, counters) for key, counters in days.get(day, {}).items())
        for number, portion in enumerate(_portions(rows)):
            part = f"{name}.{number}" if number else name
            marker = HOT.marker(node, day, part, events=unsaid, rows=len(portion))
            made.append(_made(part, day, unsaid, portion, marker))
            unsaid = 0
    path = folder / (segments[0] + SUFFIX)
    return _freeze(disk, path, {"node": node, "table": HOT.name, "segments": segments}, made)


def seal_name(node: int, day: int) -> str:
    """What the file and the first batch of a day's seal are called; no segment is called so."""
    return f"{node:016x}-seal.{_date(day)}"


def is_being_sealed(disk: Disk, folder: Path, frozen: Frozen) -> bool:
    """Whether a seal lies in that folder, written and not yet verified, of a day of these batches or a later one.

    A seal speaks for the days before it, too, those that had no event yet.
    """
    seals = [name.removesuffix(SUFFIX).split(".") for name in disk.names(folder) if name.endswith(SUFFIX)]
    days = [seal_name(batch.node, batch.day).split(".") for batch in frozen.batches]
    return any(node == sealed and day <= until for node, day in days for sealed, until in seals)


def freeze_seal(
    disk: Disk, folder: Path, *, node: int, day: int, rows: Iterable[tuple[Any, ...]], epochs: int, by: str
) -> Frozen:
    """Write a day's folded rows to a file that survives any crash from here on. Raises OSError.

    Its batches tell no events: those that brought the day told them. The last one's marker is the seal; `by` is who
    sealed it, '' for its own node.
    """
    name = seal_name(node, day)
    portions = list(_portions(iter(rows)))
    made: list[_Made] = []
    for number, portion in enumerate(portions):
        part = f"{name}.{number}" if number else name
        seal: dict[str, int | str] = {"d2": SEAL, "d3": by, "visitors": epochs} if number == len(portions) - 1 else {}
        marker = SEALED.marker(node, day, part, events=0, rows=len(portion), **seal)
        made.append(_made(part, day, 0, portion, marker))
    said = {"node": node, "table": SEALED.name, "segments": []}
    return _freeze(disk, folder / (name + SUFFIX), said, made)


def freeze_again(disk: Disk, path: Path, frozen: Frozen, batches: list[Batch]) -> None:
    """Write some batches of a frozen file to another, which speaks for the same segments. Raises OSError, Corrupt."""
    entries = [{name: getattr(batch, name) for name in _ENTRY} for batch in batches]
    said = {"node": batches[0].node, "table": batches[0].table, "segments": frozen.segments, "batches": entries}
    _write(disk, path, said, [batch.body() for batch in batches])


def read_frozen(disk: Disk, path: Path) -> Frozen:
    """A file of batches without its bodies; raises Corrupt if its header is not what freeze() wrote."""
    start = _read(disk, path, 0, _HEADER_AT)
    if len(start) < _HEADER_AT:
        raise Corrupt(f"frozen file {path.name} is cut short")
    magic, version, length = _PREFIX.unpack_from(start)
    if magic != _MAGIC or version != _VERSION or length > MAX_HEADER_BYTES:
        raise Corrupt(f"frozen file {path.name} has no header")
    header = _read(disk, path, _HEADER_AT, length)
    if google_crc32c.value(start[: _PREFIX.size] + header) != _CRC.unpack_from(start, _PREFIX.size)[0]:
        raise Corrupt(f"the header of frozen file {path.name} is damaged")
    return _frozen(disk, path, header)


def frozen_in(disk: Disk, folder: Path) -> list[tuple[Path, Frozen | Corrupt]]:
    """The files of batches in a folder, oldest name first: each without its bodies, or what is wrong with it."""
    found: list[tuple[Path, Frozen | Corrupt]] = []
    for path in [folder / name for name in sorted(disk.names(folder)) if name.endswith(SUFFIX)]:
        try:
            found.append((path, read_frozen(disk, path)))
        except Corrupt as corrupt:
            found.append((path, corrupt))
    return found


def _read(disk: Disk, path: Path, start: int, length: int) -> bytes:
    """Bytes of a file of batches. Unreadable is a kind of damage: one bad sector must not keep the others waiting."""
    try:
        return disk.read(path, start, length)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise Unreadable(f"frozen file {path.name} cannot be read") from error


_Made = tuple[dict[str, Any], bytes]
"""A batch: what the header says of it, and its body."""


def _made(name: str, day: int, events: int, rows: list[tuple[Any, ...]], marker: tuple[Any, ...]) -> _Made:
    body = b"\n".join(map(orjson.dumps, [*rows, marker]))
    said = {"name": name, "day": day, "events": events, "rows": len(rows), "length": len(body)}
    return said | {"crc": google_crc32c.value(body)}, body


def _freeze(disk: Disk, path: Path, said: dict[str, Any], made: list[_Made]) -> Frozen:
    said["batches"] = [entry for entry, _ in made]
    return _frozen(disk, path, _write(disk, path, said, [body for _, body in made]))


def _write(disk: Disk, path: Path, said: Mapping[str, Any], bodies: list[bytes]) -> bytes:
    """The header, once the file is durable."""
    header = orjson.dumps(said)
    prefix = _PREFIX.pack(_MAGIC, _VERSION, len(header))
    disk.write_durably(path, b"".join([prefix, _CRC.pack(google_crc32c.value(prefix + header)), header, *bodies]))
    return header


def _frozen(disk: Disk, path: Path, header: bytes) -> Frozen:
    said = orjson.loads(header)
    table = said.get("table", HOT.name)  # files of the first version do not say it
    if table not in TABLES:
        raise Corrupt(f"frozen file {path.name} is for a table that is not declared")
    batches: list[Batch] = []
    offset = _HEADER_AT + len(header)
    for entry in said["batches"]:
        batches.append(Batch(node=said["node"], table=table, path=path, offset=offset, disk=disk, **entry))
        offset += entry["length"]
    return Frozen(path=path, segments=tuple(said["segments"]), batches=tuple(batches))


def _portions(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a day in portions of MAX_ROWS; a day without any has one empty portion, to tell its events."""
    yield list(islice(rows, MAX_ROWS))
    while portion := list(islice(rows, MAX_ROWS)):
        yield portion


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_S, UTC):%Y%m%d}"


def _row(node: int, key: CellKey, counters: Counters) -> tuple[Any, ...]:
    """One row in the order of tables.COLUMNS."""
    report, property_id, bucket, values, epoch = key
    return (
        *(node, report, property_id, bucket, *values, *_PADDING[len(values)], epoch),
        *(counters.events, counters.visitors, counters.networks, counters.firsts, counters.amount),
    )
