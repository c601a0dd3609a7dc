"""What the database refused for good and takes at last is counted exactly once, with the collector running or not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from collector.warehouse.server import Server
from tests.clickhouse_http import ClickHouseHttp
from tests.engine_choice import needs_embedded
from tests.setting_aside import CONFIG, NODE, assert_adds_up, leave_behind, listed, only, quarantine
from tests.stack import ROOT, Stack, eventually

CONSTRAINT = "ALTER TABLE hot ADD CONSTRAINT nothing_bad CHECK d1 != '/bad'"
NO_CONSTRAINT = "ALTER TABLE hot DROP CONSTRAINT nothing_bad"
BAD = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/bad"}


# --- with a database that changes its mind ----------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ClickHouseHttp]:
    server = ClickHouseHttp(tmp_path / "database")
    yield server
    server.stop()


@pytest.fixture
def refusing(database: ClickHouseHttp, start_stack: Callable[..., Stack]) -> Stack:
    """A collector that received 7 hits which its database refuses for good, for the time being."""
    stack = start_stack(config=CONFIG, environ={"COLLECTOR_CLICKHOUSE": database.url()})
    refuse(database)
    assert stack.post([BAD] * 7).status in (200, 204)
    eventually(lambda: stack.counted("events_quarantined") == 7, "7 events set aside")
    return stack


def refuse(database: ClickHouseHttp) -> None:
    """Have the next insert violate a constraint."""
    database.inject("error", match="INSERT INTO", code=469)


def assert_counted_once(stack: Stack) -> None:
    for report in ("traffic", "pages"):
        assert stack.ask(report, property="www.example.org")["totals"]["events"] == 7
    assert listed(stack) == []


def test_what_the_database_takes_at_last_is_counted_exactly_once(refusing: Stack, database: ClickHouseHttp) -> None:
    name = only(refusing, ".batches")
    assert re.fullmatch(r"[0-9a-f]{16}-0-1-\d+\.batches", name)
    assert "/bad" not in refusing.log_text  # of what was received nothing is said
    refuse(database)
    assert quarantine(refusing, "retry", name).returncode == 1
    assert_adds_up(refusing, accepted=7, recovered=7, loaded=0, quarantined=14, pending=0)
    told = quarantine(refusing, "retry", name)
    assert (told.returncode, told.stdout) == (0, "Loaded: 7 events, each counted once.\n"), told.stderr
    assert_adds_up(refusing, accepted=7, recovered=14, loaded=7, quarantined=14, pending=0)
    assert_counted_once(refusing)
    assert quarantine(refusing, "retry", name).stderr == "Error: name: there is no such file in quarantine\n"
    refusing.stop()


def test_what_is_tried_while_the_database_is_away_waits_for_it(refusing: Stack, database: ClickHouseHttp) -> None:
    database.kill()
    told = quarantine(refusing, "retry", only(refusing, ".batches"))
    assert told.returncode == 0, told.stderr
    assert "until it is back and the collector runs: 7 events." in told.stdout
    assert_adds_up(refusing, accepted=7, recovered=7, loaded=0, quarantined=7, pending=7)
    refusing.restart()
    assert_adds_up(refusing, accepted=0, recovered=7, loaded=0, quarantined=0, pending=7)
    database.start()
    eventually(lambda: refusing.counted("events_loaded") == 7, "7 events loaded")
    assert_adds_up(refusing, accepted=0, recovered=7, loaded=7, quarantined=0, pending=0)
    assert_counted_once(refusing)


def test_killed_in_the_middle_of_a_retry_it_is_counted_exactly_once(refusing: Stack, database: ClickHouseHttp) -> None:
    name = only(refusing, ".batches")
    database.inject("delay", match="INSERT INTO", seconds=60)
    with subprocess.Popen(
        [sys.executable, "-m", "collector", "quarantine", "retry", name, "--data", str(refusing.data)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
    ) as retrying:
        eventually(lambda: not database.faults(), "the insert of the retry hangs")
        refusing.kill("warehouse")
        _, told = retrying.communicate(timeout=60)
    assert retrying.returncode == 1
    assert told.startswith(f"Error: no answer at {refusing.analyst}")
    found = [path.parent.name for path in refusing.data.glob(f"*/{name}")]
    assert len(found) <= 1  # in one of the two folders; none once the next process has loaded it
    eventually(lambda: not list(refusing.data.glob(f"*/{name}")), "the next process loads it")
    assert_counted_once(refusing)


def test_what_is_stopped_is_listed_apart_and_waits(refusing: Stack, database: ClickHouseHttp) -> None:
    name = only(refusing, ".batches")
    (batch,) = orjson.loads(quarantine(refusing, "show", name, "--format", "json").stdout)["batches"]
    with closing(Server(database.url())) as server:
        node = int(name.partition("-")[0], 16)
        server.writer().command(
            "INSERT INTO hot (node, bucket, d1, events, amount) VALUES"
            f" ({node}, toDateTime('{batch['day']} 00:00:00', 'UTC'), '{batch['name']}', 77, 77)"
        )
    told = quarantine(refusing, "retry", name)
    assert told.returncode == 1
    assert "the marker in the database tells other counts; stopped in DATA/frozen" in told.stderr
    lines = quarantine(refusing, "list").stdout.splitlines()
    assert (lines[0], lines[-1]) == ("Nothing is set aside.", f"  {name}")
    assert lines[2].startswith("Stopped, in DATA/frozen: ")
    assert_adds_up(refusing, accepted=7, recovered=7, loaded=0, quarantined=7, pending=7)


# --- while none runs --------------------------------------------------------------------------------------------------


def test_it_all_works_without_a_server(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    leave_behind(tmp_path / "stack0" / "deep" / "data")
    stack = start_stack(config=CONFIG)
    stack.wait_loaded(6)
    stack.stop()
    name = only(stack, ".batches")
    assert len(listed(stack)) == 3
    assert "2026-09-03" in quarantine(stack, "show", name).stdout
    assert "still refused by the database, and set aside again: 1 event" in quarantine(stack, "retry", name).stderr
    assert only(stack, ".batches") == name
    assert (
        quarantine(stack, "drop", name).stderr == "Error: this gives up 1 event for good: say --yes if that is meant\n"
    )
    dropped = quarantine(stack, "drop", name, "--yes")
    assert (dropped.returncode, dropped.stdout) == (0, "Dropped: this gave up 1 event for good.\n")
    assert "dropped from quarantine for good" in dropped.stderr
    assert quarantine(stack, "show", name).stderr == "Error: name: there is no such file in quarantine\n"
    stack.start()
    for left in listed(stack):
        assert quarantine(stack, "drop", left["name"], "--yes").returncode == 0
    assert quarantine(stack, "list").stdout == "Nothing is set aside.\n"
    said = [line for line in stack.log_text.splitlines() if "dropped from quarantine for good" in line]
    assert len(said) == 2
    assert all("events=1" in line and f"file={NODE:016x}-0-1-" in line for line in said)
    stack.stop()


ALTER = """
import sys
from collector.warehouse.embedded import open_embedded
from pathlib import Path
with open_embedded(Path(sys.argv[1])) as engine:
    engine.writer().command(sys.argv[2])
"""


def alter(stack: Stack, statement: str) -> None:
    """Change the database of a collector that does not run."""
    subprocess.run(
        [sys.executable, "-c", ALTER, stack.data / "clickhouse", statement], cwd=ROOT, check=True, timeout=60
    )


@needs_embedded
@pytest.mark.slow
def test_without_a_server_what_the_engine_takes_at_last_is_counted_exactly_once(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(config=CONFIG)
    stack.stop()
    alter(stack, CONSTRAINT)
    stack.start()
    assert stack.post([BAD] * 7).status in (200, 204)
    eventually(lambda: stack.counted("events_quarantined") == 7, "7 events set aside")
    stack.stop()
    name = only(stack, ".batches")
    alter(stack, NO_CONSTRAINT)
    told = quarantine(stack, "retry", name)
    assert (told.returncode, told.stdout) == (0, "Loaded: 7 events, each counted once.\n"), told.stderr
    stack.start()
    assert_counted_once(stack)
    assert_adds_up(stack, accepted=0, recovered=0, loaded=0)
    stack.stop()
