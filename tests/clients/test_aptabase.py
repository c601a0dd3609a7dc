"""Aptabase's SDKs for Python and for browsers, as they are published, against a running collector."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from playwright.sync_api import Browser

from collector.tools.prove.forms import Canaries, Words
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
    unsent: list[int]

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
            unsent = [run_program(ear, zone) for zone in ZONES]
            run_page(ear, chromium, bundled(PAGE_SCRIPT, folder / "app.js"))
        load(stack)
        asked = {"install_outcomes": "outcome", "installs": "version,channel,os", "update_checks": "version,channel"}
        answers = {
            report: stack.ask(report, property="player", by=by, **today())
            for report, by in {**asked, "features": "feature", "active": "first"}.items()
        }
        seen, exposition = dict(events_seen(stack)), stack.analyst_request("/metrics").body
        stack.stop()
        yield Lived(stack, answers, seen, exposition, ear.heard, unsent)
    finally:
        stack.sweep()


def run_program(ear: Ear, zone: str) -> int:
    """Run the program in that time zone; how many of its events it still keeps at the end."""
    command = [sys.executable, str(Path(__file__).with_name("aptabase_app.py")), ear.url, KEY, MODEL]
    environ = {**os.environ, "TZ": zone}
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


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
    assert {tuple(row[:3]): row[3] for row in rows["installs"]} == {}
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


def test_no_client_is_told_anything_but_thanks_and_none_keeps_an_event(lived: Lived) -> None:
    assert lived.unsent == [0] * len(ZONES)
    assert {each.status for each in lived.heard if each.method == "POST"} == {200}
    assert {(each.path, each.status) for each in lived.heard if each.method == "OPTIONS"} == {("/api/v0/event", 204)}


def test_sessions_devices_locales_and_props_are_nowhere(lived: Lived, tmp_path: Path) -> None:
    sessions = sorted({event["sessionId"] for event in lived.events})
    assert len(sessions) == 5  # two runs of two clients, one page
    locales = {event["systemProps"]["locale"] for event in lived.events}
    assert LOCALE in locales
    for session in sessions:
        assert_nowhere(lived, canaries_of(session), tmp_path)


def canaries_of(session: str) -> Canaries:
    words = dict.fromkeys(Words.__slots__, session)
    return Canaries(Words(**{**words, "agent": MODEL, "referrer": SECRET, "query": LOCALE, "header": KEY}))
