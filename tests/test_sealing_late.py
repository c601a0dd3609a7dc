"""After a day is sealed: what comes late, out of quarantine, of a collector that is gone; and days nobody seals."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from collector.cell import OTHER
from collector.errors import Misconfigured, Unavailable
from collector.warehouse.batch import seal_name
from collector.warehouse.engine import Engine
from tests.loading import event
from tests.memory_reading import SteppedClock
from tests.sealing import (
    DAY_S,
    DUE_S,
    FIRST_DAY,
    Desk,
    KilledError,
    Node,
    hits,
    hot_days,
    noon,
    sealed_rows,
)
from tests.storing import open_engine

HOURS_72_S = 4 * DAY_S


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("sealing")) as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Client:
    return engine.writer()


_DAYS = count(FIRST_DAY, 10)


@pytest.fixture
def day() -> int:
    """A day of the test's own, and nine after it: answers are about all nodes."""
    return next(_DAYS)


@pytest.fixture
def clock(day: int) -> SteppedClock:
    return SteppedClock(day * DAY_S + DAY_S // 2)


@pytest.fixture
def node(engine: Engine, tmp_path: Path, clock: SteppedClock) -> Node:
    return Node(engine, tmp_path, clock)


@pytest.fixture
def desk(engine: Engine, clock: SteppedClock) -> Desk:
    return Desk(engine, clock)


def test_late_crowds_are_their_own_and_under_k_they_leave_totals_of_ours_too(
    day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    node.place.write(hits(day, 12, path="/a"))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.sealer.run()
    node.place.write(hits(day, 9, path="/a"))
    node.load()
    assert desk.ask("pages", day, day).rows == (("/a", 12, 12), (OTHER, 9, None))


def test_a_merge_adds_counts_and_leaves_a_proven_bound(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.sealer.run()
    node.place.write(hits(day, 30))
    node.load()
    client.command("OPTIMIZE TABLE sealed FINAL")
    counted = "report, d1, events, visitors, networks, firsts"
    (row,) = [row for row in sealed_rows(client, node.place.node, counted) if row[0] == "countries"]
    assert row[:4] == ("countries", "DE", 42, 42)
    assert row[4] in {12, 30}
    assert row[5] == 0


def test_what_comes_for_an_empty_day_before_the_one_being_sealed_waits_and_is_not_dropped_with_it(
    client: Client, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    node.place.write(hits(day + 1, 12))
    node.load()
    clock.at = (day + 1) * DAY_S + DUE_S
    node.steps.taken, node.steps.at = [], 7
    with pytest.raises(KilledError, match="insert into sealed"):
        node.sealer.run()
    node.begin()
    node.place.write(hits(day, 5))
    assert node.load() == 0  # `hot` may not take it: the seal that is on its way speaks for all days before, too
    for _ in range(3):
        node.work()
        assert desk.per_day("traffic", day, day + 1).total() == 17
        clock.at += 601
    assert hot_days(client, node.place.node) == []
    assert node.place.files() == []


def test_a_day_older_than_what_is_kept_goes_with_the_next_that_is_sealed_and_what_comes_for_it_is_set_aside(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    long_ago = 10_000  # some clock was wrong; the engine lets go of rows of 1997 at once
    node.place.write(hits(long_ago, 3), hits(day, 12))
    node.load()
    clock.at = day * DAY_S + DUE_S
    told = node.sealer.seal_due()
    assert ([each.day for each in told.sealed], told.open) == ([day], [])
    for _ in range(2):
        node.sealer.run()
        clock.at += 601
    node.sealer.run()
    assert hot_days(client, node.place.node) == []
    node.place.write(hits(long_ago, 1))
    assert node.load() == 0
    assert [kept.events for kept in node.loader.quarantine.list()] == [1]


def test_what_is_refused_for_good_and_taken_after_the_seal_counts_once(
    client: Client, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    node.place.write(hits(day, 12), [(event("page_leave", noon(day), path="/", seconds=-1), 0)])
    node.place.write(hits(day + 1, 12))
    node.load()
    (kept,) = node.loader.quarantine.list()
    node.place.write(hits(day, 10))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.work()
    assert desk.per_day("traffic", day, day).total() == 10
    retried = node.loader.retry(kept.name)  # still refused, in the other table, too
    assert retried.refused == kept.events
    assert desk.per_day("traffic", day, day).total() == 10
    assert len(node.loader.quarantine.list()) == 1


def test_a_batch_in_quarantine_that_is_counted_already_is_not_counted_again_after_the_seal(
    client: Client, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    path = node.place.write(hits(day, 12))
    kept = node.place.data / "quarantine" / f"{path.name.partition('.')[0]}.batches"

    def keep_a_copy() -> None:
        for frozen in (node.place.data / "frozen").glob("*.batches"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(frozen.read_bytes())

    node.steps.between = keep_a_copy  # as a disk too full to keep what was refused apart leaves it
    assert node.load() == 12
    node.steps.between = lambda: None
    clock.at = day * DAY_S + DUE_S
    node.work()
    clock.at += 601
    node.work()
    assert hot_days(client, node.place.node) == []
    assert node.loader.retry(kept.name).loaded == 12
    assert desk.per_day("traffic", day, day).total() == 12
    assert node.place.files() == []


def test_days_of_a_dead_node_are_sealed_by_another_and_its_own_collector_refuses_to_go_on(
    engine: Engine, client: Client, tmp_path: Path, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    dead = Node(engine, tmp_path / "dead", clock)
    for each in (day, day + 1, day + 3):
        dead.place.write(hits(each, 12))
    dead.load()
    clock.at = (day + 1) * DAY_S + DUE_S - 600  # no margin for the dead
    told = node.sealer.seal_dead(dead.place.node)
    assert [each.day for each in told.sealed] == [day, day + 1]
    assert [each.day for each in told.open] == [day + 3]
    assert client.query(
        "SELECT DISTINCT d3 FROM sealed WHERE d2 = 'sealed' AND node = {n:UInt64}", parameters={"n": dead.place.node}
    ).result_rows == [(f"{node.place.node:016x}",)]
    clock.at += 61
    node.sealer.run()
    clock.at += 601
    node.sealer.run()
    assert hot_days(client, dead.place.node) == [day + 3]
    assert desk.per_day("traffic", day, day + 3).total() == 36
    dead.place.write(hits(day + 3, 1))
    with pytest.raises(Misconfigured, match="start with a new data directory"):
        dead.load()
    with pytest.raises(Misconfigured, match="start with a new data directory"):
        dead.sealer.run()
    with pytest.raises(Misconfigured, match="the node that runs here"):
        node.sealer.seal_dead(node.place.node)


def test_a_day_that_cannot_be_sealed_is_told_and_holds_up_only_what_comes_for_it(
    client: Client, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    client.command(
        "INSERT INTO sealed (node, bucket, d1, amount) VALUES"
        f" ({node.place.node}, {day * DAY_S}, '{seal_name(node.place.node, day)}', 77)"
    )
    late_before = days_late(node, clock, day * DAY_S + HOURS_72_S)
    clock.at += 61
    node.sealer.run()
    assert node.place.late_days[-1] == late_before + 1
    with pytest.raises(Unavailable, match="sealing is stopped"):
        node.sealer.seal_due()
    node.place.write(hits(day, 1))
    assert node.load() == 0
    node.place.write(hits(day + 3, 2))
    assert node.load() == 2
    assert desk.per_day("traffic", day, day + 3).total() == 14
    assert [Path(name).suffix for name in node.place.files()] == [".batches", ".batches"]
    client.command(f"ALTER TABLE sealed DELETE WHERE node = {node.place.node} SETTINGS mutations_sync = 1")
    clock.at += 61
    node.sealer.run()
    assert node.load() == 1
    assert desk.per_day("traffic", day, day + 3).total() == 15
    assert node.place.files() == []


def days_late(node: Node, clock: SteppedClock, at: float) -> int:
    """How many days, of whichever node, are late at that time."""
    clock.at = at
    node.sealer.run()
    return node.place.late_days[-1]


def test_days_that_lie_unsealed_72_hours_after_their_end_are_told_whosever_they_are(
    engine: Engine, tmp_path: Path, day: int, clock: SteppedClock, node: Node, capfd: pytest.CaptureFixture[str]
) -> None:
    dead = Node(engine, tmp_path / "dead", clock)
    dead.place.write(hits(day, 1))
    dead.load()
    before = days_late(node, clock, day * DAY_S + HOURS_72_S)
    clock.at += 61
    node.sealer.run()
    assert node.place.late_days[-1] == before + 1
    assert "".join(capfd.readouterr()).count("ended 72 hours ago") == 1  # hourly at most
