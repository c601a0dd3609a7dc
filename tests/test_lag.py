"""How far counting is behind is measured from the first event of a segment on disk to the verified marker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.disk import DISK
from collector.warehouse.embedded import open_embedded
from collector.warehouse.engine import Engine
from tests.loading import ALL_NEW, Counted, Place, hit
from tests.memory_reading import SteppedClock
from tests.stack import Stack, eventually

HITS = [(hit(), ALL_NEW)] * 3


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_embedded(tmp_path_factory.mktemp("engine") / "clickhouse") as engine:
        yield engine


def test_a_segment_waits_since_it_was_first_met_until_all_of_it_is_verified(engine: Engine, tmp_path: Path) -> None:
    place, counted = Place(tmp_path), Counted()
    path = place.write(HITS, closed=False)
    clock = SteppedClock(path.stat().st_mtime)
    loader = place.loader(engine, counted, clock)
    with DISK.owned(path.parent, wait=False):  # a worker that lives: it will close the segment itself
        loader.load_ready()
        clock.at += 9
        loader.load_ready()
        assert (counted.lags, counted.oldest_s) == ([], 9)
        path.rename(path.with_suffix(".3.segment"))
        clock.at += 2
        loader.load_ready()
    assert (counted.lags, counted.oldest_s, counted.events) == ([11], 0, 3)


def test_what_an_earlier_life_left_is_as_old_as_its_file(engine: Engine, tmp_path: Path) -> None:
    place, counted = Place(tmp_path), Counted()
    paths = [place.write(HITS), place.write(HITS)]
    clock = SteppedClock(max(path.stat().st_mtime for path in paths) + 60)
    place.loader(engine, counted, clock).load_ready()
    assert [round(lag) for lag in counted.lags] == [60, 60]


def test_what_cannot_be_counted_has_no_lag_and_waits_no_more(engine: Engine, tmp_path: Path) -> None:
    place, counted = Place(tmp_path), Counted()
    place.write(HITS)
    engine.writer().command("ALTER TABLE hot ADD CONSTRAINT none CHECK events = 0")
    try:
        place.loader(engine, counted).load_ready()
    finally:
        engine.writer().command("ALTER TABLE hot DROP CONSTRAINT none")
    assert (counted.set_aside, counted.lags, counted.oldest_s) == (3, [], 0)


def test_a_running_collector_tells_its_lag_by_segment(shared_stack: Stack) -> None:
    stack = shared_stack
    before = stack.metrics()["collector_lag_seconds_count"]
    stack.post({"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"})
    eventually(lambda: stack.metrics()["collector_lag_seconds_count"] > before, "it is told")
    eventually(lambda: stack.metrics()["collector_oldest_waiting_seconds"] == 0, "nothing waits")
