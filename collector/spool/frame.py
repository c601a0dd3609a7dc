"""The frame: one commit group of reduced events on disk, and the only thing a segment is made of.

    0       4         8              16        20          28       32                    32 + length
    +-------+---------+--------------+---------+-----------+--------+---------------------+
    | "CLF2"| length  | first        | events  | digest    | CRC32C | payload             |
    |       | u32     | u64          | u32     | 8 bytes   | u32    | JSON                |
    +-------+---------+--------------+---------+-----------+--------+---------------------+
            |<------------- in the checksum -------------->|        |<-- in the checksum ->|

    length   of the payload in bytes, at most MAX_PAYLOAD_BYTES, checked before anything is allocated
    first    how many events of the segment lie before this frame: counted from 0, without gap
    events   how many it holds
    digest   of the declarations that name the facts
    CRC32C   over the segment's name, bytes 4..27 and the payload
    payload  [[kind, property, hour, [facts], marks] or [..., marks, id], ...]

All numbers little-endian. The segment's name is in the checksum, so a frame is never taken for one of another segment;
frames are not chained, so one flipped bit costs one frame (a chain makes it two: measured). Counting events instead of
frames says, of a damaged frame, how many were in it: the next one begins where it ended. A payload is one commit group:
what was acknowledged together is read together or not at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import google_crc32c
import orjson

from collector.errors import Corrupt
from collector.event import Event

MAGIC = b"CLF2"
HEADER = struct.Struct("<4sIQI8sI")
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
_CRC_START, _CRC_END = 4, 28

Record = tuple[Any, ...]  # the JSON shape above, as the writer makes it


class Frame(NamedTuple):
    """A frame that passed its checksum. `digest` is 16 hex digits; `end` is the byte where the next one begins."""

    first: int
    events: int
    digest: str
    payload: bytes
    end: int

    @property
    def after(self) -> int:
        """How many events of the segment lie before the next frame."""
        return self.first + self.events


def record_of(event: Event, marks: int) -> Record:
    """The shape an event has in a payload."""
    if event.id is None:
        return (event.kind, event.property, event.hour, event.facts, marks)
    return (event.kind, event.property, event.hour, event.facts, marks, event.id)


def encode(name: str, first: int, digest: bytes, records: list[Record]) -> bytes:
    """One frame of the segment `name` with these records, `first` events being before it; `digest` is 8 bytes."""
    payload = orjson.dumps(records)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("more than a frame holds")
    head = HEADER.pack(MAGIC, len(payload), first, len(records), digest, 0)
    return HEADER.pack(MAGIC, len(payload), first, len(records), digest, _crc(name, head, payload)) + payload


def decode(name: str, data: bytes | memoryview, at: int) -> Frame:
    """The frame of segment `name` that begins at byte `at`; raises Corrupt if there is none, whole and undamaged."""
    if len(data) - at < HEADER.size:
        raise Corrupt("frame header cut short")
    magic, length, first, events, digest, crc = HEADER.unpack_from(data, at)
    end = at + HEADER.size + length
    if magic != MAGIC or length > MAX_PAYLOAD_BYTES or end > len(data):
        raise Corrupt("no frame here")
    payload = bytes(data[at + HEADER.size : end])
    if _crc(name, bytes(data[at : at + HEADER.size]), payload) != crc:
        raise Corrupt("frame checksum does not match")
    return Frame(first, events, digest.hex(), payload, end)


def frames(name: str, data: bytes) -> Iterator[Frame | int]:
    """The frames of a segment in order; where bytes are damaged, how many were passed over to the next whole frame.

    A frame whose events come before what was read already is damage, too: a copy of another one (found by fuzzing).
    """
    at = after = 0
    while at < len(data):
        try:
            frame = decode(name, data, at)
        except Corrupt:
            found = _next_frame(name, data, at + 1)
            yield found - at
            at = found
        else:
            if frame.first < after:
                yield frame.end - at
            else:
                yield frame
                after = frame.after
            at = frame.end


def told(header: bytes) -> tuple[int, int] | None:
    """What the bytes of a header say, unchecked: the frame's size in bytes and the events up to its end; for gauges."""
    if len(header) != HEADER.size:
        return None
    magic, length, first, events, _, _ = HEADER.unpack(header)
    return (HEADER.size + length, first + events) if magic == MAGIC else None


def _next_frame(name: str, data: bytes, at: int) -> int:
    while (at := data.find(MAGIC, at)) >= 0:
        try:
            decode(name, data, at)
        except Corrupt:
            at += 1
        else:
            return at
    return len(data)


def _crc(name: str, head: bytes, payload: bytes) -> int:
    return int(google_crc32c.extend(google_crc32c.value(name.encode() + head[_CRC_START:_CRC_END]), payload))
