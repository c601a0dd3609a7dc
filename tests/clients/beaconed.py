"""Sites whose pages carry the beacon, a collector that counts them, and visitors in Chromium whose time is the test's.

Each test has a site of its own, so that all can share one collector; what a site counted is told once a crowd was
there, so each begins with one, on a page of its own. A page's clock (performance.now) stands still but for what `dwell`
adds: seconds come out exactly, and nobody waits for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.calling import call
from tests.chromium import OPTIONS
from tests.clients.websites import NAMES, Websites
from tests.counting import days, load
from tests.stack import Stack, eventually

# Of the whole browser: what a page sends while it goes away knows nothing of a context's agent.
AGENT = (
    "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
HOSTS = [
    *("three", "stored", "app", "cached", "walked", "wandered", "switched", "distracted"),
    *("reached", "shy", "header", "out", "ready", "twice", "fenced", "again", "filed"),
    *("broken", "fetching", "refusing", "plain", "formed", "several", "pixel"),
]

# A clock that stands still, and hiding as a switch of tabs does it: headless Chromium shows every tab at all times.
CONTROLS = """
(() => {
  let nowMs = 1000;
  performance.now = () => nowMs;
  let isHidden = false;
  const switched = (hidden) => { isHidden = hidden; document.dispatchEvent(new Event('visibilitychange')); };
  Object.defineProperty(Document.prototype, 'hidden', { get: () => isHidden, configurable: true });
  window.dwell = (ms) => { nowMs += ms; };
  window.switchAway = () => switched(true);
  window.switchBack = () => switched(false);
  addEventListener('pageshow', () => { window.isShown = true; });
  addEventListener('pagehide', () => { window.isShown = false; });
})();
"""


class Counts(NamedTuple):
    """What a cell counts; the amount is 0 where its report has none."""

    events: int
    amount: int = 0


Cells = dict[str, Counts]

CROWD = [f"192.0.{network}.1" for network in range(10)]
CROWDED, CROWD_GOAL, CROWD_LINK = "/crowd", "contact", "crowd"  # what nobody else has to do with
GOALS = f'["signup", "newsletter", "{CROWD_GOAL}"]'


def site_of(name: str) -> str:
    """The id of a test's site, which is its host as well."""
    return f"{name}.example.org"


def configured(port: int) -> str:
    """A configuration with the sites of all tests."""
    sites = [
        f'[[site]]\nid = "{site_of(name)}"\nhosts = ["{site_of(name)}", "shop-{site_of(name)}"]\n'
        f'routes = ["/**"]\ngoals = {GOALS}'
        for name in HOSTS
    ]
    links = [
        f'[[link]]\nid = "{link}"\nproperty = "{site_of("reached")}"\nurl = "http://forum.example.net:{port}/"'
        for link in ("forum", CROWD_LINK)
    ]
    file = 'product = "player"\nversion = "1.4.2"\nfile = "setup.exe"'
    return "\n".join(
        [
            'trusted_proxies = ["127.0.0.0/8"]',
            *sites,
            *links,
            '[[product]]\nid = "player"\nversions = ["1.4.2"]\norigins = ["website"]',
            f'[[download]]\n{file}\nurl = "http://files.example.net:{port}/setup.exe"',
        ]
    )


def keeping(browser: Browser) -> Browser:
    """Another browser, which takes every name for this machine and keeps pages to go back to, as browsers do."""
    return browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=[*OPTIONS, NAMES, AGENT],
        ignore_default_args=["--disable-back-forward-cache"],
    )


class Beaconed:
    """A collector and websites; `visitor` opens a context of a browser whose pages' clock and hiding are the test's."""

    def __init__(self, stack: Stack, websites: Websites, browser: Browser) -> None:
        self._crowded: set[str] = set()
        self.stack = stack
        self.websites = websites
        self.base = f"http://count.example.org:{stack.public.rpartition(':')[2]}"
        self._browser = browser

    def tag(self, name: str, more: str = "", base: str = "") -> str:
        """The element that a page of a site has."""
        return f'<script defer src="{base or self.base}/b.js" data-site="{site_of(name)}" {more}></script>'

    def page(self, name: str, path: str, body: str = "", base: str = "", **headers: str) -> str:
        """Serve a page of a site, with the beacon of its base; returns its address."""
        return self.websites.put(site_of(name) + path, self.tag(name, base=base) + body, **headers)

    def visitor(self, script: str = "", **options: Any) -> BrowserContext:
        """A browser profile with nothing in it."""
        context = self._browser.new_context(**options)
        context.add_init_script(CONTROLS + script)
        return context

    def cells(self, name: str, report: str, by: str = "") -> Cells:
        """What a report has counted for a site, by the values of a dimension ("" without one), without the crowd."""
        answer = self.stack.ask(report, property=site_of(name), **days(), **({"by": by} if by else {}))
        found = {}
        for line in answer["rows"]:
            row = dict(zip(answer["columns"], line, strict=True))
            value = row.get(by, "")
            mine = Counts(row["events"], row.get("amount") or 0)
            if not by:
                mine = Counts(mine.events - len(CROWD), mine.amount - len(CROWD))
            if value not in (CROWDED, CROWD_GOAL, CROWD_LINK) and mine.events:
                found[value] = mine
        return found

    def _let_crowd_in(self, name: str) -> None:
        if name in self._crowded:
            return
        self._crowded.add(name)
        site = {"site": site_of(name)}
        page = {**site, "url": f"http://{site_of(name)}{CROWDED}"}
        events = [
            {"kind": "page_hit", **page},
            {"kind": "page_leave", **page, "seconds": 0, "scroll": 0, "entry": True, "exit": True},
            {"kind": "goal", **site, "goal": CROWD_GOAL},
            {"kind": "link_click", **site, "link": CROWD_LINK},
        ]
        for address in CROWD:
            self.stack.post(events, {"X-Forwarded-For": address})

    def assert_cells(self, name: str, expected: Mapping[str, Cells]) -> None:
        """Each report, given as "report" or "report by dimension", comes to hold just these cells."""

        def found() -> dict[str, Cells]:
            load(self.stack)
            return {asked: self.cells(name, asked.partition(" ")[0], asked.partition(" by ")[2]) for asked in expected}

        self._let_crowd_in(name)
        last: dict[str, Cells] = {}

        def is_so() -> bool:
            last.update(found())
            return last == expected

        try:
            eventually(is_so, "cells", patience_s=8)
        except AssertionError:
            wrong = {asked: (last[asked], cells) for asked, cells in expected.items() if last[asked] != cells}
            pytest.fail("\n".join(f"{asked}: {are}, not {cells}" for asked, (are, cells) in wrong.items()))

    def is_served(self) -> bool:
        """Whether the collector has a beacon to give."""
        return call(self.stack.public, "GET", "/b.js").status == 200


def go_to(page: Page, selector: str) -> None:
    """Follow a link to another document, and be there."""
    with page.expect_navigation(wait_until="load"):
        page.click(selector)


def go_back(page: Page) -> None:
    """The browser's own button, which Playwright waits in vain for when a page comes back from the cache."""
    devtools = page.context.new_cdp_session(page)
    history = devtools.send("Page.getNavigationHistory")
    before = history["entries"][history["currentIndex"] - 1]
    devtools.send("Page.navigateToHistoryEntry", {"entryId": before["id"]})
    page.wait_for_url(before["url"], wait_until="commit")
    page.wait_for_function("window.isShown")
    devtools.detach()


def dwell(page: Page, ms: int) -> None:
    """Look at a page for so long."""
    page.evaluate("ms => dwell(ms)", ms)


def close(page: Page) -> None:
    """Close the tab, as people do: the page is told."""
    with page.expect_event("close"):
        page.close(run_before_unload=True)


def troubles(page: Page) -> list[str]:
    """What goes wrong on a page from now on, as its visitors' browsers would tell."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    return told


def sent(page: Page) -> list[str]:
    """What a page asks the collector from now on, without /b.js."""
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url) if "count." in request.url else None)
    return told
