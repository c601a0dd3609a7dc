"""A server that is away, cut off, full, killed or hanging: every batch exactly once, and later."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from collector.catalogue.declarations import read_declarations
from collector.errors import Unavailable
from collector.warehouse.batch import Batch
from collector.warehouse.insert_once import PINNED
from collector.warehouse.reading import Reading
from collector.warehouse.server import Server
from collector.warehouse.tables import HOT
from collector.warehouse.writing import Writing
from tests.clickhouse_http import ClickHouseHttp
from tests.stack import eventually
from tests.storing import DAY, batch_of, pages


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseHttp]:
    harness = ClickHouseHttp(tmp_path_factory.mktemp("server"))
    yield harness
    harness.stop()


@pytest.fixture
def server(harness: ClickHouseHttp) -> Iterator[Server]:
    with closing(Server(harness.url())) as server:
        yield server


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return batch_of(tmp_path, secrets.randbits(64), pages(3))


def counted(server: Server, batch: Batch) -> list[tuple[object, ...]]:
    """Events and markers of the batch's partition."""
    statement = "SELECT sumIf(events, report != ''), countIf(report = '') FROM hot WHERE node = {n:UInt64}"
    return [tuple(row) for row in server.writer().query(statement, parameters={"n": batch.node}).result_rows]


def until_there(writing: Writing, batch: Batch) -> int:
    """Insert it as the loader does, again while the database is away; how many calls failed."""
    failures = 0
    sleep = threading.Event().wait
    while True:
        try:
            writing.insert_once(batch)
        except Unavailable:
            failures += 1
            assert failures < 40
            sleep(0.05)  # the database is left alone for a moment after a failed contact
        else:
            return failures


def is_unavailable(call: Callable[..., object], *args: object) -> None:
    with pytest.raises(Unavailable):
        call(*args)


CUTS = ["reset_before", "reset_during", "reset_after", "truncate", "shorten"]
STATEMENTS = ["INSERT", "sum(amount)", "KILL"]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("cut", "statement"), [("reset_upload", "INSERT"), *((cut, statement) for cut in CUTS for statement in STATEMENTS)]
)
def test_a_connection_that_is_cut_anywhere_costs_nothing_and_doubles_nothing(
    harness: ClickHouseHttp, server: Server, batch: Batch, cut: str, statement: str, times: int
) -> None:
    writing = Writing(server)
    writing.connect()
    harness.inject(cut, match=statement, count=times)
    until_there(writing, batch)
    until_there(writing, batch)
    assert harness.faults() < times
    harness.heal()
    assert counted(server, batch) == [(3, 1)]


def test_an_insert_is_never_repeated_unseen(harness: ClickHouseHttp, server: Server, batch: Batch) -> None:
    writing = Writing(server)
    writing.connect()
    harness.inject("reset_after", match="INSERT", count=2)
    assert writing.insert_once(batch)
    assert harness.faults() == 1
    harness.heal()


def test_an_insert_that_was_repeated_all_the_same_is_dropped_by_the_window(
    harness: ClickHouseHttp, server: Server, batch: Batch
) -> None:
    client = server.writer()
    Writing(server).connect()
    harness.inject("reset_after", match="INSERT")
    settings = PINNED | {"insert_deduplication_token": secrets.token_hex(8), "query_id": secrets.token_hex(8)}
    # bytes, which the client repeats by itself
    client.raw_insert(batch.table, list(HOT.columns), batch.body(), settings=settings, fmt="JSONCompactEachRow")
    assert harness.faults() == 0
    assert counted(server, batch) == [(3, 1)]


@pytest.mark.parametrize("code", [252, 241, 159, 164, 202, 210, 243, 242, 516, 497, 1000])
def test_what_may_pass_is_waited_for(harness: ClickHouseHttp, server: Server, batch: Batch, code: int) -> None:
    writing = Writing(server)
    writing.connect()
    harness.inject("error", match="INSERT", count=3, code=code)
    assert until_there(writing, batch) == 3
    assert counted(server, batch) == [(3, 1)]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_proxy_that_refuses_is_waited_for(harness: ClickHouseHttp, server: Server, batch: Batch, status: int) -> None:
    writing = Writing(server)
    writing.connect()
    harness.inject("status", match="INSERT", count=3, status=status)
    assert until_there(writing, batch) == 3
    assert counted(server, batch) == [(3, 1)]


@pytest.mark.parametrize("moment", ["kill_before", "kill_mid", "kill_after"])
def test_a_server_killed_at_an_insert_and_restarted_has_it_once(
    harness: ClickHouseHttp, server: Server, batch: Batch, moment: str
) -> None:
    writing = Writing(server)
    writing.connect()
    harness.inject(moment, match="INSERT", seconds=0.002)
    with suppress(Unavailable):
        writing.insert_once(batch)
    harness.wait_killed()
    with pytest.raises(Unavailable):
        writing.insert_once(batch)
    harness.start()
    until_there(writing, batch)
    assert counted(server, batch) == [(3, 1)]


def test_an_attempt_that_still_waits_is_ended_before_its_marker_is_looked_for(
    harness: ClickHouseHttp, batch: Batch
) -> None:
    harness.inject("delay", match="INSERT", seconds=3)
    given_up, patient = Server(harness.url()), Server(harness.url())
    first = Writing(given_up)
    first.connect()
    thread = threading.Thread(target=is_unavailable, args=(first.insert_once, batch))
    thread.start()
    eventually(lambda: not harness.faults(), "the statement has come")
    given_up.cancel()  # the client is gone, the server goes on
    thread.join()
    assert Writing(patient).insert_once(batch)
    eventually(lambda: not harness.running(), "the first attempt has ended")
    assert counted(patient, batch) == [(3, 1)]
    given_up.close()
    patient.close()


def test_an_attempt_that_still_runs_is_waited_for(harness: ClickHouseHttp, server: Server, tmp_path: Path) -> None:
    large = batch_of(tmp_path, secrets.randbits(64), pages(150_000))
    writing = Writing(server)
    writing.connect()
    harness.inject("reset_during", match="INSERT", seconds=0)
    assert until_there(writing, large) == 0
    assert counted(server, large) == [(150_000, 1)]


def test_questions_are_unavailable_while_the_server_is_away_and_answered_when_it_is_back(
    harness: ClickHouseHttp, server: Server
) -> None:
    report = read_declarations().reports["pages"]
    Writing(server).connect()
    reading = Reading(server)
    assert reading.cells(report, "nobody", DAY, DAY) == []
    harness.kill()
    for _ in range(2):
        with pytest.raises(Unavailable):
            reading.cells(report, "nobody", DAY, DAY)
    harness.start()
    assert reading.cells(report, "nobody", DAY, DAY) == []


def test_a_hanging_server_does_not_keep_the_collector_from_stopping(harness: ClickHouseHttp) -> None:
    server = Server(harness.url())
    reading = Reading(server)
    reading.bounds("nobody", DAY, DAY)
    harness.inject("delay", match="cell_networks", seconds=5)
    thread = threading.Thread(target=is_unavailable, args=(reading.bounds, "nobody", DAY, DAY))
    thread.start()
    eventually(lambda: not harness.faults(), "the statement has come")
    began = time.monotonic()
    server.cancel()
    thread.join()
    assert time.monotonic() - began < 3
    server.close()
