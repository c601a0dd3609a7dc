"""A backup answers the same questions on an empty machine; damaged, or killed on its way in, it does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from clickhouse_connect.driver.client import Client

from collector.disk import DISK, Disk
from collector.errors import Misconfigured, Unavailable
from collector.warehouse.backing_up import backup_of, portions
from collector.warehouse.backup_file import MAX_ROWS, Row, Writer, month_of
from collector.warehouse.engine import Engine
from collector.warehouse.restoring import Restoring, Whole, unfinished, whole
from collector.warehouse.writing import Writing
from tests.backing_up import DAYS, answered, chunks_in, empty, hundred, random_events, rows_there, written
from tests.loading import DECLARATIONS
from tests.memory_reading import SteppedClock
from tests.sealing import DAY_S, DUE_S, KilledError, Node, SteppedDisk, SteppedEngine, Steps, date_of, hits
from tests.storing import open_engine

IMPORTED = b'{"files":[]}'
SEED = 8


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine("embedded", tmp_path_factory.mktemp("backup")) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine: Engine) -> Client:
    return engine.writer()


class Made:
    """What two nodes sealed, the answers to a hundred questions about it, and a backup of it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        empty(engine.writer())
        self.clock = SteppedClock(DAYS[0] * DAY_S)
        for number in range(2):
            node = Node(engine, folder / str(number), self.clock)
            node.place.write(*(random_events(day * 2 + number, day, 400) for day in DAYS))
            node.load()
            self.clock.at = DAYS[-1] * DAY_S + DUE_S
            while node.sealer.seal_due().more:
                pass
            node.place.write(random_events(number, DAYS[0], 30))  # comes late
            node.load()
        self.questions = hundred(SEED, DAYS)
        self.answers = answered(engine, self.clock, self.questions, folder)
        self.path = written(engine, self.clock, folder / "backup", IMPORTED)
        self.data = self.path.read_bytes()
        self.whole = whole(self.path)


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(engine, tmp_path_factory.mktemp("made"))


def restore(engine: Engine, data: Path, backup: Whole, disk: Disk = DISK) -> None:
    data.mkdir(exist_ok=True)
    Restoring(disk, data, Writing(engine)).restore(backup)


# --- the same answers -------------------------------------------------------------------------------------------------


def test_a_hundred_questions_are_answered_alike_on_an_empty_machine(
    engine: Engine, client: Client, made: Made, tmp_path: Path
) -> None:
    told = [orjson.loads(answer) for answer in made.answers]
    assert sum(answer["totals"]["events"] > 0 for answer in told) > 60, "they ask something"
    assert sum(len(answer["rows"]) > 1 for answer in told) > 20
    empty(client)
    restore(engine, tmp_path / "data", made.whole)
    assert answered(engine, made.clock, made.questions, tmp_path) == made.answers
    assert chunks_in(written(engine, made.clock, tmp_path / "again").read_bytes()) == chunks_in(made.data)
    assert (tmp_path / "data" / "imports" / "imported.json").read_bytes() == IMPORTED
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["imports"]

    node = Node(engine, tmp_path / "new", SteppedClock(made.clock.at))
    node.place.write(hits(DAYS[-1] + 1, 40), hits(DAYS[2], 40))  # a new machine, with a late event for a restored day
    node.load()
    node.clock.at += DAY_S * 2
    assert {sealed.day for sealed in node.sealer.seal_due().sealed} == {DAYS[2], DAYS[-1] + 1}
    questions = [each for each in made.questions if each.report.name not in ("traffic", "countries", "pages")]
    before = dict(zip(map(id, made.questions), made.answers, strict=True))
    kept = [each for each in questions if "page_hit" not in each.report.kinds]
    assert answered(engine, made.clock, kept, tmp_path) == [before[id(each)] for each in kept]


def test_merges_make_no_difference(engine: Engine, client: Client, made: Made, tmp_path: Path) -> None:
    empty(client)
    restore(engine, tmp_path / "data", made.whole)
    client.command("OPTIMIZE TABLE sealed FINAL")
    assert chunks_in(written(engine, made.clock, tmp_path / "again").read_bytes()) == chunks_in(made.data)


@pytest.mark.slow
def test_from_the_engine_inside_to_a_server(engine: Engine, made: Made, tmp_path: Path) -> None:
    with open_engine("http", tmp_path / "server") as server:
        restore(server, tmp_path / "data", made.whole)
        assert answered(server, made.clock, made.questions, tmp_path) == made.answers
        assert chunks_in(written(server, made.clock, tmp_path / "again").read_bytes()) == chunks_in(made.data)


# --- of one state -----------------------------------------------------------------------------------------------------


def test_a_day_that_is_sealed_meanwhile_is_not_in_it(
    engine: Engine, client: Client, made: Made, tmp_path: Path
) -> None:
    empty(client)
    restore(engine, tmp_path / "data", made.whole)
    pieces = backup_of(engine, DECLARATIONS, made.clock, lambda: None)
    begun = next(pieces) + next(pieces)
    for name, of, day in (("new", 99, DAYS[0]), ("old", made.whole.header.through[0][0], DAYS[-1] + 1)):
        node = Node(engine, tmp_path / name, SteppedClock(day * DAY_S + DUE_S))
        node.place.node = of
        node.begin()
        node.place.write(hits(day, 40))
        node.load()
        assert node.sealer.seal_due().sealed
    assert chunks_in(begun + b"".join(pieces)) == chunks_in(made.data)


def test_what_comes_late_meanwhile_is_noticed(engine: Engine, client: Client, made: Made, tmp_path: Path) -> None:
    empty(client)
    node = Node(engine, tmp_path / "node", SteppedClock(DAYS[-1] * DAY_S + DUE_S))
    node.place.write(hits(DAYS[0], 12), hits(DAYS[-1], 12))
    node.load()
    node.sealer.seal_due()
    pieces = backup_of(engine, DECLARATIONS, made.clock, lambda: None)
    for _ in range(2):
        next(pieces)  # the header, and a chunk of January
    node.place.write(hits(DAYS[0], 1))
    node.load()
    with pytest.raises(Unavailable, match="late"):
        list(pieces)
    assert whole(written(engine, made.clock, tmp_path / "backup")).rows


def test_chunks_are_days_of_one_month_and_no_larger_than_they_may_be() -> None:
    days = [(day, MAX_ROWS // 3) for day in DAYS]
    assert list(portions(days)) == [(DAYS[0], DAYS[1], 1), (DAYS[2], DAYS[3], 1)]  # February begins
    assert list(portions([(DAYS[0], 1), (DAYS[1], 5 * MAX_ROWS + 1)])) == [
        (DAYS[0], DAYS[0], 1),
        (DAYS[1], DAYS[1], 6),
    ]
    assert list(portions([])) == []


# --- killed, and told again -------------------------------------------------------------------------------------------


def test_killed_before_any_step_the_next_restore_ends_it_and_no_row_is_there_twice(
    engine: Engine, client: Client, made: Made, tmp_path: Path
) -> None:
    at, ended = 0, False
    while not ended:
        at += 1
        empty(client)
        steps = Steps(at=at)
        data = tmp_path / str(at)
        data.mkdir()
        try:
            stepped = Restoring(SteppedDisk(steps), data, Writing(SteppedEngine(engine, steps)))
            stepped.restore(made.whole)
            ended = True
        except KilledError:
            if unfinished(DISK, data) is None:
                assert at <= 3 or rows_there(client) > 0
            restore_or_refuse(engine, client, data, made)
        assert chunks_in(written(engine, made.clock, tmp_path / "again").read_bytes()) == chunks_in(made.data), at
    assert at > 12


def restore_or_refuse(engine: Engine, client: Client, data: Path, made: Made) -> None:
    """Go on; where all was there and only that it was under way was forgotten, it is refused, and all is there."""
    try:
        restore(engine, data, made.whole)
    except Misconfigured as refused:
        assert "days are sealed here already" in str(refused)  # noqa: PT017 - only where it refuses
        assert unfinished(DISK, data) is None


def test_another_backup_and_counts_that_are_there_are_refused(
    engine: Engine, client: Client, made: Made, tmp_path: Path
) -> None:
    empty(client)
    restore(engine, tmp_path / "data", made.whole)
    rows = rows_there(client)
    with pytest.raises(Misconfigured, match="days are sealed here already"):
        restore(engine, tmp_path / "data", made.whole)
    (tmp_path / "data" / "restoring").write_bytes(b'{"backup":"0123456789abcdef"}')
    with pytest.raises(Misconfigured, match="another backup is being restored"):
        restore(engine, tmp_path / "data", made.whole)
    (tmp_path / "data" / "restoring").write_bytes(b"{")
    with pytest.raises(Misconfigured, match="restoring is damaged"):
        restore(engine, tmp_path / "data", made.whole)
    assert rows_there(client) == rows


def test_what_is_too_old_to_be_kept_is_left_out_and_may_be_left_out_twice(
    engine: Engine, client: Client, made: Made, tmp_path: Path
) -> None:
    kept_after = Writing(engine).kept_after()
    border = [day for day in range(kept_after - 1, kept_after + 3) if month_of(day) == month_of(kept_after + 1)]
    of_days: list[list[Row]] = [
        [[7, "pages", "www", day * DAY_S, "/", "", "", 3, 0, 0, 0, 0] for day in days]
        for days in ([kept_after - 120], border, [kept_after + 90])
    ]
    kept = [(3 + 3 * sum(day > kept_after for day in border),)]
    writer = Writer()
    header = replace(made.whole.header, through=[], rows=9)
    path = tmp_path / "backup"
    path.write_bytes(b"".join([writer.header(header), *map(writer.chunk, of_days), writer.end()]))
    empty(client)
    data = tmp_path / "data"
    restore(engine, data, whole(path))
    assert client.query("SELECT sum(events) FROM sealed").result_rows == kept
    (data / "restoring").write_bytes(orjson.dumps({"backup": whole(path).name}))  # as if killed at the end
    restore(engine, data, whole(path))
    assert client.query("SELECT sum(events) FROM sealed").result_rows == kept


# --- counts that a seal would hide ------------------------------------------------------------------------------------


class Surviving:
    """A collector that has sealed two days in each of two months, and goes on after the database was lost."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._client = engine.writer()
        empty(self._client)
        self.node = Node(engine, folder / "node", SteppedClock(DAYS[-1] * DAY_S + DUE_S))
        self.late(*DAYS, count=40)
        while self.node.sealer.seal_due().more:
            pass
        self.backup = whole(written(engine, self.node.clock, folder / "backup"))
        empty(self._client)
        self.node.begin()

    def late(self, *days: int, count: int = 25) -> None:
        """Load hits of these days that waited in its spool."""
        self.node.place.write(*(hits(day, count) for day in days))
        self.node.load()

    def events(self, table: str) -> int:
        query = f"SELECT sum(events) FROM {table} WHERE report = 'traffic'"
        return int(self._client.query(query).result_rows[0][0])


def test_a_day_that_waits_here_and_is_sealed_in_the_backup_is_not_hidden(engine: Engine, tmp_path: Path) -> None:
    it = Surviving(engine, tmp_path)
    it.late(DAYS[1], DAYS[-1] + 1)
    with pytest.raises(Misconfigured, match=rf"would be lost \({date_of(DAYS[1])}\): restore into a new"):
        restore(engine, tmp_path / "data", it.backup)
    assert (it.events("hot"), it.events("sealed"), unfinished(DISK, tmp_path / "data")) == (50, 0, None)


def test_days_that_are_open_in_the_backup_may_wait_here(engine: Engine, tmp_path: Path) -> None:
    it = Surviving(engine, tmp_path)
    it.late(DAYS[-1] + 1)
    restore(engine, tmp_path / "data", it.backup)
    assert (it.events("hot"), it.events("sealed")) == (25, 160)


def test_what_came_after_a_restore_was_killed_is_sealed_before_it_goes_on(engine: Engine, tmp_path: Path) -> None:
    it = Surviving(engine, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "restoring").write_bytes(orjson.dumps({"backup": it.backup.name}))  # killed before its first row
    it.late(DAYS[1])
    with pytest.raises(Misconfigured, match="collector seal"):
        restore(engine, data, it.backup)
    assert (it.events("hot"), it.events("sealed")) == (25, 0)
    it.node.sealer.seal_due()
    restore(engine, data, it.backup)
    assert (it.events("hot"), it.events("sealed")) == (25, 185)  # soon dropped there


def test_a_restore_does_not_end_well_where_a_day_it_seals_has_come_meanwhile(engine: Engine, tmp_path: Path) -> None:
    it = Surviving(engine, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    after_january = iter([lambda: it.late(DAYS[2])])  # its seal is not there yet
    with pytest.raises(Misconfigured, match=rf"{date_of(DAYS[2])}\): begin again with an empty database"):
        Restoring(DISK, data, Writing(engine)).restore(it.backup, lambda _: next(after_january, lambda: None)())
    assert unfinished(DISK, data) == it.backup.name
