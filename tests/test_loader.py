"""From segments to counts on the real engine: every event once, wherever the loader is killed."""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from collector.catalogue.declarations import read_declarations
from collector.event import Event, Fact
from collector.loader import Loader
from collector.spool.frame import HEADER, encode, record_of
from collector.spool.segment import CLOSED, OPEN, segment_name, worker_folder
from collector.warehouse.embedded import Embedded, open_embedded
from collector.warehouse.tables import create_tables

DECLARATIONS = read_declarations()
DIGEST = bytes.fromhex(DECLARATIONS.digest)
DAY = 20_700
HOUR = DAY * 24
ALL_NEW = (1 << 27) - 1  # three bits for each of the nine reports a page_hit enters

Counts = Counter[tuple[str, int, tuple[str, ...], int]]


@dataclass
class Counted:
    """What the loader says it did."""

    events: int = 0
    batches: int = 0
    failures: int = 0
    segments: int = 0
    frozen: int = 0

    def loaded(self, events: int) -> None:
        self.events += events

    def verified(self, batches: int) -> None:
        self.batches += batches

    def load_failed(self) -> None:
        self.failures += 1

    def waiting(self, segments: int, frozen_batches: int) -> None:
        self.segments, self.frozen = segments, frozen_batches


@dataclass
class Place:
    """One node's DATA, and a hand to write its spool with."""

    data: Path
    node: int = field(default_factory=lambda: secrets.randbits(64))
    sequence: int = 0

    def write(self, *frames: list[tuple[Event, int]], worker: int = 0, epoch: int = 1, suffix: str = CLOSED) -> Path:
        """A segment of these frames, as a worker leaves it."""
        self.sequence += 1
        name = segment_name(self.node, worker, epoch, self.sequence)
        folder = worker_folder(self.data / "spool", worker)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name + suffix)
        path.write_bytes(
            b"".join(
                encode(name, number, DIGEST, [record_of(event, marks) for event, marks in frame])
                for number, frame in enumerate(frames)
            )
        )
        return path

    def loader(self, client: Client, metrics: Counted | None = None) -> Loader:
        return Loader(self.data, declarations=DECLARATIONS, client=client, node=self.node, metrics=metrics or Counted())

    def files(self) -> list[str]:
        """What lies in spool, frozen and quarantine."""
        return sorted(path.name for path in self.data.rglob("*") if path.is_file() and "engine" not in path.parts)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_embedded(tmp_path_factory.mktemp("loader") / "engine") as engine:
        create_tables(engine.writer())
        yield engine


@pytest.fixture
def client(engine: Embedded) -> Client:
    return engine.writer()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def event(kind: str, hour: int = HOUR, **given: Fact) -> Event:
    layout = DECLARATIONS.layouts[kind]
    absent: dict[str, Fact] = {"bucket": "(unknown)", "flag": False, "number": None}
    facts = tuple(given.get(name, absent[role]) for name, role in zip(layout.facts, layout.roles, strict=True))
    return Event(kind, "www.example.org", hour, facts)


def hit(path: str = "/", hour: int = HOUR, *, entry: bool = False) -> Event:
    return event("page_hit", hour, path=path, entry=entry)


def rows(client: Client, node: int, report: str, columns: str = "d1, sum(events)") -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in client.query(
            f"SELECT {columns} FROM hot WHERE node = {{n:UInt64}} AND report = {{r:String}} GROUP BY ALL ORDER BY ALL",
            parameters={"n": node, "r": report},
        ).result_rows
    ]


def test_a_closed_segment_becomes_counts_and_disappears(client: Client, place: Place) -> None:
    place.write([(hit("/a", entry=True), ALL_NEW), (hit("/a"), 0)], [(hit("/b"), ALL_NEW)])
    metrics = Counted()
    assert place.loader(client, metrics).load_ready() == 3
    measures = "d1, sum(events), sum(visitors), sum(networks), sum(firsts)"
    assert rows(client, place.node, "pages", measures) == [("/a", 2, 1, 1, 1), ("/b", 1, 1, 1, 1)]
    assert rows(client, place.node, "entry_pages") == [("/a", 1)]
    assert rows(client, place.node, "traffic", "sum(events), sum(visitors), sum(amount)") == [(3, 2, 1)]
    assert place.files() == []
    assert metrics == Counted(events=3, batches=1)


def test_counts_agree_with_an_independent_count(client: Client, place: Place) -> None:
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
    loader = place.loader(client)
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


def test_a_segment_being_written_waits_and_one_left_open_by_the_dead_does_not(client: Client, place: Place) -> None:
    torn = place.write([(hit("/dead"), 0)], suffix=OPEN)
    torn.write_bytes(torn.read_bytes() + b"CLF1 torn")
    loader = place.loader(client)
    assert loader.load_ready() == 1
    assert place.files() == []
    place.write([(hit("/alive"), 0)], suffix=OPEN)
    assert loader.load_ready() == 0
    assert len(place.files()) == 1


def test_frames_of_other_declarations_tell_events_but_not_who_was_new(client: Client, place: Place) -> None:
    name = segment_name(place.node, 0, 1, 1)
    folder = worker_folder(place.data / "spool", 0)
    folder.mkdir(parents=True)
    records = [("page_hit", "www.example.org", HOUR, ["/old"], ALL_NEW), ("gone", "www.example.org", HOUR, [], 1)]
    (folder / (name + CLOSED)).write_bytes(encode(name, 0, b"\1" * 8, records))
    (folder.parent / ("01" * 8 + ".layout")).write_bytes(b'{"page_hit": ["path"], "gone": []}')
    assert place.loader(client).load_ready() == 1
    assert rows(client, place.node, "pages", "d1, sum(events), sum(visitors), sum(firsts)") == [("/old", 1, 0, 0)]


def test_a_segment_that_cannot_be_understood_stays_and_the_others_go_on(client: Client, place: Place) -> None:
    name = segment_name(place.node, 0, 1, 900)
    folder = worker_folder(place.data / "spool", 0)
    folder.mkdir(parents=True)
    strange = folder / (name + CLOSED)
    strange.write_bytes(encode(name, 0, b"\2" * 8, [("page_hit", "www.example.org", HOUR, ["/"], 0)]))  # no layout
    place.write([(hit("/a"), 0)])
    loader = place.loader(client)
    assert loader.load_ready() == 1
    assert loader.load_ready() == 0
    assert place.files() == [strange.name]


def test_a_damaged_frame_costs_itself_only(client: Client, place: Place) -> None:
    path = place.write(*[[(hit(f"/{n}"), 0)] for n in range(5)])
    data = bytearray(path.read_bytes())
    data[len(data) // 5 * 2 + HEADER.size + 5] ^= 1
    path.write_bytes(data)
    assert place.loader(client).load_ready() == 4
    assert [d1 for d1, _ in rows(client, place.node, "pages")] == ["/0", "/1", "/3", "/4"]
    assert place.files() == []


class Away:
    """An engine that is away as long as it is told to be."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.away = True

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise OperationalError("connection refused")
        return getattr(self._client, name)


def test_what_could_not_be_inserted_waits_and_is_inserted_later(client: Client, place: Place) -> None:
    place.write([(hit("/a"), 0)])
    away: Any = Away(client)
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


def test_a_batch_refused_for_good_is_set_aside_and_the_others_go_on(client: Client, place: Place) -> None:
    place.write([(event("page_leave", path="/bad", seconds=-5), 0), (hit("/next_day", HOUR + 24), 0)])
    loader = place.loader(client)
    assert loader.load_ready() == 1
    place.write([(hit("/good"), 0)])
    assert loader.load_ready() == 1
    assert [d1 for d1, _ in rows(client, place.node, "pages")] == ["/good", "/next_day"]
    (aside,) = (place.data / "quarantine").iterdir()
    assert place.files() == [aside.name]
    assert place.loader(client).load_ready() == 0
    assert place.files() == [aside.name]


def test_a_batch_whose_marker_disagrees_stays_with_its_segments(client: Client, place: Place) -> None:
    segment = place.write([(hit("/a"), 0)])
    client.command(
        f"INSERT INTO hot (node, bucket, d1, events, amount) VALUES "
        f"({place.node}, {DAY * 86_400}, '{segment.stem}.20260904', 77, 77)"
    )
    loader = place.loader(client)
    assert loader.load_ready() == 0
    place.write([(hit("/b"), 0)])
    assert loader.load_ready() == 1
    assert place.files() == sorted([segment.name, f"{segment.stem}.batches"])
    assert rows(client, place.node, "pages") == [("/b", 1)]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_loader import Counted, DECLARATIONS
from collector.loader import Loader
from collector.warehouse.embedded import open_embedded
from collector.warehouse.tables import create_tables

data, node, wanted = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
points = 0

def point(name):
    global points
    points += 1
    if points == wanted:
        print(name, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

class Watched:
    def __init__(self, client):
        self.client = client
    def query(self, *args, **named):
        return self.client.query(*args, **named)
    def raw_insert(self, *args, **named):
        point("before an insert")
        self.client.raw_insert(*args, **named)
        point("after an insert")

def watch(event, args):
    if event in ("os.rename", "os.remove", "open") and isinstance(args[0], (str, os.PathLike)):
        path = Path(args[0])
        parts = path.parts
        if "frozen" in parts or "spool" in parts:
            if event != "open" or (args[2] or 0) & os.O_CREAT:
                point(f"{event} {path.name.rpartition(chr(46))[2]}" if event == "os.remove" else event)

with open_embedded(data / "engine") as engine:
    client = engine.writer()
    create_tables(client)
    loader = Loader(data, declarations=DECLARATIONS, client=Watched(client), node=node, metrics=Counted())
    sys.addaudithook(watch)
    while loader.load_ready():
        pass
    print("finished", points)
"""


def killed_at(place: Place, point: int) -> str:
    """Run a loader that kills itself before its n-th step on files, or around an insert; says which it was."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(place.data), str(place.node), str(point)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode in (0, -9), run.stderr
    return run.stdout.splitlines()[-1]


def two_days(place: Place) -> None:
    place.write([(hit("/a"), ALL_NEW), (hit("/b", HOUR + 24), 0)], [(hit("/a"), 0)])
    place.write([(hit("/a"), 0), (hit("/c", HOUR + 24), 0)])


def the_rest_is_exact(place: Place) -> None:
    program = KILLED + (
        "\nwith open_embedded(data / 'engine') as engine:\n"
        "    query = \"SELECT d1, sum(events) FROM hot WHERE report = 'pages' GROUP BY ALL ORDER BY ALL\"\n"
        "    print(engine.reader().query(query).result_rows)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(place.data), str(place.node), "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[('/a', 3), ('/b', 1), ('/c', 1)]"
    assert place.files() == ["engine.lock"]


STEPS = [
    "open",  # the frozen file is begun
    "os.rename",  # and renamed into place
    "before an insert",
    "after an insert",
    "before an insert",
    "after an insert",
    "os.remove broken",
    "os.remove segment",
    "os.remove broken",
    "os.remove segment",
    "os.remove batches",
]


@pytest.mark.parametrize("point", range(1, len(STEPS) + 1))
def test_killed_at_any_step_and_started_again_every_event_counts_once(place: Place, point: int) -> None:
    two_days(place)
    said = killed_at(place, point)
    assert said == STEPS[point - 1]
    the_rest_is_exact(place)


def test_the_steps_above_are_all_there_are(place: Place) -> None:
    two_days(place)
    assert killed_at(place, 0) == f"finished {len(STEPS)}"
    the_rest_is_exact(place)
