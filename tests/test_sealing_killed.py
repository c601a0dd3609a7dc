"""Killed before any step of sealing, of loading what comes late, and of dropping, every event counts once.

Whatever is asked in between is exact, too. And for weeks: two collectors with one database leave no day unsealed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from collector.event import Event
from collector.warehouse.engine import Engine
from tests.loading import ALL_NEW, event
from tests.memory_reading import SteppedClock
from tests.sealing import DAY_S, DUE_S, FIRST_DAY, Desk, KilledError, Node, date_of, hits, hot_days, named_under_k
from tests.storing import open_engine

HOUR_S = 3600
LATE_HOURS = 48
ALARM_S = 72 * HOUR_S
_DAYS = count(FIRST_DAY, 100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("sealing")) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.writer()


# --- step by step -----------------------------------------------------------------------------------------------------

FREEZE = ["create", "sync", "rename", "sync_folder"]
BEGIN = ["sync_folder", "sync_folder"]  # a folder is made, and tidied: once in a life
SEALING = [*BEGIN, *FREEZE, "insert into sealed", "inserted into sealed", "unlink", "sync_folder"]
DROPPING = ["drop", "dropped"]
_REPORTS = cycle(("traffic", "countries", "pages"))


def seal_and_drop(engine: Engine, data: Path, day: int, at: int) -> list[str]:
    """A day is sealed, late events come for it, and it is dropped; killed before one step, then the next life goes on.

    In between it is asked all the time. Returns the steps that sealing and dropping took.
    """
    clock = SteppedClock(day * DAY_S)
    desk = Desk(engine, clock)
    node = Node(engine, data, clock)
    node.place.write(hits(day, 12), hits(day, 5, country="FR"))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.steps.at, node.steps.taken = at, []
    _live(node, node.seal, lambda: _assert_exact(desk, day, 17))
    sealed = len(node.steps.taken)
    node.place.write(hits(day, 11))
    _live(node, node.load, lambda: None)
    taken = node.steps.taken[:sealed]
    late = len(node.steps.taken)
    for _ in range(3):
        clock.at += 601
        _live(node, node.seal, lambda: _assert_exact(desk, day, 28))
    for _ in range(3):
        _assert_exact(desk, day, 28)
    assert hot_days(engine.writer(), node.place.node) == []
    assert node.place.files() == []
    return taken + node.steps.taken[late:] if not at else node.steps.taken


def _live(node: Node, what: Callable[[], object], between: Callable[[], None]) -> None:
    """Do it in this life and, where it ends, in the next."""
    node.steps.between = between
    try:
        what()
    except KilledError:
        node.begin()
        what()
    node.steps.between = lambda: None


def _assert_exact(desk: Desk, day: int, events: int) -> None:
    report = next(_REPORTS)
    assert desk.per_day(report, day, day).total() == events, report


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_before_any_step_every_question_in_between_is_exact(engine: Engine, tmp_path: Path, every: int) -> None:
    assert seal_and_drop(engine, tmp_path / "0", next(_DAYS), 0) == SEALING + DROPPING
    at = -random.randrange(every)  # other ones each time
    while True:
        at += every
        taken = seal_and_drop(engine, tmp_path / str(at), next(_DAYS), at)
        if len(taken) < at:
            break
    assert at > len(SEALING + DROPPING) + 5


# --- for weeks --------------------------------------------------------------------------------------------------------


@dataclass
class Weeks:
    """Two collectors with one database, their clock, and what each of them must have counted by day."""

    engine: Engine
    folder: Path
    first: int
    dice: random.Random
    events: Counter[str] = field(default_factory=Counter)
    visitors: Counter[str] = field(default_factory=Counter)
    stuck: dict[tuple[int, int], float] = field(default_factory=dict)
    asked: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock = SteppedClock(self.first * DAY_S)
        self.desk = Desk(self.engine, self.clock)
        self.nodes = [Node(self.engine, self.folder / name, self.clock) for name in ("one", "two")]

    def pass_time(self, hours: int) -> None:
        """Events come, of now and late ones, are loaded and sealed; whoever does it is killed again and again."""
        self.clock.at += hours * HOUR_S
        for number, node in enumerate(self.nodes):
            for _ in range(self.dice.randrange(1, 3)):
                frame = [hit for _ in range(self.dice.randrange(1, 4)) for hit in self._crowd(number)]
                if frame:
                    node.place.write(frame, worker=self.dice.randrange(2))
            self._kill_now_and_then(node, node.load, lambda: None)
        self.assert_exact()
        for _ in range(3):
            for node in self.nodes:
                self._kill_now_and_then(node, node.seal, self.assert_exact)
            self.clock.at += 700
        if self.dice.random() < 0.7:  # else a seal may be on its way while more is loaded
            for node in self.nodes:
                node.seal()
                node.load()
            assert not self._is_any_held_back()
        self.assert_exact()
        self.assert_in_time()

    def assert_exact(self) -> None:
        """Whoever asks now is told everything that came, once; a report at a time, one after the other."""
        if self._is_any_held_back():
            return
        report = ("traffic", "countries", "pages", "sources")[self.asked % 4]
        self.asked += 1
        today = int(self.clock.at) // DAY_S
        assert self.desk.per_day(report, self.first - 4, today) == self.events, report
        if report == "traffic":
            assert self.desk.ask(report, self.first - 4, today).totals["visitor_days"] == self.visitors.total()

    def assert_in_time(self) -> None:
        """No day lies in `hot` 72 hours after its end, nor one whose events came that late for a day longer."""
        client = self.engine.writer()
        for number, node in enumerate(self.nodes):
            for day in hot_days(client, node.place.node):
                until = max((day + 1) * DAY_S + ALARM_S, self.stuck.get((number, day), 0) + DAY_S)
                assert self.clock.at <= until, f"day {day - self.first} of {number}"
        client.close()

    def _is_any_held_back(self) -> bool:
        """Whether batches wait until a day is sealed: then they are in no answer yet."""
        return any(list((node.place.data / "frozen").glob("*.batches")) for node in self.nodes)

    def _crowd(self, number: int) -> list[tuple[Event, int]]:
        """Some hits of one page and country, of one of the last hours or, stuck somewhere, of a day that is sealed.

        On every third day a node has only the latter.
        """
        late_hours = self.dice.choice((0, 0, 0, 1, 5, 24, LATE_HOURS, 80))
        hour = int(self.clock.at) // HOUR_S - late_hours
        if late_hours > LATE_HOURS:
            self.stuck[number, hour // 24] = self.clock.at
        elif hour // 24 % 3 == number:
            return []
        size, marks = self.dice.choice((1, 2, 9, 10, 25)), self.dice.choice((0, ALL_NEW, ALL_NEW))
        facts = {"path": f"/{self.dice.randrange(5)}", "country": self.dice.choice(("DE", "FR", "IS")), "entry": True}
        day = date_of(hour // 24)
        self.events[day] += size
        self.visitors[day] += size if marks else 0
        return [(event("page_hit", hour, source="(direct)", **facts), marks)] * size

    def _kill_now_and_then(self, node: Node, what: Callable[[], object], between: Callable[[], None]) -> None:
        """Do it; perhaps it dies before one of its next steps, and so may the next life, or that waits a while."""
        node.steps.between = between
        while True:
            node.steps.taken.clear()
            node.steps.at = self.dice.randrange(1, 24) if self.dice.random() < 0.7 else 0
            try:
                what()
            except KilledError as killed:
                self.kills[str(killed)] += 1
                node.begin()
                if what == node.seal and self.dice.random() < 0.5:
                    break
            else:
                break
        node.steps.at, node.steps.between = 0, lambda: None


def run_weeks(engine: Engine, folder: Path, days: int, hours: int, seed: int) -> Weeks:
    weeks = Weeks(engine, folder, next(_DAYS), random.Random(seed))
    for _ in range(days * 24 // hours):
        weeks.pass_time(hours)
    return weeks


def assert_all_sealed(weeks: Weeks, client: Client) -> None:
    """Once nothing comes any more, all lies in `sealed`, folded."""
    for _ in range(5):
        weeks.clock.at += DAY_S
        for node in weeks.nodes:
            node.work()
            for _ in range(3):
                node.seal()
                weeks.clock.at += 700
    for node in weeks.nodes:
        assert hot_days(client, node.place.node) == []
        assert node.place.files() == []
        assert node.place.late_days[-1] == 0
    for _ in range(4):
        weeks.assert_exact()
    client.command("OPTIMIZE TABLE sealed FINAL")
    for _ in range(4):
        weeks.assert_exact()
    assert named_under_k(client) == 0


@pytest.mark.slow
def test_two_collectors_that_are_killed_all_the_time_seal_a_week_of_one_database_exactly(
    engine: Engine, client: Client, tmp_path: Path
) -> None:
    weeks = run_weeks(engine, tmp_path, days=7, hours=12, seed=1)
    assert_all_sealed(weeks, client)


@pytest.mark.slow
def test_two_collectors_that_are_killed_all_the_time_seal_40_days_of_one_database_exactly(
    engine: Engine, client: Client, tmp_path: Path
) -> None:
    weeks = run_weeks(engine, tmp_path, days=40, hours=6, seed=2)
    assert_all_sealed(weeks, client)
    assert set(weeks.kills) >= {*FREEZE, "insert into sealed", "inserted into sealed", "unlink", *DROPPING}
