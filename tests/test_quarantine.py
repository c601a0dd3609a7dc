"""What could not be counted: listed, shown, tried again and given up, with the collector running and without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from collector.spool.frame import HEADER, encode
from collector.spool.segment import Life, closed_path, segment_name, worker_folder
from tests.clickhouse_http import ClickHouseHttp
from tests.loading import HOUR, Place, event, hit
from tests.stack import ROOT, TOKEN, Stack, call, eventually

NODE = 0x1234_5678_9ABC_DEF0
ROUTES = "/api/v1/quarantine"
CONFIG = '[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\nroutes = ["/**"]\n'
CONSTRAINT = "ALTER TABLE hot ADD CONSTRAINT nothing_bad CHECK d1 != '/bad'"
NO_CONSTRAINT = "ALTER TABLE hot DROP CONSTRAINT nothing_bad"
BAD = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/bad"}

Run = Callable[..., subprocess.CompletedProcess[str]]


def quarantine(stack: Stack, *words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`collector quarantine ...` as an operator of that collector types it."""
    return subprocess.run(
        [sys.executable, "-m", "collector", "quarantine", *words, "--data", str(stack.data)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def listed(stack: Stack) -> list[dict[str, Any]]:
    """What `list` says, as JSON."""
    told = quarantine(stack, "list", "--format", "json")
    assert told.returncode == 0, told.stderr
    kept: list[dict[str, Any]] = orjson.loads(told.stdout)["kept"]
    return kept


def only(stack: Stack, suffix: str) -> str:
    """The name of the only file of that kind."""
    (name,) = [each["name"] for each in listed(stack) if each["name"].endswith(suffix)]
    return str(name)


def assert_adds_up(stack: Stack, **parts: int) -> None:
    """At rest every event that was accepted is told once by what became of it; `parts` are what some must be."""

    def seen() -> dict[str, int]:
        names = ("accepted", "recovered", "loaded", "duplicate", "quarantined")
        found = {name: stack.counted(f"events_{name}") for name in names}
        return found | {"pending": int(stack.metrics()["collector_events_pending"])}

    def adds_up() -> bool:
        found = seen()
        came = found["accepted"] + found["recovered"]
        went = found["loaded"] + found["pending"] + found["duplicate"] + found["quarantined"]
        return came == went and all(found[name] == events for name, events in parts.items())

    try:
        eventually(adds_up, "the counters add up", 5)
    except AssertionError:
        raise AssertionError(f"{seen()}, and should be {parts}") from None


def leave_behind(data: Path) -> None:
    """What an earlier life left: an event the engine refuses beside one it takes, a damaged frame, a forgotten kind."""
    place = Place(data, NODE)
    place.write([(event("page_leave", HOUR - 24, path="/left", seconds=-5), 0), (hit("/taken"), 0)])
    damaged = place.write(*[[(hit(f"/{number}"), 0)] for number in range(5)])
    content = bytearray(damaged.read_bytes())
    content[len(content) // 5 * 2 + HEADER.size + 5] ^= 1
    damaged.write_bytes(content)
    name = segment_name(Life(NODE, 1), 0, 90)
    records = [("page_hit", "www.example.org", HOUR, ["/old"], 0), ("gone", "www.example.org", HOUR, [], 0)]
    folder = worker_folder(data / "spool", 0)
    closed_path(folder, name, 2).write_bytes(encode(name, 0, b"\1" * 8, records))
    (folder.parent / ("01" * 8 + ".layout")).write_bytes(b'{"page_hit": ["path"], "gone": []}')
    (data / "node").write_bytes(orjson.dumps({"node": f"{NODE:016x}", "epoch": 1}))


@pytest.fixture(scope="module")
def aside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running collector that set aside what an earlier life left; nothing may be dropped from it."""
    folder = tmp_path_factory.mktemp("aside")
    leave_behind(folder / "deep" / "data")
    stack = Stack(folder, config=CONFIG)
    stack.wait_loaded(6)
    yield stack
    stack.sweep()


# --- with the collector running ---------------------------------------------------------------------------------------


def test_what_is_set_aside_is_listed_with_its_events_and_why(aside: Stack) -> None:
    told = quarantine(aside, "list")
    assert told.returncode == 0, told.stderr
    columns, *lines = told.stdout.splitlines()
    assert columns.split() == ["name", "since", "events", "bytes", "why"]
    found = {line.split()[0]: line for line in lines}
    stem = f"{NODE:016x}-0-1"
    assert found.keys() == {f"{stem}-1.batches", f"{stem}-2.1-of-5.segment", f"{stem}-90.1-of-2.segment"}
    assert "refused by the database for good" in found[f"{stem}-1.batches"]
    assert [line.split()[2] for line in lines] == ["1", "1", "1"]
    assert aside.metrics()["collector_quarantine_files"] == 3


def test_what_each_of_them_holds_is_shown(aside: Stack) -> None:
    batches = quarantine(aside, "show", only(aside, ".batches"))
    assert batches.returncode == 0, batches.stderr
    lines = [line.split() for line in batches.stdout.splitlines()]
    assert lines[-2:] == [["day", "events", "rows", "on", "disk"], ["2026-09-03", "1", "1", "whole"]]
    damaged = quarantine(aside, "show", only(aside, "of-5.segment")).stdout
    assert damaged.endswith("of 5 events in the segment; read today, 1 are damaged, 0 of a kind that is not declared\n")
    shown = orjson.loads(quarantine(aside, "show", only(aside, "of-2.segment"), "--format", "json").stdout)
    assert (shown["events"], shown["held"], shown["damaged"], shown["undeclared"]) == (1, 2, 0, 1)


def test_what_is_refused_again_is_set_aside_again_and_the_counters_add_up(aside: Stack) -> None:
    assert_adds_up(aside, recovered=9, loaded=6, quarantined=3, pending=0)
    name = only(aside, ".batches")
    told = quarantine(aside, "retry", name)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "Error: the database refuses 1 event again: they are set aside again\n"
    assert only(aside, ".batches") == name
    assert_adds_up(aside, recovered=10, loaded=6, quarantined=4, pending=0)


def test_a_copy_of_a_segment_cannot_be_tried_again_and_says_why(aside: Stack) -> None:
    name = only(aside, "of-5.segment")
    told = quarantine(aside, "retry", name)
    assert told.returncode == 1
    assert told.stderr == (
        "Error: name: only batches can be tried again: all that can be read of this segment is counted\n"
    )
    assert as_operator(aside, "POST", f"{ROUTES}/{name}/retry")[0] == 409


def test_nothing_is_given_up_without_yes(aside: Stack) -> None:
    name = only(aside, ".batches")
    told = quarantine(aside, "drop", name)
    assert told.returncode == 1
    assert told.stderr == "Error: this gives up 1 event for good: say --yes if that is meant\n"
    assert only(aside, ".batches") == name


@pytest.mark.parametrize("words", [("show",), ("retry",), ("drop", "--yes")])
@pytest.mark.parametrize("name", ["nothing", "../node", f"{NODE:016x}-0-1-7.batches", "a/b\n%00"])
def test_a_name_that_is_not_there_is_told_and_never_said_again(aside: Stack, words: Sequence[str], name: str) -> None:
    told = quarantine(aside, *words, name)
    assert told.returncode == 1
    assert told.stderr == "Error: name: there is no such file in quarantine\n"


def as_operator(stack: Stack, method: str, path: str, token: str | None = None) -> tuple[int, Any]:
    """Status and JSON of the analyst port's answer to the operator, or to another token."""
    token = token or (stack.data / "operator.token").read_text().strip()
    reply = call(stack.analyst, method, path, None, {"Authorization": f"Bearer {token}"})
    return reply.status, reply.json


def test_only_the_operators_token_opens_it(aside: Stack) -> None:
    one = f"{ROUTES}/{quote(only(aside, '.batches'))}"
    for method, path in (("GET", ROUTES), ("GET", one), ("POST", f"{one}/retry"), ("DELETE", one)):
        assert as_operator(aside, method, path, TOKEN) == (403, {"error": {"code": "forbidden"}})
        assert call(aside.analyst, method, path).status == 401
        assert call(aside.analyst, method, path, None, {"Cookie": f"token={TOKEN}"}).status == 401
    for method, path in (("POST", one), ("GET", f"{one}/retry"), ("DELETE", ROUTES), ("HEAD", one)):
        reply = call(
            aside.analyst,
            method,
            path,
            None,
            {"Authorization": f"Bearer {(aside.data / 'operator.token').read_text().strip()}"},
        )
        assert reply.status == 405
    assert len(listed(aside)) == 3


def test_the_commands_never_send_the_analysts_token(aside: Stack, tmp_path: Path) -> None:
    told = quarantine(aside, "list", environ={"COLLECTOR_ANALYST_TOKEN": "x" * 40})
    assert told.returncode == 0, told.stderr
    elsewhere = subprocess.run(
        [sys.executable, "-m", "collector", "quarantine", "list", "--data", tmp_path, "--analyst", aside.analyst],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLLECTOR_ANALYST_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert elsewhere.returncode == 1
    assert elsewhere.stderr.startswith(f"Error: there is no {tmp_path}/operator.token")


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
    eventually(lambda: stack.counted("events_quarantined") == 7, "7 events set aside", 20)
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
    assert "The database is away, or not as it must be: 7 events wait in DATA/frozen" in told.stdout
    assert_adds_up(refusing, accepted=7, recovered=7, loaded=0, quarantined=7, pending=7)
    refusing.restart()
    assert_adds_up(refusing, accepted=0, recovered=7, loaded=0, quarantined=0, pending=7)
    database.start()
    eventually(lambda: refusing.counted("events_loaded") == 7, "7 events loaded", 20)
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
        eventually(lambda: not database.faults(), "the insert of the retry hangs", 20)
        refusing.kill("warehouse")
        _, told = retrying.communicate(timeout=60)
    assert retrying.returncode == 1
    assert told.startswith(f"Error: no answer at {refusing.analyst}")
    found = [path.parent.name for path in refusing.data.glob(f"*/{name}")]
    assert len(found) <= 1  # in one of the two folders; none once the next process has loaded it
    eventually(lambda: not list(refusing.data.glob(f"*/{name}")), "the next process loads it", 20)
    assert_counted_once(refusing)


# --- while none runs --------------------------------------------------------------------------------------------------


def test_it_all_works_without_a_server(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    leave_behind(tmp_path / "stack0" / "deep" / "data")
    stack = start_stack(config=CONFIG)
    stack.wait_loaded(6)
    stack.stop()
    name = only(stack, ".batches")
    assert len(listed(stack)) == 3
    assert "2026-09-03" in quarantine(stack, "show", name).stdout
    assert "refuses 1 event again" in quarantine(stack, "retry", name).stderr
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


def test_without_a_server_what_the_engine_takes_at_last_is_counted_exactly_once(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(config=CONFIG)
    stack.stop()
    alter(stack, CONSTRAINT)
    stack.start()
    assert stack.post([BAD] * 7).status in (200, 204)
    eventually(lambda: stack.counted("events_quarantined") == 7, "7 events set aside", 20)
    stack.stop()
    name = only(stack, ".batches")
    alter(stack, NO_CONSTRAINT)
    told = quarantine(stack, "retry", name)
    assert (told.returncode, told.stdout) == (0, "Loaded: 7 events, each counted once.\n"), told.stderr
    stack.start()
    assert_counted_once(stack)
    assert_adds_up(stack, accepted=0, recovered=0, loaded=0)
    stack.stop()
