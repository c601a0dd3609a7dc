"""From segments to counts on the real engine: what a segment becomes, and what must wait, stay or be set aside."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from collector.errors import Misconfigured, Unavailable
from collector.event import Event
from collector.spool.frame import HEADER, encode
from collector.spool.segment import Life, closed_path, segment_name, worker_folder
from collector.warehouse.embedded import Embedded
from tests.loading import ALL_NEW, DAY, HOUR, Counted, Place, event, hit, rows
from tests.storing import open_with_tables

Counts = Counter[tuple[str, int, tuple[str, ...], int]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("loader") / "engine") as engine:
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_closed_segment_becomes_counts_and_disappears(engine: Embedded, client: Client, place: Place) -> None:
    place.write([(hit("/a", entry=True), ALL_NEW), (hit("/a"), 0)], [(hit("/b"), ALL_NEW)])
    metrics = Counted()
    assert place.loader(engine, metrics).load_ready() == 3
    measures = "d1, sum(events), sum(visitors), sum(networks), sum(firsts)"
    assert rows(client, place.node, "pages", measures) == [("/a", 2, 1, 1, 1), ("/b", 1, 1, 1, 1)]
    assert rows(client, place.node, "entry_pages") == [("/a", 1)]
    assert rows(client, place.node, "traffic", "sum(events), sum(visitors), sum(amount)") == [(3, 2, 1)]
    assert place.files() == []
    assert metrics == Counted(events=3, batches=1)


def test_counts_agree_with_an_independent_count(engine: Embedded, client: Client, place: Place) -> None:
    dice = random.Random(7)
    expected: Counts = Counter()
    for _ in range(30):
        frames: list[list[tuple[Event, int]]] = []
        epoch = dice.choice((1, 2))
        for _ in range(4):
            frame: list[tuple[Event, int]] = []
            for _ in range(25):
                hour = HOUR + dice.randrange(60)
                path = f"/{dice.randrange(6)}"
                if dice.random() < 0.7:
                    frame.append((hit(path, hour), dice.choice((0, ALL_NEW))))
                    expected["pages", hour // 24, (path,), epoch] += 1
                    expected["traffic", hour // 24, ("",), epoch] += 1
                else:
                    frame.append((event("page_leave", hour, path=path, seconds=3), 0))
                    expected["page_time", hour // 24, (path,), epoch] += 1
            frames.append(frame)
        place.write(*frames, worker=dice.randrange(3), epoch=epoch)
    loader = place.loader(engine)
    assert loader.load_ready() == 3000
    assert loader.load_ready() == 0
    found = Counter(
        {
            (report, day, (d1,), epoch): events
            for report in ("pages", "traffic", "page_time")
            for day, d1, epoch, events in rows(
                client, place.node, report, "intDiv(toUnixTimestamp(bucket), 86400), d1, epoch, sum(events)"
            )
        }
    )
    assert found == expected
    markers = rows(client, place.node, "", "intDiv(toUnixTimestamp(bucket), 86400) AS day, sum(events)")
    assert [day for day, _ in markers] == [DAY, DAY + 1, DAY + 2]
    assert sum(events for _, events in markers) == 3000
    assert place.files() == []


def test_a_segment_being_written_waits_and_one_left_open_by_the_dead_does_not(engine: Embedded, place: Place) -> None:
    torn = place.write([(hit("/dead"), 0)], closed=False)
    torn.write_bytes(torn.read_bytes() + b"CLF1 torn")
    loader = place.loader(engine)
    assert loader.load_ready() == 1
    assert place.files() == []
    place.write([(hit("/alive"), 0)], closed=False)
    assert loader.load_ready() == 0
    assert len(place.files()) == 1


def test_a_segment_left_open_by_a_worker_without_a_successor_is_loaded(engine: Embedded, place: Place) -> None:
    clock = Stepped(time.time())
    loader = place.loader(engine, clock=clock)
    assert loader.load_ready() == 0
    place.write([(hit("/fewer_workers"), 0)], worker=3, closed=False)
    clock.now_s += 600
    assert loader.load_ready() == 1
    assert place.files() == []


def test_frames_of_other_declarations_tell_events_but_not_who_was_new(
    engine: Embedded, client: Client, place: Place
) -> None:
    name = segment_name(Life(place.node, 1), 0, 1)
    folder = worker_folder(place.data / "spool", 0)
    folder.mkdir(parents=True)
    records = [("page_hit", "www.example.org", HOUR, ["/old"], ALL_NEW), ("gone", "www.example.org", HOUR, [], 1)]
    path = closed_path(folder, name, 2)
    path.write_bytes(encode(name, 0, b"\1" * 8, records))
    (folder.parent / ("01" * 8 + ".layout")).write_bytes(b'{"page_hit": ["path"], "gone": []}')
    metrics = Counted()
    assert place.loader(engine, metrics).load_ready() == 1
    assert rows(client, place.node, "pages", "d1, sum(events), sum(visitors), sum(firsts)") == [("/old", 1, 0, 0)]
    assert metrics.set_aside == 1
    assert (
        place.data / "quarantine" / f"{name}.1-of-2.segment"
    ).exists()  # what is not declared any more is not thrown away


def test_a_segment_that_cannot_be_understood_stays_and_the_others_go_on(engine: Embedded, place: Place) -> None:
    name = segment_name(Life(place.node, 1), 0, 900)
    folder = worker_folder(place.data / "spool", 0)
    folder.mkdir(parents=True)
    strange = closed_path(folder, name, 1)
    strange.write_bytes(encode(name, 0, b"\2" * 8, [("page_hit", "www.example.org", HOUR, ["/"], 0)]))  # no layout
    place.write([(hit("/a"), 0)])
    loader = place.loader(engine)
    assert loader.load_ready() == 1
    assert loader.load_ready() == 0
    assert place.files() == [strange.name]


def test_a_damaged_frame_costs_itself_only(engine: Embedded, client: Client, place: Place) -> None:
    path = place.write(*[[(hit(f"/{n}"), 0)] for n in range(5)])
    data = bytearray(path.read_bytes())
    data[len(data) // 5 * 2 + HEADER.size + 5] ^= 1
    path.write_bytes(data)
    metrics = Counted()
    assert place.loader(engine, metrics).load_ready() == 4
    assert [d1 for d1, _ in rows(client, place.node, "pages")] == ["/0", "/1", "/3", "/4"]
    (copy,) = (place.data / "quarantine").iterdir()
    assert copy.name == path.name.replace(".5.segment", ".1-of-5.segment")
    assert copy.read_bytes() == data
    assert place.files() == [copy.name]
    assert metrics.set_aside == 1


class Stepped:
    """A clock that stands still until it is stepped."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s


class Away:
    """An engine that is away, or wrong, as long as it is told to be."""

    def __init__(self, engine: Embedded, error: Exception | None = None) -> None:
        self._engine = engine
        self._error = error or Unavailable("connection refused")
        self.away = True

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise self._error
        return getattr(self._engine, name)


def test_what_could_not_be_inserted_waits_and_is_inserted_later(engine: Embedded, client: Client, place: Place) -> None:
    place.write([(hit("/a"), 0)])
    away: Any = Away(engine)
    metrics = Counted()
    loader = place.loader(away, metrics)
    for _ in range(200):
        place.write([(hit("/a"), 0)])
        assert loader.load_ready() == 0
    assert metrics.failures < 12  # ever more rarely
    assert metrics.frozen == 1
    away.away = False
    loaded = sum(loader.load_ready() for _ in range(100))
    assert loaded == 201
    assert rows(client, place.node, "pages") == [("/a", 201)]
    assert place.files() == []


def test_events_become_cells_within_the_hour_while_the_database_is_away(engine: Embedded, place: Place) -> None:
    place.write([(hit("/a"), 0)])
    away: Any = Away(engine)
    clock = Stepped(time.time())
    loader = place.loader(away, clock=clock)
    assert loader.load_ready() == 0
    place.write([(hit("/b"), 0)])
    for _ in range(10):
        loader.load_ready()
    assert len(place.files()) == 3  # one file of batches, its segment, and one that is not old yet
    clock.now_s += 601
    for _ in range(60):
        loader.load_ready()
    assert [Path(name).suffix for name in place.files()] == [".batches", ".batches"]
    away.away = False
    assert sum(loader.load_ready() for _ in range(100)) == 2
    assert place.files() == []


def test_events_become_cells_within_the_hour_while_the_database_is_the_wrong_one(
    engine: Embedded, place: Place
) -> None:
    place.write([(hit("/a"), 0)])
    wrong: Any = Away(engine, Misconfigured("the table has other columns"))
    clock = Stepped(time.time())
    metrics = Counted()
    loader = place.loader(wrong, metrics, clock)
    for waiting in (2, 3):
        place.write([(hit("/b"), 0)])
        for _ in range(20):
            with suppress(Misconfigured):
                loader.load_ready()
        clock.now_s += 601
        with suppress(Misconfigured):
            while loader.load_ready() == 0:
                pass
        assert (metrics.pending, metrics.oldest_s > 600) == (waiting, True), "alerts go by what waits"
    with suppress(Misconfigured):
        while loader.load_ready() == 0:
            pass
    assert {Path(name).suffix for name in place.files()} == {".batches"}
    wrong.away = False
    assert sum(loader.load_ready() for _ in range(100)) == 3
    assert place.files() == []


def test_a_frozen_file_with_a_damaged_header_keeps_every_segment_it_may_stand_for_unread(
    engine: Embedded, client: Client, place: Place
) -> None:
    away: Any = Away(engine)
    for number in range(3):
        place.write([(hit(f"/{number}"), 0)])
    assert place.loader(away).load_ready() == 0
    [frozen] = (place.data / "frozen").iterdir()
    data = bytearray(frozen.read_bytes())
    data[25] ^= 1
    before = frozen.stat().st_mtime
    frozen.write_bytes(data)
    os.utime(frozen, (before, before))
    later = place.write([(hit("/later"), 0)])
    os.utime(later, (before + 1, before + 1))
    loader = place.loader(engine)
    assert sum(loader.load_ready() for _ in range(5)) == 1
    assert rows(client, place.node, "pages") == [("/later", 1)]
    assert len(list((place.data / "spool" / "w0").iterdir())) == 3


def test_a_batch_refused_for_good_is_set_aside_and_the_others_go_on(
    engine: Embedded, client: Client, place: Place
) -> None:
    place.write([(event("page_leave", path="/bad", seconds=-5), 0), (hit("/next_day", HOUR + 24), 0)])
    loader = place.loader(engine)
    assert loader.load_ready() == 1
    place.write([(hit("/good"), 0)])
    assert loader.load_ready() == 1
    assert [d1 for d1, _ in rows(client, place.node, "pages")] == ["/good", "/next_day"]
    (aside,) = (place.data / "quarantine").iterdir()
    assert place.files() == [aside.name]
    assert place.loader(engine).load_ready() == 0
    assert place.files() == [aside.name]


def test_a_batch_whose_marker_disagrees_stays_with_its_segments(engine: Embedded, client: Client, place: Place) -> None:
    segment = place.write([(hit("/a"), 0)])
    name = segment.name.partition(".")[0]
    client.command(
        f"INSERT INTO hot (node, bucket, d1, events, amount) VALUES "
        f"({place.node}, {DAY * 86_400}, '{name}.20260904', 77, 77)"
    )
    loader = place.loader(engine)
    assert loader.load_ready() == 0
    place.write([(hit("/b"), 0)])
    assert loader.load_ready() == 1
    assert place.files() == sorted([segment.name, f"{name}.batches"])
    assert rows(client, place.node, "pages") == [("/b", 1)]
