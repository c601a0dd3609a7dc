"""Nothing is stored, measured, logged or answered that the ledger does not list; and what is not, is found."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector import log
from collector.catalogue.lint import DERIVED
from collector.count import filter as count_filter
from collector.loader import OLD_S
from collector.reduce import moment
from collector.sealer import LATE_S
from collector.spool import seen
from collector.warehouse.tables import KEPT_MONTHS
from tests.calling import call
from tests.counting import load
from tests.declared import (
    DECLARATIONS,
    LEDGER,
    OF_THE_RENDERER,
    columns,
    declared_columns,
    declared_keys,
    declared_metrics,
    keys,
    log_keys_in,
    log_keys_said,
    metrics,
    names,
    undeclared_files,
)
from tests.example_events import bad_events, good_events
from tests.live_view import live
from tests.setting_aside import leave_behind
from tests.stack import ROOT, Stack, eventually
from tests.storing import open_with_tables

MODULES = [path.read_bytes() for path in (ROOT / "collector").rglob("*.py")]
LOGGING = [source for source in MODULES if b"collector.log import" in source or b"structlog" in source]
NOTED = '[[annotation]]\nproperty = "player"\nday = "2026-11-01"\ntext = "a new version"\n'
DAY = {"from_": "2026-01-01", "to": "2026-12-31"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector in whose log, data and answers stands as much as can be: all kinds, damage, deaths, a reload."""
    folder = tmp_path_factory.mktemp("busy")
    leave_behind(Stack.data_in(folder))
    stack = Stack(folder, config=(ROOT / "collector" / "example.toml").read_text("utf-8") + NOTED, workers=2)
    stack.post([*good_events().values(), *({"kind": event.event["kind"]} for event in bad_events()[:20])])
    load(stack)
    os.kill(stack.children("worker")[0], signal.SIGKILL)
    eventually(lambda: stack.said("process ended") > 0, "a death is told")
    eventually(lambda: len(stack.children("worker")) == 2, "it is replaced")
    stack.reload()
    stack.command("user", "link")
    words = ("user", "add", "anna", "--role", "analyst")
    stack.command(*words, "--password-stdin", told="correct horse battery\n")
    given = b'{"name":"anna","password":"correct horse battery"}'
    assert call(stack.analyst, "POST", "/api/v1/session", given, {"Content-Type": "application/json"}).status == 204
    yield stack
    stack.sweep()


# --- tables -----------------------------------------------------------------------------------------------------------


def test_every_column_of_the_database_is_in_the_ledger_and_one_that_is_not_is_found(tmp_path: Path) -> None:
    with open_with_tables(tmp_path / "engine") as engine:
        client = engine.writer()
        assert columns(client) == declared_columns()
        client.command("ALTER TABLE hot ADD COLUMN address UInt32")
        client.command("CREATE TABLE visits (agent String) ENGINE = MergeTree ORDER BY agent")
        assert columns(client) - declared_columns() == {("hot", "address", "UInt32"), ("visits", "agent", "String")}


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_every_metric_and_label_is_in_the_ledger_and_one_that_is_not_is_found(busy: Stack) -> None:
    text = busy.analyst_request("/metrics").body.decode()
    assert metrics(text) == declared_metrics()
    more = 'collector_events_accepted_total{kind="goal",host="a"} 1\n# TYPE collector_hosts gauge\ncollector_hosts 1\n'
    text = text.replace('collector_events_accepted_total{kind="goal"}', more.split("\n", maxsplit=1)[0][:-2], 1)
    text += more.partition("\n")[2]
    assert metrics(text) - declared_metrics() == {("collector_events_accepted", "host"), ("collector_hosts", "")}


# --- log lines --------------------------------------------------------------------------------------------------------


def test_every_field_of_a_log_line_is_in_the_ledger_and_one_that_is_not_is_found(busy: Stack) -> None:
    assert log_keys_said(busy.log_text) - names("log") == set()
    said = {key for source in LOGGING for key in log_keys_in(source)} | OF_THE_RENDERER
    with pytest.raises(ValueError, match="x") as raised:
        raise ValueError("x")
    said |= log.place_of(raised.value).keys()
    assert said == names("log")
    assert log_keys_said('time=1 level=info event="a b=c" address=1') - names("log") == {"address"}
    source = "log.info('x', agent=1)\nlog.info('x', **request)\ntell = log.info\nlog.bind(a=1)\nlog.error('x', at=1)"
    assert log_keys_in(source) - names("log") == {"agent", "**", ""}


def test_the_renderer_adds_only_what_is_listed() -> None:
    """What processors put into a line: a new one has to be looked at here."""
    source = inspect.getsource(log.configure)
    assert source.count("structlog.processors.") == 3  # level, time, the renderer itself


# --- answers ----------------------------------------------------------------------------------------------------------


def test_every_key_of_an_answer_is_in_the_ledger_and_one_that_is_not_is_found(busy: Stack) -> None:
    told = [*_analyst_answers(busy), *_public_answers(busy)]
    assert len(told) > len(DECLARATIONS.reports) + 15
    used = keys(told)
    assert used - declared_keys() == set()
    # A few appear only with a restart, an hour or several days: tests of stats/ see them.
    assert names("answers") - used <= {"epochs", "as_of", "visitor_days"}
    assert keys([*told, {"rows": [{"address": 1}]}]) - declared_keys() == {"address"}


def _analyst_answers(stack: Stack) -> Iterator[Any]:
    owner = {"page_hit": "www.example.org", "page_leave": "www.example.org", "goal": "www.example.org"}
    for report in DECLARATIONS.reports.values():
        asked = {"property": owner.get(report.kinds[0], "player"), "interval": "day", "by": ",".join(report.by), **DAY}
        if not report.by:
            del asked["by"]
        yield stack.ask(report.name, **asked)
    yield stack.ask("pages", property="www.example.org", by="path", filter="path~/", compare="year")
    token = (stack.data / "operator.token").read_text("utf-8").strip()
    for path in ("/api/v1/reports", "/api/v1/session", "/api/v1/properties"):
        yield stack.analyst_request(path).json
    yield stack.analyst_request("/api/v1/dictionary").json
    yield live(stack, "player")
    yield stack.ask_raw("traffic", property="nobody").json
    yield stack.ask_raw("nothing").json
    yield stack.analyst_request("/api/v1/nothing").json
    yield stack.analyst_request("/api/v1/reports", token=None).json
    for path in ("/api/v1/seal", "/api/v1/seal/nobody"):
        yield call(stack.analyst, "POST", path, None, {"Authorization": f"Bearer {token}"}).json
    yield stack.analyst_request("/api/v1/doctor", token).json
    kept = stack.analyst_request("/api/v1/quarantine", token).json
    yield kept
    for each in kept["kept"]:
        yield stack.analyst_request(f"/api/v1/quarantine/{each['name']}", token).json
        again = f"/api/v1/quarantine/{each['name']}/retry"
        yield call(stack.analyst, "POST", again, None, {"Authorization": f"Bearer {token}"}).json


def _public_answers(stack: Stack) -> Iterator[Any]:
    for path in (
        "/healthz",
        "/nothing",
        "/v1/ledger.json",
        "/.well-known/gpc.json",
        "/v1/what-you-see-of-me?kind=goal&goal=signup&site=www.example.org",
        "/v1/what-you-see-of-me?kind=goal",
        "/v1/what-you-see-of-me",
    ):
        yield stack.request("GET", path).json
    yield stack.post([*good_events().values(), {}]).json


# --- files ------------------------------------------------------------------------------------------------------------


def test_every_file_of_the_data_folder_has_a_place_in_the_ledger_and_one_that_has_none_is_found(busy: Stack) -> None:
    assert undeclared_files(busy.data) == []
    (busy.data / "visits.log").write_text("")
    try:
        assert undeclared_files(busy.data) == ["visits.log"]
    finally:
        (busy.data / "visits.log").unlink()


# --- words and code ---------------------------------------------------------------------------------------------------


def test_lengths_of_time_are_those_of_the_code() -> None:
    keeping = LEDGER["keeping"]
    assert keeping["ids_h"] * 3600 == seen.KEEP_S
    assert keeping["hot_h"] * 3600 == moment.MAX_AGE_S == LATE_S
    assert keeping["sealed_months"] == KEPT_MONTHS
    assert keeping["key_s"] >= count_filter.KEY_DIES_AFTER_S + 60
    assert keeping["spool_s"] > OLD_S


def test_all_that_a_caller_becomes_is_what_reduction_derives() -> None:
    assert {fact for each in LEDGER["caller"] for fact in each["becomes"]} == DERIVED


def test_every_field_of_every_kind_says_what_becomes_of_it() -> None:
    facts = {kind: set(layout.facts) for kind, layout in DECLARATIONS.layouts.items()}
    for kind in LEDGER["kinds"]:
        for field in kind["fields"]:
            assert field["becomes"] or field["used_for"] != "counting", field
            assert set(field["becomes"]) <= facts[kind["name"]], field
            assert field["reports"] or not field["becomes"], field
