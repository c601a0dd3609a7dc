"""Plausible's own scripts, as published on npm, in a real browser against a running collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.clients.npm_packages import bundled
from tests.clients.websites import Page as Served
from tests.clients.websites import Websites, websites
from tests.counting import events_seen, settle
from tests.meeting_a_crowd import crowd, told
from tests.stack import Stack, eventually

TRACKER = """
import {{ init, track }} from '@plausible-analytics/tracker';
init({{ domain: 'www.example.org', endpoint: 'http://count.example.org:{port}/api/event', captureOnLocalhost: true,
       logging: false, outboundLinks: true, fileDownloads: true, hashBasedRouting: location.pathname === '/hash' }});
window.reach = track;
"""
OLDER = """
import Plausible from 'plausible-tracker';
const plausible = Plausible({{ domain: 'www.example.org', apiHost: 'http://count.example.org:{port}',
                              hashMode: location.pathname === '/hash' }});
plausible.enableAutoPageviews();
window.reach = plausible.trackEvent;
"""
PAGE = """<body style="height: 5000px">
<a id="out" href="https://forum.example.net/">forum</a>
<a id="file" href="https://downloads.example.net/player-1.4.2-setup.exe">file</a>
<a id="nowhere" href="https://elsewhere.example.net/">elsewhere</a>
<script>for (const link of document.links) link.addEventListener('click', event => setTimeout(() => 0));
addEventListener('click', event => event.preventDefault());</script><script src="/script.js"></script>"""


AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


@pytest.fixture
def website() -> Iterator[Websites]:
    with websites() as sites:
        for path in ("/start", "/next", "/hash"):
            sites.put(f"www.example.org{path}", PAGE)
        yield sites


def visit(
    stack: Stack, browser: Browser, pages: Websites, source: str, folder: Path, walk: Callable[[Page], None]
) -> list[str]:
    """Walk over the website with a script; what the script kept in the browser."""
    port = stack.public.rpartition(":")[2]
    script = bundled(source.format(port=port), folder / "script.js").read_text("utf-8")
    pages.pages["www.example.org/script.js"] = Served(script)
    context = browser.new_context(user_agent=AGENT)
    page = context.new_page()
    answers: list[int] = []
    page.on("response", lambda got: answers.append(got.status) if "/api/event" in got.url else None)
    walk(page)
    kept = [str(cookie) for cookie in context.cookies()]
    kept += page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    context.close()
    assert answers
    assert set(answers) == {202}
    return kept


def test_the_tracker_of_today_counts_in_the_right_cells(
    stack: Stack, chromium: Browser, website: Websites, npm_packages: Path, tmp_path: Path
) -> None:
    def walk(page: Page) -> None:
        page.goto(website.address("www.example.org/start"), referer="https://news.example.com/item?id=5")
        page.evaluate("scrollTo(0, 2200)")
        page.wait_for_timeout(100)
        page.evaluate("history.pushState(null, '', '/next?utm_source=letter')")
        for selector in ("#out", "#file", "#nowhere"):
            page.click(selector)
        page.evaluate("reach('signup', { props: { plan: 'large' }, interactive: false })")
        page.evaluate("reach('never declared')")
        page.goto(website.address("www.example.org/hash") + "#/pricing?x=1")
        page.evaluate("location.hash = '/contact'")
        eventually(lambda: events_seen(stack)["accepted page_hit"] == 12 + 4, "every page arrived")
        eventually(lambda: events_seen(stack)["accepted page_leave"] >= 1, "an engagement arrived")

    crowd(stack)
    assert visit(stack, chromium, website, TRACKER, tmp_path, walk) == []
    settle(stack)
    assert told(stack, "pages", ["path"]) == {"/start": 1, "/next": 1, "/hash/pricing": 1, "/hash/contact": 1}
    assert told(stack, "goals", ["goal"]) == {"signup": 1}
    assert told(stack, "links", ["link"]) == {"forum": 1}
    assert told(stack, "downloads", ["version", "file"]) == {"1.4.2 player-setup.exe": 1}
    scrolled = told(stack, "page_scroll", ["path"], "amount")
    assert 50 <= scrolled["/start"] <= 65  # 2,200 and a window of 5,000 pixels
    assert events_seen(stack)["not_counted unmapped"] == 2
    assert told(stack, "bounces", ["path"]) == told(stack, "exit_pages", ["path"]) == {}


def test_the_tracker_of_before_counts_in_the_right_cells(
    stack: Stack, chromium: Browser, website: Websites, npm_packages: Path, tmp_path: Path
) -> None:
    def walk(page: Page) -> None:
        page.goto(website.address("www.example.org/start"))
        page.evaluate("history.pushState(null, '', '/next')")
        page.evaluate("reach('signup', { props: { plan: 'large' } })")
        page.evaluate("reach('never declared', { props: {} })")
        eventually(lambda: events_seen(stack)["accepted goal"] == 1, "the goal arrived")
        eventually(lambda: events_seen(stack)["accepted page_hit"] == 12 + 2, "every page arrived")

    crowd(stack)
    assert visit(stack, chromium, website, OLDER, tmp_path, walk) == []
    settle(stack)
    assert told(stack, "pages", ["path"]) == {"/start": 1, "/next": 1}
    assert told(stack, "goals", ["goal"]) == {"signup": 1}
    assert events_seen(stack)["not_counted unmapped"] == 1
