"""The spool keeps what it acknowledged, and nothing else is ever read out of it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import uvloop

from collector.disk import DISK
from collector.errors import InDoubt, Unavailable
from collector.spool.frame import Frame, frames, record_of
from collector.spool.segment import segments
from collector.spool.writer import MAX_WAITING, SpoolWriter, keep_layout
from tests.failing_disk import FailingDisk
from tests.spooling import DECLARATIONS, event, new_appender, new_writer, paths
from tests.stack import ROOT


async def test_an_event_is_on_disk_when_its_answer_may_go(tmp_path: Path) -> None:
    writer = new_writer(tmp_path)
    await writer.append([(event("/a"), 7)])
    [open_segment] = segments(DISK, tmp_path)
    assert not open_segment.closed
    assert b'"/a"' in open_segment.path.read_bytes()
    writer.close()


async def test_bytes_are_synced_before_the_answer(tmp_path: Path) -> None:
    """A kill cannot show it, the page cache survives it: so the calls themselves are watched."""
    disk = FailingDisk()
    writer = new_writer(tmp_path, disk=disk)
    await writer.append([(event("/a"), 0)])
    assert disk.done[-4:] == ["create", "sync_folder", "append", "sync"]
    for _ in range(3):
        disk.done.clear()
        await writer.append([(event("/a"), 0)])
        assert disk.done == ["append", "sync"]
    disk.done.clear()
    writer.close()
    assert disk.done == ["rename", "sync_folder"]


async def test_events_appended_as_one_lie_in_one_frame(tmp_path: Path) -> None:
    writer = new_writer(tmp_path)
    await writer.append([(event("/a"), 1), (event("/b"), 2)])
    writer.close()
    [segment] = segments(DISK, tmp_path)
    [frame] = frames(segment.name, segment.path.read_bytes())
    assert isinstance(frame, Frame)
    assert len(orjson.loads(frame.payload)) == frame.events == segment.events == 2


async def test_every_concurrent_append_is_read_back_once(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=0)
    for wave in range(20):
        await asyncio.gather(*(writer.append([(event(f"/{wave}/{n}"), 0)]) for n in range(20)))
    writer.close()
    assert sorted(paths(tmp_path)) == sorted(f"/{wave}/{n}" for wave in range(20) for n in range(20))
    found = segments(DISK, tmp_path)
    assert len(found) > 1
    assert sum(segment.events or 0 for segment in found) == 400


async def test_an_idle_segment_is_closed_when_its_time_is_over(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, segment_s=0.05)
    await writer.append([(event("/a"), 0)])
    async with asyncio.timeout(5):
        while not all(segment.closed for segment in segments(DISK, tmp_path)):  # noqa: ASYNC110 - another thread does
            await asyncio.sleep(0.01)
    writer.close()


def test_a_segment_is_closed_at_its_size(tmp_path: Path) -> None:
    appender = new_appender(tmp_path, segment_bytes=1000)
    for n in range(20):
        appender.append([record_of(event(f"/{n}"), 0)])
    sizes = [segment.path.stat().st_size for segment in segments(DISK, tmp_path) if segment.closed]
    assert len(sizes) > 1
    assert all(1000 <= size < 1300 for size in sizes)


@pytest.mark.parametrize("call", ["create", "append", "half of append", "sync"])
async def test_a_failed_write_is_answered_and_the_next_segment_works(tmp_path: Path, call: str) -> None:
    disk = FailingDisk()
    writer = new_writer(tmp_path, disk=disk)
    if call != "create":
        await writer.append([(event("/a"), 0)])
    for error in (errno.EIO, errno.ENOSPC):
        disk.error = error
        disk.failing = {call}
        with pytest.raises(InDoubt if call == "sync" else Unavailable):
            await writer.append([(event("/b"), 0)])
    disk.failing = set()
    await writer.append([(event("/c"), 0)])
    writer.close()
    kept = set(paths(tmp_path))
    assert {"/c"} <= kept
    assert call == "sync" or kept <= {"/a", "/c"}
    assert all(segment.closed for segment in segments(DISK, tmp_path))


async def test_a_failed_sync_is_answered_only_when_what_it_left_is_gone(tmp_path: Path) -> None:
    class FailsOnce(FailingDisk):
        def sync(self, fd: int) -> None:
            super().sync(fd)
            self.failing.discard("sync")

        def _do(self, call: str) -> None:
            try:
                super()._do(call)
            finally:
                self.failing.discard(call)

    disk = FailsOnce()
    writer = new_writer(tmp_path, disk=disk)
    await writer.append([(event("/a"), 0)])
    disk.failing = {"sync"}
    with pytest.raises(Unavailable):
        await writer.append([(event("/b"), 0)])
    disk.failing = {"sync", "truncate"}
    with pytest.raises(InDoubt):
        await writer.append([(event("/c"), 0)])
    await writer.append([(event("/d"), 0)])
    writer.close()
    assert [path for path in paths(tmp_path) if path != "/c"] == ["/a", "/d"]


@pytest.mark.parametrize("call", ["rename", "sync_folder"])
async def test_a_segment_that_could_not_be_closed_is_closed_later(tmp_path: Path, call: str) -> None:
    disk = FailingDisk()
    appender = new_appender(tmp_path, disk=disk)
    appender.append([record_of(event("/a"), 0)])
    disk.failing = {call}
    appender.rotate()
    disk.failing = set()
    appender.append([record_of(event("/b"), 0)])
    appender.rotate()
    assert paths(tmp_path) == ["/a", "/b"]


async def test_a_slow_disk_bounds_what_waits_and_every_frame_can_be_read(tmp_path: Path) -> None:
    disk = FailingDisk()
    writer = new_writer(tmp_path, disk=disk)
    disk.hold.clear()
    body = [(event(f"/{'x' * 110}"), 0)] * 100
    first = writer.append(body)
    await asyncio.sleep(0.05)
    others = [writer.append(body) for _ in range(MAX_WAITING // 100 + 5)]
    assert not accepts(writer)
    disk.hold.set()
    said = await asyncio.gather(first, *others, return_exceptions=True)
    assert accepts(writer)
    writer.close()
    accepted = said.count(None)
    assert accepted * 100 >= MAX_WAITING
    assert sum(isinstance(each, Unavailable) for each in said) == len(said) - accepted > 0
    assert len(paths(tmp_path)) == accepted * 100


async def test_without_room_nothing_is_written_until_there_is_some_again(tmp_path: Path) -> None:
    disk = FailingDisk()
    writer = new_writer(tmp_path, disk=disk)
    await writer.append([(event("/a"), 0)])
    disk.failing = {"free_bytes"}
    async with asyncio.timeout(5):
        while accepts(writer):
            with suppress(Unavailable):
                await writer.append([(event("/a"), 0)])
    disk.done.clear()
    with pytest.raises(Unavailable):
        await writer.append([(event("/b"), 0)])
    assert disk.done == []
    disk.failing = set()
    async with asyncio.timeout(5):
        while not accepts(writer):  # noqa: ASYNC110 - the spool's thread looks by itself
            await asyncio.sleep(0.01)
    await writer.append([(event("/c"), 0)])
    writer.close()
    assert set(paths(tmp_path)) == {"/a", "/c"}


async def test_a_spool_never_outgrows_its_quota(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, quota_bytes=20_000)
    refused = accepted = 0
    async with asyncio.timeout(20):
        while refused < 3:
            try:
                await writer.append([(event("/a"), 0)])
                accepted += 1
            except Unavailable:
                refused += 1
                await asyncio.sleep(0.01)
    used = sum(segment.path.stat().st_size for segment in segments(DISK, tmp_path))
    assert 20_000 * 7 / 8 < used <= 20_000
    writer.close()
    assert len(paths(tmp_path)) == accepted


def accepts(writer: SpoolWriter) -> bool:
    return writer.accepting


def test_a_group_is_durable_soon_beside_a_loop_that_never_waits(tmp_path: Path) -> None:
    """In the loop that workers have; its passes are counted, so that a slow machine does not matter."""
    passes = uvloop.run(_passes_of_thirty_appends(tmp_path))
    assert passes < 3_000  # 120 here, and 80,000 where nothing makes the interpreter change hands


async def _passes_of_thirty_appends(spool: Path) -> int:
    loop = asyncio.get_running_loop()
    writer = new_writer(spool)
    passes = 0
    turning: asyncio.Handle | None = None

    def turn() -> None:
        nonlocal passes, turning
        passes += 1
        until = time.perf_counter() + 3e-4  # a request or two
        while time.perf_counter() < until:
            pass
        turning = loop.call_soon(turn)

    turn()
    for _ in range(30):
        await writer.append([])
    if turning:
        turning.cancel()
    writer.close()
    return passes


def test_a_layout_that_is_found_is_durably_there_before_frames_rely_on_it(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.failing = {"sync_folder"}
    with pytest.raises(OSError, match="injected"):
        keep_layout(disk, tmp_path, DECLARATIONS.layouts, DECLARATIONS.digest)
    with pytest.raises(OSError, match="injected"):
        keep_layout(disk, tmp_path, DECLARATIONS.layouts, DECLARATIONS.digest)
    disk.failing = set()
    keep_layout(disk, tmp_path, DECLARATIONS.layouts, DECLARATIONS.digest)
    assert disk.done[-1] == "sync_folder"


_SHORT_OF_MEMORY = """
import asyncio, pathlib, sys
from collector.disk import Disk
from tests.spooling import event, new_writer

class Short(Disk):
    def free_bytes(self, folder):
        raise MemoryError

async def main():
    await new_writer(pathlib.Path(sys.argv[1]), disk=Short()).append([(event("/a"), 7)])

asyncio.run(main())
"""


def test_a_worker_whose_spool_cannot_go_on_ends_instead_of_letting_requests_wait(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _SHORT_OF_MEMORY, tmp_path], cwd=ROOT, timeout=20, check=False)
    assert done.returncode == os.EX_SOFTWARE
