"""An event's id counts once, whichever segments, workers, epochs and lives of the loader it comes through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured, Unavailable
from collector.event import Event
from collector.warehouse.embedded import Embedded
from tests.loading import Counted, Place, hit, rows
from tests.storing import open_with_tables


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("ids") / "engine") as engine:
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def known(path: str, event_id: str) -> tuple[Event, int]:
    return hit(path)._replace(id=event_id), 0


def test_a_retry_in_any_segment_worker_or_epoch_counts_once(engine: Embedded, client: Client, place: Place) -> None:
    first, second = str(uuid4()), str(uuid4())
    place.write([known("/a", first), known("/a", first)], [known("/a", first.upper())], [known("/b", second)])
    place.write([known("/a", first), (hit("/c"), 0), (hit("/c"), 0)], worker=1)
    metrics = Counted()
    assert place.loader(engine, metrics).load_ready() == 4
    place.write([known("/b", second)], epoch=2)
    assert place.loader(engine, metrics).load_ready() == 0
    assert rows(client, place.node, "pages") == [("/a", 1), ("/b", 1), ("/c", 2)]
    assert (metrics.events, metrics.repeats, metrics.pending) == (4, 4, 0)
    assert metrics.remembered == 2


class Away:
    """An engine that is away, or wrong: ids are remembered, cells frozen, and nothing is inserted."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error or Unavailable("away")

    def writer(self) -> Client:
        raise self._error


class Later:
    """A clock that was let run on."""

    by_s = 0.0

    def now(self) -> float:
        return time.time() + self.by_s


def test_ids_are_forgotten_in_time_while_the_database_is_the_wrong_one(place: Place) -> None:
    place.write([known("/a", str(uuid4()))])
    wrong: Any = Away(Misconfigured("the table has other columns"))
    metrics, clock = Counted(), Later()
    loader = place.loader(wrong, metrics, clock)
    clock.by_s = 601
    for remembered in (1, 1, 1, 0):
        with suppress(Misconfigured):
            while loader.load_ready() == 0:
                pass
        assert metrics.remembered == remembered
        clock.by_s += 20 * 3600


@pytest.mark.parametrize("frozen_is_lost", [False, True])
def test_segments_read_again_count_what_they_would_have_counted(
    engine: Embedded, client: Client, place: Place, *, frozen_is_lost: bool
) -> None:
    """Killed after the ids were remembered: before the cells were frozen (their file is not there), or after."""
    ids = [str(uuid4()) for _ in range(4)]
    place.write([known(f"/{n}", each) for n, each in enumerate(ids)])
    place.write([known(f"/{n}", each) for n, each in enumerate(ids[:2])], worker=1)
    away: Any = Away()
    assert place.loader(away).load_ready() == 0
    [frozen] = (place.data / "frozen").iterdir()
    if frozen_is_lost:
        frozen.unlink()
    place.write([known(f"/{n}", each) for n, each in enumerate(ids)], worker=2)
    metrics = Counted()
    loader = place.loader(engine, metrics)
    assert sum(loader.load_ready() for _ in range(3)) == 4
    assert rows(client, place.node, "pages") == [(f"/{n}", 1) for n in range(4)]
    assert place.files() == []


def test_events_without_ids_never_touch_the_memory_of_ids(engine: Embedded, place: Place) -> None:
    place.write([(hit("/a"), 0)] * 3)
    assert place.loader(engine).load_ready() == 3
    assert not (place.data / "ids.sqlite").exists()


def test_no_id_is_in_the_database_or_in_a_frozen_file(engine: Embedded, client: Client, place: Place) -> None:
    event_id = str(uuid4())
    place.write([known("/a", event_id)])
    away: Any = Away()
    assert place.loader(away).load_ready() == 0
    [frozen] = (place.data / "frozen").iterdir()
    assert event_id.encode() not in frozen.read_bytes()
    assert place.loader(engine).load_ready() == 1
    for row in client.query("SELECT * FROM hot WHERE node = {n:UInt64}", parameters={"n": place.node}).result_rows:
        assert event_id not in map(str, row)
