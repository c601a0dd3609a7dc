"""A sector of the disk goes bad under a frozen file: what reads it gets EIO, for good."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.disk import Disk
from collector.loader import OLD_S
from collector.stopped import LOOK_AGAIN_S
from collector.warehouse.embedded import Embedded
from collector.warehouse.tables import DAY_S
from tests.doctoring import ShiftedClock
from tests.loading import Counted, Place, hit, rows
from tests.storing import open_with_tables
from tests.test_loader import Away

BEHIND_HEADER = 19  # bytes into a frozen file


class BadSector(Disk):
    """Every reading of a file that begins where its sector is bad, or behind, fails."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self.start = start

    def mend(self) -> None:
        self._path = Path("none")

    def read(self, path: Path, start: int = 0, length: int | None = None) -> bytes:
        if path.name == self._path.name and start >= self.start:
            raise OSError(errno.EIO, "injected")
        return super().read(path, start, length)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("sector") / "engine") as engine:
        yield engine


class Scene:
    """A frozen file as it lies there while the database is away, a newer segment, and who loads them."""

    def __init__(self, data: Path, engine: Embedded, start: int) -> None:
        self.place, self.engine, self.clock, self.metrics = Place(data), engine, ShiftedClock(), Counted()
        os.utime(self.place.write([(hit("/a"), 0)]), (1, 1))
        away: Any = Away(engine)
        assert self.place.loader(away).load_ready() == 0
        (self.frozen,) = (data / "frozen").iterdir()
        os.utime(self.place.write([(hit("/b"), 0)]), (self.frozen.stat().st_mtime + 1,) * 2)
        self.disk = BadSector(self.frozen, start)
        self.loader = self.place.loader(engine, self.metrics, self.clock, self.disk)

    def load(self, times: int) -> list[int]:
        """How many events each time loaded."""
        return [self.loader.load_ready() for _ in range(times)]

    def only_the_newer_is_loaded(self) -> None:
        assert rows(self.engine.writer(), self.place.node, "pages") == [("/b", 1)]
        assert (self.frozen.exists(), self.metrics.stopped, self.metrics.pending) == (True, 1, 1)

    def once_mended_it_is_loaded(self) -> None:
        self.disk.mend()
        self.clock.by_s += LOOK_AGAIN_S
        assert (self.load(1), self.metrics.stopped) == ([1], 0)
        assert self.place.files() == []


def test_a_batch_on_a_bad_sector_is_stopped_and_the_others_go_on(engine: Embedded, tmp_path: Path) -> None:
    scene = Scene(tmp_path, engine, BEHIND_HEADER)
    assert sum(scene.load(5)) == 1
    scene.only_the_newer_is_loaded()
    assert scene.place.loader(engine).load_ready() == 1  # at the next start: it was a cable
    assert scene.place.files() == []


def test_a_batch_that_could_not_be_read_is_tried_again_without_a_new_start(engine: Embedded, tmp_path: Path) -> None:
    scene = Scene(tmp_path, engine, BEHIND_HEADER)
    assert scene.load(3) == [1, 0, 0]
    scene.disk.mend()
    assert (scene.load(1), scene.metrics.stopped) == ([0], 1)  # not before its minute has passed
    scene.once_mended_it_is_loaded()


def test_a_header_on_a_bad_sector_waits_and_newer_segments_go_on(engine: Embedded, tmp_path: Path) -> None:
    scene = Scene(tmp_path, engine, 0)
    assert sum(scene.load(5)) == 1
    scene.only_the_newer_is_loaded()
    scene.once_mended_it_is_loaded()


@pytest.mark.parametrize("passed_s", [2 * OLD_S, -DAY_S])
def test_a_file_that_goes_wholly_and_comes_back_is_loaded_whatever_the_clock_does(
    engine: Embedded, tmp_path: Path, passed_s: float
) -> None:
    scene = Scene(tmp_path, engine, BEHIND_HEADER)
    assert scene.load(1) == [1]
    scene.disk.start = 0
    scene.clock.by_s += passed_s
    assert scene.load(3) == [0, 0, 0]
    assert (scene.frozen.exists(), scene.metrics.stopped) == (True, 1)
    scene.once_mended_it_is_loaded()
