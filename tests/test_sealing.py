"""Days are sealed: what a day says before and after, when it is due, what comes late, what is dropped and when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from collector.cell import OTHER, CellKey, Counters
from collector.disk import DISK
from collector.stats.answer import Answer
from collector.warehouse.batch import freeze
from collector.warehouse.engine import Engine
from collector.warehouse.writing import Writing
from tests.loading import DECLARATIONS
from tests.memory_reading import PLAYER, SITE, SteppedClock
from tests.sealing import (
    DAY_S,
    DUE_S,
    FIRST_DAY,
    Desk,
    Node,
    hits,
    hot_days,
    named_under_k,
    sealed_rows,
)
from tests.storing import ENGINES, open_engine

HOURS_72_S = 4 * DAY_S


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(request.param, tmp_path_factory.mktemp("sealing")) as engine:
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


def random_cells(day: int, node: int) -> dict[CellKey, Counters]:
    """Cells of every report, some large, most small; some counted in a second epoch, one of no declared report."""
    dice = random.Random(node)
    cells: dict[CellKey, Counters] = {}
    for report in DECLARATIONS.reports.values():
        is_site = any("site" in DECLARATIONS.kinds[kind]["properties"] for kind in report.kinds)
        for _ in range(60 if report.by else 5):
            hour = dice.randrange(24) if report.grain == "hour" else 0
            values = tuple(f"{name}{min(dice.randrange(9), dice.randrange(9))}" for name in report.by)
            networks = dice.choice((0, 1, 1, 2, 3, 12, 40))
            counters = Counters(networks + 2, networks, networks, networks // 2, networks * 3)
            property_id = SITE if is_site else PLAYER
            cells[CellKey(report.name, property_id, day * DAY_S + hour * 3600, values, dice.choice((1, 1, 2)))] = (
                counters
            )
    return cells


def put(engine: Engine, folder: Path, node: int, day: int, cells: dict[CellKey, Counters]) -> None:
    """Bring cells into `hot` as a batch would."""
    frozen = freeze(DISK, folder, node=node, segments=[f"{node:016x}-9-1-1"], days={day: cells}, events={day: 1})
    for batch in frozen.batches:
        assert Writing(engine).insert_once(batch)
    frozen.path.unlink()


def all_answers(desk: Desk, day: int) -> dict[tuple[str, str, str], Answer]:
    """What every report says of a day, by everything and by less."""
    asked = {}
    for report in DECLARATIONS.reports.values():
        for property_id in (SITE, PLAYER):
            for by in (",".join(report.by), *report.by):
                asked[report.name, property_id, by] = desk.ask(
                    report.name, day, day, property_id, interval=report.grain, **({"by": by} if by else {})
                )
    return asked


def test_every_report_says_of_a_day_after_it_is_sealed_what_it_said_before(
    engine: Engine, client: Client, tmp_path: Path, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    put(engine, tmp_path, node.place.node, day, random_cells(day, node.place.node))
    clock.at = day * DAY_S + DUE_S
    before = all_answers(desk, day)
    assert sum(bool(answer.rows) for answer in before.values()) > 30
    node.work()
    assert hot_days(client, node.place.node) == [day]
    after = all_answers(desk, day)
    for asked, answer in before.items():
        assert (after[asked].rows, after[asked].totals) == (answer.rows, answer.totals), asked
        assert after[asked].as_of is None
        counted_again = answer.question.report.visitors and answer.rows
        assert list(after[asked].epochs.values()) == ([2] if counted_again else [])
    clock.at += 601
    node.work()
    assert hot_days(client, node.place.node) == []
    assert {asked: answer.rows for asked, answer in all_answers(desk, day).items()} == {
        asked: answer.rows for asked, answer in after.items()
    }
    assert named_under_k(client) == 0


def test_a_day_is_sealed_ten_minutes_after_48_hours_and_dropped_ten_minutes_after_that(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    clock.at = day * DAY_S + DUE_S - 1
    node.sealer.run()
    assert sealed_rows(client, node.place.node) == []
    clock.at += 61
    node.sealer.run()
    sealed = sealed_rows(client, node.place.node, "d1, sum(events), sum(networks)")
    assert ("DE", 12, 12) in sealed
    clock.at += 61
    node.sealer.run()  # sees it sealed
    clock.at += 599
    node.sealer.run()
    assert hot_days(client, node.place.node) == [day]
    clock.at += 61
    node.sealer.run()
    assert hot_days(client, node.place.node) == []
    assert node.place.files() == []


def test_a_new_process_waits_its_own_ten_minutes_before_it_drops(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.sealer.run()
    clock.at += 3600
    node.begin()
    node.sealer.run()
    assert hot_days(client, node.place.node) == [day]
    clock.at += 601
    node.sealer.run()
    assert hot_days(client, node.place.node) == []


def test_days_are_sealed_in_their_order_and_empty_ones_are_passed_over(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    for each in (day, day + 1, day + 4):
        node.place.write(hits(each, 12))
    node.load()
    clock.at = (day + 4) * DAY_S + DUE_S
    told = node.sealer.seal_due()
    assert [each.day for each in told.sealed] == [day, day + 1, day + 4]
    assert (told.open, told.more) == ([], False)


def test_what_is_not_due_says_when_it_will_be(day: int, clock: SteppedClock, node: Node) -> None:
    node.place.write(hits(day, 3))
    node.load()
    (waits,) = node.sealer.seal_due().open
    assert (waits.day, waits.due_s, waits.blocked) == (day, day * DAY_S + DUE_S, "")


def test_a_frozen_batch_of_the_day_blocks_it_and_all_later_ones(day: int, clock: SteppedClock, node: Node) -> None:
    for each in (day, day + 1):
        node.place.write(hits(each, 3))
    node.load()
    frozen = node.place.data / "frozen"
    freeze(DISK, frozen, node=node.place.node, segments=[f"{node.place.node:016x}-0-1-77"], days={}, events={day: 5})
    clock.at = (day + 1) * DAY_S + DUE_S
    first, second = node.sealer.seal_due().open
    assert first.blocked == f"not loaded yet: {node.place.node:016x}-0-1-77.batches"
    assert second.blocked == "an earlier day comes first"
    node.begin()
    node.load()
    assert [each.day for each in node.sealer.seal_due().sealed] == [day, day + 1]


def test_segments_that_lay_there_when_the_day_got_due_are_loaded_first_and_later_ones_not_waited_for(
    client: Client, day: int, clock: SteppedClock, node: Node
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    open_segment = node.place.write(hits(day + 1, 1), closed=False)
    clock.at = day * DAY_S + DUE_S
    assert node.sealer.seal_due().open[0].blocked == "segments that are not loaded yet: 1"
    later = node.place.write(hits(day + 1, 1), closed=False)
    open_segment.unlink()
    assert [each.day for each in node.sealer.seal_due().sealed] == [day]
    assert later.exists()


def test_a_segment_that_cannot_be_loaded_holds_a_day_up_for_half_a_day_only(
    day: int, clock: SteppedClock, node: Node
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    node.place.write(hits(day, 1), closed=False)
    clock.at = day * DAY_S + DUE_S
    assert node.sealer.seal_due().open[0].blocked
    clock.at += DAY_S // 2
    assert node.sealer.seal_due().sealed


def test_what_comes_after_the_seal_is_folded_by_itself_and_counts_once(
    client: Client, day: int, clock: SteppedClock, node: Node, desk: Desk
) -> None:
    node.place.write(hits(day, 12))
    node.load()
    clock.at = day * DAY_S + DUE_S
    node.sealer.run()
    node.place.write(hits(day, 3), hits(day, 2, country="FR"))
    node.load()
    node.place.write(hits(day, 11, country="FR"))
    assert node.load() == 11
    answer = desk.ask("countries", day, day)
    assert answer.rows == (("DE", 12, 12), ("FR", 11, 11), (OTHER, 5, None))
    assert desk.ask("traffic", day, day).totals == {"events": 28, "visitors": 28, "amount": 28}
    client.command("OPTIMIZE TABLE sealed FINAL")
    assert desk.ask("countries", day, day).rows == answer.rows
    assert named_under_k(client) == 0
    assert node.place.files() == []


def test_a_report_that_is_not_declared_any_more_is_sealed_as_its_total(
    engine: Engine, client: Client, tmp_path: Path, day: int, clock: SteppedClock, node: Node
) -> None:
    cells = {
        CellKey("gone", SITE, day * DAY_S, ("a", "b"), 1): Counters(20, 20, 20, 20, 0),
        CellKey("gone", SITE, day * DAY_S, ("a", "c"), 1): Counters(1, 1, 1, 1, 0),
    }
    put(engine, tmp_path, node.place.node, day, cells)
    clock.at = day * DAY_S + DUE_S
    node.sealer.run()
    assert sealed_rows(client, node.place.node, "d1, d2, d3, sum(events), sum(visitors)") == [(OTHER, OTHER, "", 21, 0)]
