"""Segments and their recovery: what a crash, a torn write or damage leaves, and what is read of it."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import orjson
import pytest

from collector.disk import DISK
from collector.event import Event
from collector.spool.frame import Record, encode, record_of
from collector.spool.segment import BROKEN, OPEN, Life, closed_path, recover, segment_name, segments, worker_folder
from tests.failing_disk import FailingDisk
from tests.spooling import DIGEST, HOUR, NAME, contents, event, new_appender, new_reader


def test_a_segment_cut_at_any_byte_keeps_every_whole_frame(tmp_path: Path) -> None:
    encoded = [encode(NAME, number, DIGEST, [record_of(event("/a"), 7)]) for number in range(3)]
    data = b"".join(encoded)
    for size in range(1, len(data) + 1):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / (NAME + OPEN)).write_bytes(data[:size])
        cut = recover(DISK, folder)
        whole = sum(size >= sum(map(len, encoded[: number + 1])) for number in range(3))
        kept = closed_path(folder, NAME, whole).read_bytes()
        assert kept == b"".join(encoded[:whole])
        assert cut == size - len(kept)
        broken = folder / (NAME + BROKEN)
        assert (broken.read_bytes() == data[:size]) if cut else not broken.exists()


def test_a_segment_that_cannot_be_recovered_for_want_of_room_is_recovered_later(tmp_path: Path) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    frame = encode(NAME, 0, DIGEST, [record_of(event("/a"), 7)])
    (folder / (NAME + OPEN)).write_bytes(frame + frame[:40])
    disk = FailingDisk()
    disk.failing = {"append"}
    assert recover(disk, folder) == 0
    assert contents(tmp_path) == []
    disk.failing = set()
    assert recover(disk, folder) == 40
    [found] = contents(tmp_path)
    assert [record.event for record in found.records] == [event("/a")]
    assert found.uncounted == 0


def test_a_copy_that_was_cut_short_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}{BROKEN}.4711").write_bytes(b"half a copy")
    recover(DISK, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_segment_leaves_nothing(tmp_path: Path) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    (folder / (NAME + OPEN)).touch()
    assert recover(DISK, folder) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_damaged_frame_of_a_closed_segment_is_known_by_its_events(tmp_path: Path, damaged: int) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    groups = [[record_of(event("/a"), 0)] * events for events in (2, 3, 4)]
    made = [encode(NAME, first, DIGEST, group) for first, group in zip((0, 2, 5), groups, strict=True)]
    made[damaged] = made[damaged][:-1] + b"?"
    closed_path(folder, NAME, 9).write_bytes(b"".join(made))
    [found] = contents(tmp_path)
    assert found.lost == len(groups[damaged])
    assert len(found.records) == 9 - found.lost


def test_a_closed_segment_cut_short_is_noticed_even_between_two_frames(tmp_path: Path) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    made = [encode(NAME, first, DIGEST, [record_of(event("/a"), 0)] * 2) for first in (0, 2, 4)]
    for kept in range(3):
        closed_path(folder, NAME, 6).write_bytes(b"".join(made[:kept]))
        [found] = contents(tmp_path)
        assert (len(found.records), found.lost) == (2 * kept, 6 - 2 * kept)


def test_what_an_open_segment_holds_is_told_by_its_headers(tmp_path: Path) -> None:
    appender = new_appender(tmp_path)
    reader = new_reader(tmp_path)
    held = 0
    for events in (1, 3, 4):
        appender.append([record_of(event("/a"), 0)] * events)
        held += events
        [segment] = segments(DISK, tmp_path)
        assert segment.events is None
        assert reader.events_in(segment) == held
    appender.rotate()
    [segment] = segments(DISK, tmp_path)
    assert reader.events_in(segment) == segment.events == held


def test_of_segments_that_are_gone_nothing_is_remembered(tmp_path: Path) -> None:
    reader = new_reader(tmp_path)
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()

    def come_and_go(first: int, last: int) -> None:
        for sequence in range(first, last):
            path = folder / (segment_name(Life(7, 1), 0, sequence) + OPEN)
            path.write_bytes(encode(path.stem, 0, DIGEST, [record_of(event("/"), 0)]))
            assert reader.waiting(set()) == (1, 1)
            path.unlink()

    come_and_go(0, 100)
    tracemalloc.start(10)
    try:
        come_and_go(100, 600)
        gc.collect()
        of_spool = tracemalloc.Filter(inclusive=True, filename_pattern="*/collector/spool/*", all_frames=True)
        held = tracemalloc.take_snapshot().filter_traces([of_spool])  # other threads hold what they like
    finally:
        tracemalloc.stop()
    assert sum(each.size for each in held.statistics("filename")) < 50_000


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    with DISK.owned(tmp_path, wait=False) as first, DISK.owned(tmp_path, wait=False) as second:
        assert first
        assert not second


def test_segments_come_oldest_first_and_other_files_are_none(tmp_path: Path) -> None:
    for worker, epoch, sequence in ((1, 1, 2), (0, 2, 1), (0, 1, 10), (0, 1, 9)):
        folder = worker_folder(tmp_path, worker)
        folder.mkdir(exist_ok=True)
        closed_path(folder, segment_name(Life(7, epoch), worker, sequence), 1).touch()
    (worker_folder(tmp_path, 0) / f"{NAME}.segment").touch()
    (worker_folder(tmp_path, 0) / f"{NAME}.1.open").touch()
    (worker_folder(tmp_path, 0) / f"{NAME}.broken").touch()
    (tmp_path / "other").mkdir()
    found = segments(DISK, tmp_path)
    assert [(each.worker, each.epoch, each.sequence) for each in found] == [(1, 1, 2), (0, 1, 9), (0, 1, 10), (0, 2, 1)]


def test_frames_of_other_declarations_keep_events_and_lose_marks(tmp_path: Path) -> None:
    folder = worker_folder(tmp_path, 0)
    folder.mkdir()
    other = "00" * 8
    (tmp_path / f"{other}.layout").write_bytes(orjson.dumps({"goal": ["gone", "goal"], "retired": ["x"]}))
    rows: list[Record] = [("goal", "www.example.org", HOUR, ("?", "signup"), 7), ("retired", "p", HOUR, ("x",), 7)]
    closed_path(folder, NAME, 2).write_bytes(encode(NAME, 0, bytes.fromhex(other), rows))
    [found] = contents(tmp_path)
    [record] = found.records
    assert record.event == Event("goal", "www.example.org", HOUR, ("signup",))
    assert record.marks == 0
    assert found.dropped == found.uncounted == 1
