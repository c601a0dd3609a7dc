"""The whole collector in front of a ClickHouse server that comes, goes, is killed and is the wrong one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest

from collector.warehouse.server import Server
from tests.clickhouse_http import PASSWORD, ClickHouseHttp
from tests.stack import ROOT, Stack, eventually

SITE = "www.example.org"
HIT = {"kind": "page_hit", "site": SITE, "url": f"https://{SITE}/"}
INSERTS = "INSERT INTO"


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ClickHouseHttp]:
    harness = ClickHouseHttp(tmp_path / "clickhouse")
    yield harness
    harness.stop()


@pytest.fixture
def environ(harness: ClickHouseHttp) -> dict[str, str]:
    return {"COLLECTOR_CLICKHOUSE": harness.url()}


def events(stack: Stack) -> int:
    """What the database counts."""
    return int(stack.ask("traffic", property=SITE)["totals"]["events"])


class Sender:
    """Sends hits one after the other until told to stop; every one must be answered 200 at once."""

    def __init__(self, stack: Stack) -> None:
        self.answered = 0
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stop.wait(0.002):
            assert self._stack.post([HIT, HIT]).status == 200
            self.answered += 2


def test_events_are_counted_once_whatever_happens_to_the_server(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    stack = start_stack(environ=environ)
    with Sender(stack) as sender:
        for fault in ("kill_mid", "reset_after", "kill_after"):
            harness.inject(fault, match=INSERTS, seconds=0.001)
            if fault.startswith("kill"):
                harness.wait_killed()
                assert stack.ask_raw("traffic", property=SITE).status == 503
                assert stack.request("GET", "/healthz").status == 200
                harness.start()
            else:
                eventually(lambda: not harness.faults(), fault)
        harness.inject("error", match=INSERTS, code=252)  # TOO_MANY_PARTS
        eventually(lambda: not harness.faults(), "refused inserts")
    stack.wait_loaded(sender.answered)
    assert events(stack) == sender.answered == stack.counted("events_loaded") == stack.counted("events_accepted")
    assert not list((stack.data / "frozen").iterdir())
    assert not (stack.data / "clickhouse").exists()
    assert "chdb" not in Path(f"/proc/{stack.children('warehouse')[0]}/maps").read_text()
    stack.stop()
    for secret in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        assert secret not in stack.log_text


def test_with_the_server_away_at_the_start_events_are_accepted_and_counted_when_it_is_there(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    harness.kill()
    stack = start_stack(environ=environ)  # waits for /healthz
    for _ in range(20):
        assert stack.post([HIT] * 10).status == 200
    assert stack.ask_raw("traffic", property=SITE).status == 503
    assert stack.metrics()["collector_events_loaded_total"] == 0
    harness.start()
    stack.wait_loaded(200)
    assert events(stack) == 200
    stack.stop()


def test_a_server_that_hangs_keeps_nothing_from_starting_and_stopping(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    stack = start_stack(environ=environ)
    assert stack.post([HIT]).status == 200
    stack.wait_loaded(1)
    stack.stop()
    harness.inject("delay", seconds=120, count=1000)
    stack.start()
    assert stack.post([HIT]).status == 200
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < 8
    harness.restart()
    stack.start()
    stack.wait_loaded(1)
    assert events(stack) == 2


def test_a_wrong_table_is_refused_at_the_start_by_what_differs(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    stack = start_stack(environ=environ)
    stack.stop()
    with closing(Server(harness.url())) as server:
        server.writer().command("ALTER TABLE hot RESET SETTING fsync_after_insert")
    stack.process = stack.launch()
    assert stack.process.wait(30) == 1
    assert "setting fsync_after_insert is absent, and must be 1" in stack.log_text
    assert "Traceback" not in stack.log_text


def test_a_table_that_went_wrong_while_the_server_was_away_stops_the_counting_and_not_the_receiving(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str], tmp_path: Path
) -> None:
    stack = start_stack(environ=environ)
    harness.kill()
    assert stack.post([HIT]).status == 200
    elsewhere = ClickHouseHttp(tmp_path / "clickhouse")  # where the collector does not look
    with closing(Server(elsewhere.url())) as server:
        server.writer().command("ALTER TABLE hot RESET SETTING fsync_after_insert")
    elsewhere.stop()
    harness.start()
    eventually(lambda: "the database is not as it must be" in stack.log_text, "the wrong table is told")
    assert stack.post([HIT]).status == 200
    assert stack.request("GET", "/healthz").status == 200
    with closing(Server(harness.url())) as server:
        server.writer().command("ALTER TABLE hot MODIFY SETTING fsync_after_insert = 1")
    stack.wait_loaded(2)
    assert events(stack) == 2


def test_detached_parts_are_in_the_metrics(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    stack = start_stack(environ=environ)
    assert stack.metrics()["collector_detached_parts"] == 0
    assert stack.post([HIT]).status == 200
    stack.wait_loaded(1)
    with closing(Server(harness.url())) as server:
        server.writer().command("ALTER TABLE hot DETACH PARTITION ALL")
    stack.restart()
    assert stack.metrics()["collector_detached_parts"] >= 1
    assert "parts of the database are detached" in stack.log_text


def test_a_question_is_answered_without_a_running_collector(
    start_stack: Callable[..., Stack], harness: ClickHouseHttp, environ: dict[str, str]
) -> None:
    stack = start_stack(environ=environ)
    assert stack.post([HIT] * 3).status == 200
    stack.kill_supervisor()
    told = query(stack, environ)
    assert told.stdout.splitlines()[1:] == ["3,1,3"], told.stderr
    assert query(stack, {}, "--clickhouse", harness.url()).stdout == told.stdout
    harness.kill()
    told = query(stack, environ)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1] == (
        "Error: the data cannot be read: the database server cannot be used (ConnectionRefusedError)"
    )
    assert quote(PASSWORD, safe="") not in told.stderr


def query(stack: Stack, environ: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    words = ["query", "traffic", "--property", SITE, "--format", "csv", "--data", str(stack.data), *options]
    return subprocess.run(
        [sys.executable, "-m", "collector", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
