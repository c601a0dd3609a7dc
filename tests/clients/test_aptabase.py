"""Aptabase's SDKs for Python and for browsers, as they are published, against a running collector."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from playwright.sync_api import Browser

from collector.tools.prove.forms import ADDRESS, Canaries, Words
from collector.tools.prove.scan import scan_files
from collector.tools.prove.tables import scan_tables
from tests.clients.npm_packages import bundled
from tests.clients.overheard import Ear, Overheard, overhearing
from tests.counting import events_seen, load, today
from tests.stack import ROOT, Stack

KEY = "A-SH-0000000001"
CONFIGURATION = f"""
trusted_proxies = ["127.0.0.1/32"]

[[product]]
id = "player"
versions = ["1.4.2", "1.4.1"]
features = ["subtitles"]

[[aptabase]]
key = "{KEY}"
product = "player"
event = [
  {{name = "first_launch", kind = "install"}},
  {{name = "setup_failed", kind = "install", outcome = "failed"}},
  {{name = "started", kind = "update_check"}},
  {{name = "subtitles_on", kind = "feature_use", feature = "subtitles", count = 2}},
]
"""
CROWD = 12  # networks besides: a day of fewer than ten shows totals only
PROGRAM = {"product": "player", "version": "1.4.1", "os": "linux", "channel": "stable"}
ZONES = ("UTC", "Asia/Seoul")
LOCALE = "gsw-LI"
MODEL = f"model{secrets.token_hex(8)}"
SECRET = f"file{secrets.token_hex(8)}"
PAGE_SCRIPT = 'import {init, trackEvent} from "@aptabase/web"; globalThis.app = {init, trackEvent};'
IN_PAGE = """
async ([key, host, secret]) => {
  app.init(key, {host, isDebug: false, appVersion: "1.4.2"});
  for (const name of ["first_launch", "setup_failed", "started", "subtitles_on", secret])
    await app.trackEvent(name, {file: secret});
  app.init(key, {host, appVersion: "1.4.2"});
  await app.trackEvent("subtitles_on");
}
"""


class Lived(NamedTuple):
    """A collector that both SDKs talked to, stopped; what it answered before, and what was heard on the way."""

    stack: Stack
    answers: dict[str, dict[str, Any]]
    seen: dict[str, int]
    exposition: bytes
    heard: list[Overheard]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event that went over the wire."""
        bodies = [orjson.loads(each.body) for each in self.heard if each.method == "POST"]
        return [event for body in bodies for event in (body if isinstance(body, list) else [body])]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, chromium: Browser, npm_packages: Path) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("aptabase")
    stack = Stack(folder, config=CONFIGURATION)
    try:
        for network in range(CROWD):
            stack.post({"kind": "install", **PROGRAM, "outcome": "ok"}, {"X-Forwarded-For": f"198.18.{network}.1"})
        with overhearing(stack.public) as ear:
            run_programs(ear)
            run_page(ear, chromium, bundled(PAGE_SCRIPT, folder / "app.js"))
        load(stack)
        asked = {"install_outcomes": "outcome", "installs": "version,channel,os", "update_checks": "version,channel"}
        answers = {
            report: stack.ask(report, property="player", by=by, **today())
            for report, by in {**asked, "features": "feature", "active": "first"}.items()
        }
        seen, exposition = dict(events_seen(stack)), stack.analyst_request("/metrics").body
        stack.stop()
        yield Lived(stack, answers, seen, exposition, ear.heard)
    finally:
        stack.sweep()


def run_programs(ear: Ear) -> None:
    """Run the program in every time zone at once."""
    command = [sys.executable, str(Path(__file__).with_name("aptabase_app.py")), ear.url, KEY, MODEL]
    started = [
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TZ": zone}, stderr=subprocess.PIPE) for zone in ZONES
    ]
    for program in started:
        _, errors = program.communicate(timeout=60)
        assert (program.returncode, errors) == (0, b"")


def run_page(ear: Ear, chromium: Browser, script: Path) -> None:
    """Run the SDK in a page of another origin than the collector's."""
    with chromium.new_context(locale=LOCALE) as context:
        page = context.new_page()
        page.goto(ear.page)
        page.add_script_tag(path=script)
        page.evaluate(IN_PAGE, [KEY, ear.url, SECRET])


def test_what_is_mapped_is_counted_in_its_cells_and_nothing_else(lived: Lived) -> None:
    rows = {report: answer["rows"] for report, answer in lived.answers.items()}
    assert {row[0]: row[1] for row in rows["install_outcomes"]} == {"ok": CROWD + 3, "failed": 1}
    crowd = {("1.4.1", "stable", "linux"): CROWD, ("1.4.2", "stable", "(other)"): 3}
    assert {tuple(row[:3]): row[3] for row in rows["installs"]} == crowd
    assert {tuple(row[:2]): row[2] for row in rows["update_checks"]} == {("1.4.2", "stable"): 3}
    assert [row[:3] for row in rows["features"]] == [["subtitles", 61, 122]]
    assert lived.answers["active"]["totals"]["events"] == 0  # an SDK cannot know which check is a first one
    assert {name: lived.seen[name] for name in lived.seen if " " in name and lived.seen[name]} == {
        "accepted install": CROWD + 4,
        "accepted update_check": 3,
        "accepted feature_use": 61,
        "not_counted unmapped": 3,
        "not_counted test": 3,
        "refused out_of_bounds": 2,
    }


def test_no_client_is_told_anything_but_thanks_and_none_sends_an_event_again(lived: Lived) -> None:
    assert {each.status for each in lived.heard if each.method == "POST"} == {200}
    assert {(each.path, each.status) for each in lived.heard if each.method == "OPTIONS"} == {("/api/v0/event", 204)}
    names = Counter(event["eventName"] for event in lived.events)
    assert names == {
        "subtitles_on": 2 * 32 + 2,
        "first_launch": 3,
        "started": 3,
        "setup_failed": 1,
        "nobody mapped this": 2,
        SECRET: 1,
    }


def test_clocks_of_clients_are_wrong_by_their_time_zone(lived: Lived) -> None:
    """Why an event counts when it comes: the SDK for Python says that local time is UTC."""
    told = sorted(datetime.fromisoformat(each["timestamp"]) for each in lived.events if each["eventName"] == "started")
    assert len(told) == 3
    assert timedelta(hours=8.9) < told[-1] - told[0] < timedelta(hours=9.1)


def test_sessions_devices_locales_and_props_are_nowhere(lived: Lived, tmp_path: Path) -> None:
    sessions = sorted({event["sessionId"] for event in lived.events})
    words = dict(zip(Words.__slots__, [*sessions, MODEL, SECRET, LOCALE], strict=True))  # five programs and pages ran
    canaries = Canaries(Words(**words))
    heard = tmp_path / "heard"
    heard.write_bytes(b"".join(each.body for each in lived.heard) + ADDRESS.encode())
    assert {hit.what for hit in scan_files("control", [heard], canaries).hits} == {*words, ADDRESS}

    files = scan_files("files", [lived.stack.data, lived.stack.log_file], canaries)
    files.search("metrics", lived.exposition, canaries)
    assert files.items > 10
    assert [hit for hit in files.hits if not hit.how.startswith("packed")] == []  # four bytes stand in any noise

    columns = f"a String DEFAULT '{sessions[0]}', b String DEFAULT '{ADDRESS}'"
    planted = (
        f"CREATE TABLE default.planted ({columns}, c UInt8) ENGINE = MergeTree ORDER BY c",
        "INSERT INTO default.planted (c) VALUES (1)",
    )
    tables = scan_tables(lived.stack.data / "clickhouse", canaries, planted=planted)
    assert {hit.place for hit in tables.hits} == {"default.planted"}
    assert {"agent", ADDRESS} <= {hit.what for hit in tables.hits}
