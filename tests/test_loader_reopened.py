"""A power loss may take the rename that closed a segment, and leave the frozen file that counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.disk import DISK
from collector.spool.segment import OPEN, recover
from collector.warehouse.embedded import Embedded
from tests.loading import Counted, Place, event, hit, rows
from tests.storing import open_with_tables
from tests.test_loader import Away


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("reopened") / "engine") as engine:
        yield engine


def _open_again(segment: Path, data: bytes) -> None:
    segment.unlink(missing_ok=True)
    segment.with_name(segment.name.partition(".")[0] + OPEN).write_bytes(data)


def test_a_frozen_segment_that_is_open_again_is_not_counted_twice(engine: Embedded, tmp_path: Path) -> None:
    place = Place(tmp_path)
    first, second = place.write([(hit("/a"), 0)]), place.write([(hit("/a"), 0)])
    away: Any = Away(engine)
    loader = place.loader(away)
    os.utime(first, (1, 1))  # old: its events become cells while the database is away
    assert loader.load_ready() == 0
    assert len(list((tmp_path / "frozen").iterdir())) == 1
    _open_again(second, second.read_bytes())
    metrics = Counted()
    loader = place.loader(engine, metrics)
    with DISK.owned(second.parent, wait=False):  # its worker is about to recover it, or cannot while the disk is full
        assert loader.load_ready() == 2
        assert loader.load_ready() == 0
        recover(DISK, second.parent)
    for _ in range(20):
        loader.load_ready()
    assert rows(engine.writer(), place.node, "pages") == [("/a", 2)]
    assert place.files() == []
    assert metrics.events == 2


def test_a_segment_in_quarantine_that_is_open_again_stays_unread(engine: Embedded, tmp_path: Path) -> None:
    place = Place(tmp_path)
    refused = event("page_leave", path="/bad", seconds=-5)
    first, second = place.write([(refused, 0)]), place.write([(refused, 0)])
    data = second.read_bytes()
    place.loader(engine).load_ready()
    aside = first.name.partition(".")[0] + ".batches"
    assert place.files() == [aside]
    _open_again(second, data)
    loader = place.loader(engine)
    with DISK.owned(second.parent, wait=False):
        assert loader.load_ready() == 0
        recover(DISK, second.parent)
    place.write([(hit("/b"), 0)])
    assert loader.load_ready() == 1
    assert place.files() == sorted([aside, second.name])
    place.loader(engine).load_ready()
    assert place.files() == [aside]
