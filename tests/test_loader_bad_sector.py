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


def _frozen(place: Place, engine: Embedded) -> Path:
    """A frozen file as it lies there while the database is away, and a newer segment."""
    segment = place.write([(hit("/a"), 0)])
    os.utime(segment, (1, 1))
    away: Any = Away(engine)
    assert place.loader(away).load_ready() == 0
    (frozen,) = (place.data / "frozen").iterdir()
    newer = place.write([(hit("/b"), 0)])
    os.utime(newer, (frozen.stat().st_mtime + 1,) * 2)
    return frozen


def test_a_batch_on_a_bad_sector_is_stopped_and_the_others_go_on(engine: Embedded, tmp_path: Path) -> None:
    place = Place(tmp_path)
    frozen = _frozen(place, engine)
    metrics = Counted()
    loader = place.loader(engine, metrics, disk=BadSector(frozen, 19))
    assert sum(loader.load_ready() for _ in range(5)) == 1
    assert rows(engine.writer(), place.node, "pages") == [("/b", 1)]
    assert frozen.exists()
    assert (metrics.stopped, metrics.pending) == (1, 1)
    assert place.loader(engine).load_ready() == 1  # at the next start: it was a cable
    assert place.files() == []


def test_a_batch_that_could_not_be_read_is_tried_again_without_a_new_start(engine: Embedded, tmp_path: Path) -> None:
    place = Place(tmp_path)
    frozen = _frozen(place, engine)
    metrics = Counted()
    disk, clock = BadSector(frozen, 19), ShiftedClock()
    loader = place.loader(engine, metrics, clock, disk)
    assert [loader.load_ready() for _ in range(3)] == [1, 0, 0]
    disk.mend()
    assert (loader.load_ready(), metrics.stopped) == (0, 1)
    clock.by_s += LOOK_AGAIN_S
    assert (loader.load_ready(), metrics.stopped) == (1, 0)
    assert place.files() == []


def test_a_header_on_a_bad_sector_waits_and_newer_segments_go_on(engine: Embedded, tmp_path: Path) -> None:
    place = Place(tmp_path)
    frozen = _frozen(place, engine)
    metrics = Counted()
    disk, clock = BadSector(frozen, 0), ShiftedClock()
    loader = place.loader(engine, metrics, clock, disk)
    assert sum(loader.load_ready() for _ in range(5)) == 1
    assert rows(engine.writer(), place.node, "pages") == [("/b", 1)]
    assert (frozen.exists(), metrics.stopped) == (True, 1)
    disk.mend()
    clock.by_s += LOOK_AGAIN_S
    assert (loader.load_ready(), metrics.stopped) == (1, 0)
    assert place.files() == []


@pytest.mark.parametrize("passed_s", [2 * OLD_S, -DAY_S])
def test_a_file_that_goes_wholly_and_comes_back_is_loaded_whatever_the_clock_does(
    engine: Embedded, tmp_path: Path, passed_s: float
) -> None:
    place = Place(tmp_path)
    frozen = _frozen(place, engine)
    metrics = Counted()
    disk, clock = BadSector(frozen, 19), ShiftedClock()
    loader = place.loader(engine, metrics, clock, disk)
    assert loader.load_ready() == 1
    disk.start = 0
    clock.by_s += passed_s
    assert [loader.load_ready() for _ in range(3)] == [0, 0, 0]
    assert (frozen.exists(), metrics.stopped) == (True, 1)
    disk.mend()
    clock.by_s += LOOK_AGAIN_S
    assert (loader.load_ready(), metrics.stopped) == (1, 0)
    assert place.files() == []
