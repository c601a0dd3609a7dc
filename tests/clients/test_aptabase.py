"""Aptabase's own SDKs, from PyPI and npm, against a running collector; and that nothing of their sessions is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser

from collector.tools.prove.forms import Canaries, Words
from collector.tools.prove.scan import scan_files, scan_sqlite
from collector.tools.prove.tables import scan_tables
from tests.clients.npm_packages import bundled
from tests.counting import events_seen, load
from tests.meeting_a_crowd import crowd, told
from tests.pages_to_serve import AGENT, serve_pages
from tests.stack import ROOT, Stack, eventually

KEY = "A-SH-0123456789"
MAPPED = f"""
[[aptabase]]
key = "{KEY}"
product = "player"
[[aptabase.event]]
name = "casting started"
kind = "feature_use"
feature = "casting"
[[aptabase.event]]
name = "installed"
kind = "install"
[[aptabase.event]]
name = "looked_for_update"
kind = "update_check"
channel = "beta"
"""
SENDER = """
import asyncio, sys
from aptabase import Aptabase
async def main():
    async with Aptabase(sys.argv[1], app_version="1.4.2", base_url=sys.argv[2]) as client:
        client._system_props.device_model, client._system_props.locale = sys.argv[3:5]
        for name in ("installed", "looked_for_update", "casting started", "casting started", "never mapped"):
            await client.track(name, {"secret": sys.argv[5]})
        print(client._session_id)
asyncio.run(main())
"""
WEB = """
import {{ init, trackEvent }} from '@aptabase/web';
init('{key}', {{ host: 'http://count.example.org:{port}', appVersion: '1.4.2', isDebug: false }});
trackEvent('casting started', {{ secret: 'kept out' }}).then(() => trackEvent('never mapped'))
  .then(() => {{ window.done = true; }});
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_the_sdk_from_pypi_counts_and_nothing_of_its_session_is_kept(
    start_stack: Callable[..., Stack], tmp_path: Path, zone: str
) -> None:
    stack = start_stack(config=example() + MAPPED)
    crowd(stack)
    words = Words.drawn()
    command = [sys.executable, "-c", SENDER, KEY, f"http://{stack.public}/", words.agent, words.header, words.field]
    session = subprocess.run(
        command, env={**os.environ, "TZ": zone}, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
    load(stack)
    assert told(stack, "features", ["feature"]) == {"casting": 2}
    assert told(stack, "install_outcomes", ["outcome", "version"]) == {"ok 1.4.2": 1}
    assert told(stack, "update_checks", ["version", "channel"]) == {"1.4.2 beta": 1, "1.4.2 stable": 12}
    assert events_seen(stack)["not_counted unmapped"] == 1
    nothing_is_kept(stack, replace(words, body=session), tmp_path)


def test_the_sdk_from_npm_counts_from_a_web_page(
    start_stack: Callable[..., Stack], chromium: Browser, npm_packages: Path, tmp_path: Path
) -> None:
    stack = start_stack(config=example() + MAPPED)
    crowd(stack)
    port = stack.public.rpartition(":")[2]
    script = bundled(WEB.format(key=KEY, port=port), tmp_path / "web.js").read_text("utf-8")
    sessions: set[str] = set()
    page_of = {"/": '<!doctype html><script>process = { env: {} }</script><script src="/web.js"></script>'}
    with serve_pages(page_of | {"/web.js": script}) as pages:
        context = chromium.new_context(user_agent=AGENT)
        page = context.new_page()
        page.on("request", lambda sent: sessions.add(orjson.loads(sent.post_data or "{}").get("sessionId", "")))
        page.goto(pages.at("/"))
        page.wait_for_function("window.done")
        context.close()
    sessions.discard("")
    eventually(lambda: events_seen(stack)["not_counted unmapped"] == 1, "both arrived")
    assert told(stack, "features", ["feature"]) == {"casting": 1}
    (session,) = sessions
    nothing_is_kept(stack, replace(Words.drawn(), body=session), tmp_path)


def nothing_is_kept(stack: Stack, words: Words, folder: Path) -> None:
    """Search metrics, log, data and tables for words, and show that the search finds what is planted."""
    canaries = Canaries(words).only_words()
    assert not canaries.within(stack.analyst_request("/metrics").body)
    stack.stop()
    places = [stack.data, stack.log_file]
    assert not scan_files("data", places, canaries).hits
    assert not scan_sqlite(stack.data, canaries).hits
    assert not {hit for hit in scan_tables(stack.data / "clickhouse", canaries).hits if hit.what in words.by_name()}
    planted = folder / "planted"
    planted.mkdir()
    (planted / "file").write_text(f"x{words.body}x", "utf-8")
    assert {hit.what for hit in scan_files("planted", [planted], canaries).hits} == {"body"}
    row = f"CREATE TABLE planted (word String) ENGINE = MergeTree ORDER BY word AS SELECT '{words.body}' AS word"
    found = scan_tables(stack.data / "clickhouse", canaries, planted=[row]).hits
    assert "body" in {hit.what for hit in found}


def example() -> str:
    return (ROOT / "collector" / "example.toml").read_text("utf-8")
