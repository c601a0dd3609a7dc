"""Plausible's own scripts, as published on npm, in a real browser against a running collector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.clients.npm_packages import bundled
from tests.clients.websites import Page as Served
from tests.clients.websites import Websites, websites
from tests.counting import events_seen, settle, today
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
plausible.enableAutoOutboundTracking();
window.reach = plausible.trackEvent;
"""
PAGE = """<body style="height: 5000px">
<a id="out" href="https://forum.example.net/">forum</a>
<a id="file" href="https://downloads.example.net/player-1.4.2-setup.exe">file</a>
<a id="nowhere" href="https://elsewhere.example.net/">elsewhere</a>
<script>for (const link of document.links) link.addEventListener('click', event => setTimeout(() => 0));
addEventListener('click', event => event.preventDefault());</script><script src="/script.js"></script>"""


AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"


NOW = 1_795_600_000
NEWS = "https://news.example.com/"
CROWDS = 24  # hits, of twelve networks each that came from there and from nowhere
SCROLL = "new Promise(done => { addEventListener('scroll', done, { once: true }); scrollTo(0, 2200); }).then(() => 0)"
HIDE = """Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
document.dispatchEvent(new Event('visibilitychange'));"""
SHOW = "delete document.visibilityState; document.dispatchEvent(new Event('visibilitychange'));"


@pytest.fixture
def website() -> Iterator[Websites]:
    with websites() as sites:
        for path in ("/start", "/next", "/hash"):
            sites.put(f"www.example.org{path}", PAGE)
        yield sites


def crowds(stack: Stack) -> None:
    """Enough networks for sources to be named."""
    crowd(stack)
    crowd(stack, referrer=NEWS)


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
        page.clock.set_fixed_time(NOW)
        page.goto(website.address("www.example.org/start"), referer=f"{NEWS}item?id=5")
        page.evaluate(SCROLL)
        page.clock.set_fixed_time(NOW + 4.2)
        page.evaluate(HIDE)
        page.evaluate(SHOW)
        page.clock.set_fixed_time(NOW + 4.2 + 3.1)  # it says nothing of less than three seconds
        page.evaluate("history.pushState(null, '', '/next?utm_source=letter')")
        for selector in ("#out", "#file", "#nowhere"):
            page.click(selector)
        page.evaluate("reach('signup', { props: { plan: 'large' }, interactive: false, revenue: { amount: 5 } })")
        page.evaluate("reach('never declared')")
        page.goto(website.address("www.example.org/hash") + "#/pricing?x=1")
        page.evaluate("location.hash = '/contact'")
        eventually(lambda: events_seen(stack)["accepted page_hit"] == CROWDS + 4, "every page arrived")
        eventually(lambda: events_seen(stack)["accepted page_leave"] >= 3, "every engagement arrived")

    crowds(stack)
    assert visit(stack, chromium, website, TRACKER, tmp_path, walk) == []
    settle(stack)
    pages = {"/start": 1, "/next": 1, "/hash/pricing": 1, "/hash/contact": 1}
    assert told(stack, "pages", ["path"]) == pages
    # Each time it says what came before the first page: without loading a page there is no telling a visit from a page.
    assert told(stack, "entry_pages", ["path"]) == pages
    assert told(stack, "sources", ["source"]) == {"example.com": 12 + 2, "(direct)": 12 + 2}
    assert stack.ask("traffic", property="www.example.org", **today())["totals"]["events"] == CROWDS + 4
    assert told(stack, "page_time", ["path"], "amount")["/start"] == 4 + 3
    assert told(stack, "page_time", ["path"])["/start"] == 2
    assert (
        50 <= told(stack, "page_scroll", ["path"], "amount")["/start"] / 2 <= 65
    )  # 2,200 and a window of 5,000 pixels
    assert {"/start", "/hash/pricing"} <= told(stack, "page_time", ["path"]).keys()
    assert told(stack, "goals", ["goal"]) == {"signup": 1}
    assert told(stack, "links", ["link"]) == {"forum": 1}
    assert told(stack, "downloads", ["version", "file"]) == {"1.4.2 player-setup.exe": 1}
    assert events_seen(stack)["not_counted unmapped"] == 2
    assert not events_seen(stack)["refused"]
    assert told(stack, "bounces", ["path"]) == told(stack, "exit_pages", ["path"]) == {}


def test_the_tracker_of_before_counts_in_the_right_cells(
    stack: Stack, chromium: Browser, website: Websites, npm_packages: Path, tmp_path: Path
) -> None:
    def walk(page: Page) -> None:
        page.goto(website.address("www.example.org/start"), referer=f"{NEWS}item?id=5")
        page.evaluate("history.pushState(null, '', '/next')")
        page.evaluate("reach('signup', { props: { plan: 'large' } })")
        page.evaluate("reach('never declared', { props: {} })")
        page.goto(website.address("www.example.org/hash") + "#/pricing?x=1")
        page.evaluate("history.pushState(null, '', '#/contact')")
        eventually(lambda: events_seen(stack)["accepted page_hit"] == CROWDS + 4, "every page arrived")
        page.route("https://forum.example.net/", lambda route: route.fulfill(body="the forum"))
        page.click("#out")
        page.wait_for_url("https://forum.example.net/")  # it leads on by itself, after a while
        page.goto(website.address("www.example.org/start"))

    crowds(stack)
    assert visit(stack, chromium, website, OLDER, tmp_path, walk) == []
    settle(stack)
    pages = {"/start": 2, "/next": 1, "/hash/pricing": 1, "/hash/contact": 1}
    assert told(stack, "pages", ["path"]) == told(stack, "entry_pages", ["path"]) == pages
    assert told(stack, "sources", ["source"]) == {"example.com": 12 + 2, "(direct)": 12 + 3}
    assert told(stack, "goals", ["goal"]) == {"signup": 1}
    assert told(stack, "links", ["link"]) == {"forum": 1}
    assert events_seen(stack)["not_counted unmapped"] == 1
    assert not events_seen(stack)["refused"]
