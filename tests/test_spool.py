"""The spool keeps what it acknowledged, and nothing else is ever read out of it."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.errors import Corrupt, InDoubt, Unavailable
from collector.event import Event, Fact
from collector.spool.frame import HEADER, Frame, Record, decode, encode, frames, record_of
from collector.spool.reader import SpoolReader
from collector.spool.segment import BROKEN, CLOSED, OPEN, owned, recover, segment_name, segments, worker_folder
from collector.spool.writer import MAX_WAITING, SpoolWriter

DECLARATIONS = read_declarations()
DIGEST = bytes.fromhex(DECLARATIONS.digest)
NAME = segment_name(0xABCDEF, 0, 1, 1)
HOUR = 498_700

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


def records_of(frame: Frame) -> list[Record]:
    return [
        tuple(tuple(part) if isinstance(part, list) else part for part in row) for row in orjson.loads(frame.payload)
    ]


@given(st.lists(RECORDS, max_size=5))
def test_frames_read_back_as_they_were_written(groups: list[list[Record]]) -> None:
    data = b"".join(encode(NAME, number, DIGEST, group) for number, group in enumerate(groups))
    read = list(frames(NAME, data))
    assert all(isinstance(frame, Frame) for frame in read)
    assert [records_of(frame) for frame in read if isinstance(frame, Frame)] == groups
    assert [frame.sequence for frame in read if isinstance(frame, Frame)] == list(range(len(groups)))


@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
@settings(max_examples=200)
def test_a_flipped_bit_costs_exactly_the_frame_it_hits(groups: list[list[Record]], data: st.DataObject) -> None:
    encoded = [encode(NAME, number, DIGEST, group) for number, group in enumerate(groups)]
    whole = bytearray(b"".join(encoded))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    hit = next(i for i in range(len(encoded)) if at < sum(map(len, encoded[: i + 1])))
    survivors = [frame.sequence for frame in frames(NAME, bytes(whole)) if isinstance(frame, Frame)]
    assert survivors == [number for number in range(len(groups)) if number != hit]


def test_a_segment_cut_at_any_byte_keeps_every_whole_frame(tmp_path: Path) -> None:
    encoded = [encode(NAME, number, DIGEST, [record_of(event("/a"), 7)]) for number in range(3)]
    data = b"".join(encoded)
    for size in range(len(data) + 1):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / (NAME + OPEN)).write_bytes(data[:size])
        recover(folder)
        whole = sum(size >= sum(map(len, encoded[: number + 1])) for number in range(3))
        kept = (folder / (NAME + CLOSED)).read_bytes()
        assert kept == b"".join(encoded[:whole])
        assert (folder / (NAME + BROKEN)).exists() == (len(kept) != size)


def test_a_frame_of_another_segment_is_not_taken() -> None:
    data = encode(NAME, 0, DIGEST, [record_of(event("/a"), 0)])
    with pytest.raises(Corrupt):
        decode(segment_name(0xABCDEF, 0, 1, 2), data, 0)


def test_a_length_beyond_the_bound_is_refused_before_anything_is_read() -> None:
    data = bytearray(encode(NAME, 0, DIGEST, [record_of(event("/a"), 0)]))
    data[4:8] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(Corrupt):
        decode(NAME, bytes(data), 0)
    assert len(data) > HEADER.size


async def test_an_event_is_on_disk_when_its_answer_may_go(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=60)
    await writer.append([(event("/a"), 7)])
    [open_segment] = segments(tmp_path)
    assert not open_segment.closed
    assert b'"/a"' in open_segment.path.read_bytes()
    writer.close()


async def test_events_appended_as_one_lie_in_one_frame(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=60)
    await writer.append([(event("/a"), 1), (event("/b"), 2)])
    writer.close()
    [segment] = segments(tmp_path)
    [frame] = frames(segment.name, segment.path.read_bytes())
    assert isinstance(frame, Frame)
    assert len(orjson.loads(frame.payload)) == 2


async def test_every_concurrent_append_is_read_back_once(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=0)
    for wave in range(20):
        await asyncio.gather(*(writer.append([(event(f"/{wave}/{n}"), 0)]) for n in range(20)))
    writer.close()
    found = [
        record.event.facts[1] for segment in segments(tmp_path) for record in reader(tmp_path).read(segment).records
    ]
    assert sorted(map(str, found)) == sorted(f"/{wave}/{n}" for wave in range(20) for n in range(20))
    assert len(segments(tmp_path)) > 1
    assert all(segment.closed for segment in segments(tmp_path))


async def test_an_idle_segment_is_closed_when_its_time_is_over(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=0.05)
    await writer.append([(event("/a"), 0)])
    await closed(tmp_path)
    writer.close()


async def test_a_failed_write_is_answered_and_the_next_segment_works(tmp_path: Path) -> None:
    names = iter([NAME, NAME, segment_name(0xABCDEF, 0, 1, 2)])
    writer = new_writer(tmp_path, segment_s=0.01, next_name=lambda: next(names))
    await writer.append([(event("/a"), 0)])
    await closed(tmp_path)
    (worker_folder(tmp_path, 0) / (NAME + OPEN)).mkdir()  # the name cannot be created: the disk says no
    with pytest.raises(Unavailable):
        await writer.append([(event("/b"), 0)])
    await writer.append([(event("/c"), 0)])
    writer.close()
    (worker_folder(tmp_path, 0) / (NAME + OPEN)).rmdir()
    paths = [str(r.event.facts[1]) for segment in segments(tmp_path) for r in reader(tmp_path).read(segment).records]
    assert paths == ["/a", "/c"]


async def test_no_answer_goes_before_its_bytes_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill cannot show it, the page cache survives it: so the calls themselves are watched."""
    done: list[str] = []
    written, synced = os.write, os.fdatasync

    def write(fd: int, data: bytes) -> int:
        done.append("write")
        return written(fd, data)

    def fdatasync(fd: int) -> None:
        synced(fd)
        done.append("fdatasync")

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    writer = new_writer(tmp_path, segment_s=60)
    for _ in range(3):
        done.clear()
        await writer.append([(event("/a"), 0)])
        assert done == ["write", "fdatasync"]
    writer.close()


async def test_what_a_failed_sync_left_is_gone_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = new_writer(tmp_path, segment_s=60)
    await writer.append([(event("/a"), 0)])
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fails)
        with pytest.raises(Unavailable):
            await writer.append([(event("/b"), 0)])
        with monkeypatch.context() as cannot_cut:
            cannot_cut.setattr(os, "ftruncate", fails)
            with pytest.raises(InDoubt):
                await writer.append([(event("/c"), 0)])
    await writer.append([(event("/d"), 0)])
    writer.close()
    closed_ones = [segment for segment in segments(tmp_path) if segment.closed]
    paths = [str(r.event.facts[1]) for segment in closed_ones for r in reader(tmp_path).read(segment).records]
    assert paths == ["/a", "/d"]


async def test_a_slow_disk_bounds_what_waits_and_every_frame_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = threading.Event()
    synced = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (hold.wait(), synced(fd)))
    writer = new_writer(tmp_path, segment_s=60)
    body = [(event(f"/{'x' * 110}"), 0)] * 100
    first = writer.append(body)
    await asyncio.sleep(0.05)
    others = [writer.append(body) for _ in range(MAX_WAITING // 100 + 5)]
    hold.set()
    said = await asyncio.gather(first, *others, return_exceptions=True)
    writer.close()
    accepted = said.count(None)
    assert accepted * 100 >= MAX_WAITING
    assert sum(isinstance(each, Unavailable) for each in said) == len(said) - accepted > 0
    found = [record for segment in segments(tmp_path) for record in reader(tmp_path).read(segment).records]
    assert len(found) == accepted * 100


def fails(*_: object) -> None:
    raise OSError(errno.EIO, "injected")


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    with owned(tmp_path, wait=False) as first, owned(tmp_path, wait=False) as second:
        assert first
        assert not second


def test_frames_of_other_declarations_keep_events_and_lose_marks(tmp_path: Path) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    other = "00" * 8
    (tmp_path / f"{other}.layout").write_bytes(orjson.dumps({"goal": ["gone", "goal"], "retired": ["x"]}))
    rows: list[Record] = [("goal", "www.example.org", HOUR, ("?", "signup"), 7), ("retired", "p", HOUR, ("x",), 7)]
    (folder / (NAME + CLOSED)).write_bytes(encode(NAME, 0, bytes.fromhex(other), rows))
    [segment] = segments(tmp_path)
    contents = reader(tmp_path).read(segment)
    [record] = contents.records
    assert record.event == Event("goal", "www.example.org", HOUR, ("signup",))
    assert record.marks == 0
    assert contents.dropped == 1


async def closed(spool: Path) -> None:
    """Wait until no segment is open."""
    async with asyncio.timeout(5):
        while not all(segment.closed for segment in segments(spool)):  # noqa: ASYNC110 - another thread closes it
            await asyncio.sleep(0.01)


def event(path: str) -> Event:
    facts: tuple[Fact, ...] = (True, path, "(direct)", *("(unknown)",) * 3, "DE", "linux", "desktop", "firefox", "de")
    return Event("page_hit", "www.example.org", HOUR, facts)


def reader(spool: Path) -> SpoolReader:
    return SpoolReader(spool, DECLARATIONS.layouts, DECLARATIONS.digest)


def new_writer(spool: Path, *, segment_s: float, next_name: Callable[[], str] | None = None) -> SpoolWriter:
    folder = worker_folder(spool, 0)
    folder.mkdir(exist_ok=True)
    numbers = count(1)
    return SpoolWriter(
        folder,
        layouts=DECLARATIONS.layouts,
        digest=DECLARATIONS.digest,
        next_name=next_name or (lambda: segment_name(0xABCDEF, 0, 1, next(numbers))),
        segment_s=segment_s,
        observe=lambda _seconds: None,
    )
