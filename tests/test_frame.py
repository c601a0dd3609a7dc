"""The frame: read back as written, and never taken for whole when it is not."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import Corrupt
from collector.event import Event
from collector.spool.frame import HEADER, Frame, Record, decode, encode, frames, record_of, told
from collector.spool.segment import segment_name
from tests.spooling import DIGEST, HOUR, LIFE, NAME, event

FACTS = st.one_of(st.text(max_size=40), st.booleans(), st.integers(0, 2**53), st.none())
RECORDS = st.lists(
    st.builds(
        lambda facts, marks, id_: record_of(Event("page_hit", "www.example.org", HOUR, tuple(facts), id_), marks),
        st.lists(FACTS, max_size=11),
        st.integers(0, 2**27 - 1),
        st.one_of(st.none(), st.uuids().map(str)),
    ),
    min_size=1,
    max_size=5,
)
FLIPS = 2_000
FLIPS_SLOW = 100_000


def encoded(groups: list[list[Record]]) -> list[bytes]:
    """The frames of one segment."""
    before = 0
    made: list[bytes] = []
    for group in groups:
        made.append(encode(NAME, before, DIGEST, group))
        before += len(group)
    return made


def records_of(frame: Frame) -> list[Record]:
    return [
        tuple(tuple(part) if isinstance(part, list) else part for part in row) for row in orjson.loads(frame.payload)
    ]


def whole(data: bytes) -> list[Frame]:
    return [frame for frame in frames(NAME, data) if isinstance(frame, Frame)]


@given(st.lists(RECORDS, max_size=5))
def test_frames_read_back_as_they_were_written(groups: list[list[Record]]) -> None:
    read = list(frames(NAME, b"".join(encoded(groups))))
    assert all(isinstance(frame, Frame) for frame in read)
    found = [frame for frame in read if isinstance(frame, Frame)]
    assert [records_of(frame) for frame in found] == groups
    assert [frame.events for frame in found] == [len(group) for group in groups]
    assert [frame.first for frame in found] == [sum(map(len, groups[:n])) for n in range(len(groups))]


@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
@settings(max_examples=200)
def test_a_flipped_bit_costs_exactly_the_frame_it_hits(groups: list[list[Record]], data: st.DataObject) -> None:
    made = encoded(groups)
    at = data.draw(st.integers(0, sum(map(len, made)) - 1))
    _flipped_costs_its_frame(made, at, 1 << data.draw(st.integers(0, 7)))


@pytest.mark.parametrize("flips", [FLIPS, pytest.param(FLIPS_SLOW, marks=pytest.mark.slow)])
def test_no_flipped_bit_is_ever_accepted(flips: int) -> None:
    dice = random.Random(flips)
    made = encoded([[record_of(event(f"/{n}/{m}"), 7) for m in range(3)] for n in range(8)])
    size = sum(map(len, made))
    for _ in range(flips):
        _flipped_costs_its_frame(made, dice.randrange(size), 1 << dice.randrange(8))


def test_a_segment_cut_at_any_byte_keeps_exactly_the_frames_before_the_cut() -> None:
    made = encoded([[record_of(event(f"/{n}"), 7)] for n in range(4)])
    data = b"".join(made)
    for size in range(len(data) + 1):
        kept = sum(size >= sum(map(len, made[: number + 1])) for number in range(len(made)))
        assert [frame.first for frame in whole(data[:size])] == list(range(kept))


def test_a_frame_of_another_segment_is_not_taken() -> None:
    data = encode(NAME, 0, DIGEST, [record_of(event("/a"), 0)])
    with pytest.raises(Corrupt):
        decode(segment_name(LIFE, 0, 2), data, 0)


def test_a_length_beyond_the_bound_is_refused_before_anything_is_read() -> None:
    data = bytearray(encode(NAME, 0, DIGEST, [record_of(event("/a"), 0)]))
    data[4:8] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(Corrupt):
        decode(NAME, bytes(data), 0)
    assert len(data) > HEADER.size


def test_headers_alone_tell_where_frames_end_and_how_many_events_came() -> None:
    made = encoded([[record_of(event("/a"), 0)] * 2, [record_of(event("/b"), 0)] * 3])
    assert told(made[0]) is None  # more than a header
    assert told(made[0][: HEADER.size]) == (len(made[0]), 2)
    assert told(made[1][: HEADER.size]) == (len(made[1]), 5)
    assert told(made[1][: HEADER.size - 1]) is None
    assert told(bytes(HEADER.size)) is None


def _flipped_costs_its_frame(made: list[bytes], at: int, bit: int) -> None:
    data = bytearray(b"".join(made))
    data[at] ^= bit
    first = hit = 0
    for number, frame in enumerate(made):
        if first <= at < first + len(frame):
            hit = number
        first += len(frame)
    expected = whole(b"".join(made))
    del expected[hit]
    assert [frame.payload for frame in whole(bytes(data))] == [frame.payload for frame in expected]
