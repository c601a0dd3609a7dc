"""The frame: one commit group of reduced events on disk, and the only thing a segment is made of.

    0    "CLF1"
    4    length of the payload, u32       at most MAX_PAYLOAD_BYTES, checked before anything is allocated
    8    sequence in the segment, u64     from 0, without gap
    16   digest of the declarations, 8 bytes
    24   CRC32C, u32                      over segment name, bytes 4..23 and payload
    28   payload: JSON, a list of [kind, property, hour, [facts], marks] or [..., marks, id]

All numbers little-endian. The segment's name is in the checksum, so a frame is never taken for one of another segment;
frames are not chained, so one flipped bit costs one frame (a chain makes it two: measured).
A payload is at most one commit group: what was acknowledged together is read together or not at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import google_crc32c
import orjson

from collector.errors import Corrupt
from collector.event import Event

MAGIC = b"CLF1"
HEADER = struct.Struct("<4sIQ8sI")
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
_CRC_START, _CRC_END = 4, 24

Record = tuple[Any, ...]  # the JSON shape above, as the writer makes it


class Frame(NamedTuple):
    """A frame that passed its checksum. `digest` is 16 hex digits; `end` is where the next one begins."""

    sequence: int
    digest: str
    payload: bytes
    end: int


def record_of(event: Event, marks: int) -> Record:
    """The shape an event has in a payload."""
    if event.id is None:
        return (event.kind, event.property, event.hour, event.facts, marks)
    return (event.kind, event.property, event.hour, event.facts, marks, event.id)


def encode(name: str, sequence: int, digest: bytes, records: list[Record]) -> bytes:
    """One frame of the segment `name` holding these records; `digest` is 8 bytes."""
    payload = orjson.dumps(records)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("more than a frame holds")
    head = HEADER.pack(MAGIC, len(payload), sequence, digest, 0)
    return HEADER.pack(MAGIC, len(payload), sequence, digest, _crc(name, head, payload)) + payload


def decode(name: str, data: bytes | memoryview, at: int) -> Frame:
    """The frame of segment `name` that begins at byte `at`; raises Corrupt if there is none, whole and undamaged."""
    if len(data) - at < HEADER.size:
        raise Corrupt("frame header cut short")
    magic, length, sequence, digest, crc = HEADER.unpack_from(data, at)
    end = at + HEADER.size + length
    if magic != MAGIC or length > MAX_PAYLOAD_BYTES or end > len(data):
        raise Corrupt("no frame here")
    payload = bytes(data[at + HEADER.size : end])
    if _crc(name, bytes(data[at : at + HEADER.size]), payload) != crc:
        raise Corrupt("frame checksum does not match")
    return Frame(sequence, digest.hex(), payload, end)


def frames(name: str, data: bytes) -> Iterator[Frame | int]:
    """The frames of a segment in order; where bytes are damaged, how many were passed over to the next whole frame."""
    at = 0
    while at < len(data):
        try:
            frame = decode(name, data, at)
        except Corrupt:
            found = _next_frame(name, data, at + 1)
            yield found - at
            at = found
        else:
            yield frame
            at = frame.end


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
