"""`collector quarantine` and its routes while the collector runs: what is listed, shown, refused, and to whom."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.calling import call
from tests.setting_aside import CONFIG, NODE, assert_adds_up, leave_behind, listed, only, quarantine
from tests.stack import ROOT, TOKEN, Stack

ROUTES = "/api/v1/quarantine"


@pytest.fixture(scope="module")
def aside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running collector that set aside what an earlier life left; nothing may be dropped from it."""
    folder = tmp_path_factory.mktemp("aside")
    leave_behind(folder / "deep" / "data")
    stack = Stack(folder, config=CONFIG)
    stack.wait_loaded(6)
    yield stack
    stack.sweep()


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
    assert damaged.endswith("of 5 events in the segment; read today: 1 damaged, 0 of a kind that is not declared\n")
    shown = orjson.loads(quarantine(aside, "show", only(aside, "of-2.segment"), "--format", "json").stdout)
    assert (shown["events"], shown["held"], shown["damaged"], shown["undeclared"]) == (1, 2, 0, 1)


def test_what_is_refused_again_is_set_aside_again_and_the_counters_add_up(aside: Stack) -> None:
    assert_adds_up(aside, recovered=9, loaded=6, quarantined=3, pending=0)
    name = only(aside, ".batches")
    told = quarantine(aside, "retry", name)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "Error: still refused by the database, and set aside again: 1 event\n"
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


def as_operator(stack: Stack, method: str, path: str, token: str | None = None) -> tuple[int, Any]:
    """Status and JSON of the analyst port's answer to the operator, or to another token."""
    token = token or (stack.data / "operator.token").read_text().strip()
    reply = call(stack.analyst, method, path, None, {"Authorization": f"Bearer {token}"})
    return reply.status, reply.json


def test_a_name_that_is_not_there_is_told_and_never_said_again(aside: Stack) -> None:
    for words in (("show", "nothing"), ("retry", "../node"), ("drop", "--yes", "a/b\n%00")):
        told = quarantine(aside, *words)
        assert told.returncode == 1
        assert told.stderr == "Error: name: there is no such file in quarantine\n"
    said = {"error": {"parameter": "name", "rule": "there is no such file in quarantine"}}
    for name in ("nothing", "..%2Fnode", f"{NODE:016x}-0-1-7.batches", "canary%0A", "%00", "a%2Fb"):
        one = f"{ROUTES}/{name}"
        for method, path in (("GET", one), ("POST", f"{one}/retry"), ("DELETE", one)):
            assert as_operator(aside, method, path) == (404, said)
    assert "canary" not in aside.log_text


def test_only_the_operators_token_opens_it(aside: Stack) -> None:
    one = f"{ROUTES}/{quote(only(aside, '.batches'))}"
    for method, path in (("GET", ROUTES), ("GET", one), ("POST", f"{one}/retry"), ("DELETE", one)):
        assert as_operator(aside, method, path, TOKEN) == (403, {"error": {"code": "forbidden"}})
        assert call(aside.analyst, method, path).status == 401
        assert call(aside.analyst, method, path, None, {"Cookie": f"token={TOKEN}"}).status == 401
    for method, path in (("POST", one), ("GET", f"{one}/retry"), ("DELETE", ROUTES)):
        assert as_operator(aside, method, path) == (405, {"error": {"code": "method_not_allowed"}})
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
