"""What somebody sees of the dashboard in a real Chromium, read as text; and what a page must never do, watched for.

A Screen is one page of one person. Every console error, every exception and every request to anywhere but the
collector's own analyst port is kept, and `assert_clean` fails by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has no types
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, ViewportSize, expect

TALL: ViewportSize = {"width": 1280, "height": 6000}  # everything is on the screen, so nothing waits to be scrolled to
WIDTHS = (1280, 768, 360)
PATIENCE_MS = 20_000
# Asked for and not there yet: a page waits in CSS, for its policy lets no script wait for it.
WAITING = '[aria-busy="true"], .waiting, .panel-space:empty, .chart-space:empty'
ROWS = """table => [...table.tBodies].flatMap(({ rows }) => [...rows]).map(({ cells }) => [...cells].map(cell => {
  const shown = cell.cloneNode(true);
  shown.querySelectorAll('.term-tells').forEach(tells => tells.remove());
  return shown.textContent.trim();
}))"""
TILES = """tiles => tiles.map(tile => Object.fromEntries(['label', 'value', 'change', 'hint'].map(part => [
  part, (tile.querySelector(`.tile-${part}`)?.textContent ?? '').trim()])))"""
NAMES = """([type, codes]) => {
  const names = new Intl.DisplayNames('en-GB', { type, fallback: 'code' });
  return codes.map(code => /^[A-Za-z-]{2,}$/.test(code) ? names.of(code) : code);
}"""

expect.set_options(timeout=PATIENCE_MS)

NOTHING = "–"  # noqa: RUF001 - what the dashboard writes where there is no number
Row = list[str]


class Tile(NamedTuple):
    """One figure: its name, what it says, how it changed, and the small line below."""

    label: str
    value: str
    change: str
    hint: str


class Screen:
    """One page, signed in or not."""

    def __init__(self, browser: Browser, origin: str, cookie: str | None, **options: Any) -> None:
        self.origin = origin
        self.context = browser.new_context(**{"viewport": TALL, "locale": "en-GB", **options})
        self.context.set_default_timeout(PATIENCE_MS)
        self._wrong: list[str] = []
        self._expected: list[int] = []
        self.context.on("request", self._requested)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._wrong.append(f"exception: {error}"))
        if cookie:
            self.context.add_cookies([{"name": "collector", "value": cookie, "url": origin}])

    # --- going somewhere ----------------------------------------------------------------------------------------------

    def open(self, **view: str | list[str]) -> Screen:
        """Go to a view of the dashboard, and wait until it says all it has to say."""
        self.page.goto(f"{self.origin}/" + (f"?{urlencode(view, doseq=True)}" if view else ""))
        return self.settle()

    def settle(self) -> Screen:
        """Wait until nothing is being asked any more."""
        expect(self.page.locator("main")).to_be_visible()
        expect(self.page.locator(WAITING)).to_have_count(0)
        return self

    def resize(self, width: int) -> None:
        """Have a screen of that width; tall enough for all of the page."""
        self.page.set_viewport_size({"width": width, "height": TALL["height"]})
        self.settle()

    def expects(self, *statuses: int) -> None:
        """The browser itself reports these answers on the console: here they are meant to come."""
        self._expected += statuses

    def close(self) -> None:
        self.context.close()

    def choose(self, what: str, option: str) -> Screen:
        """Pick from one of the lists of the range."""
        self.choice(what).select_option(label=option)
        return self.settle()

    def choice(self, what: str) -> Locator:
        """One of the lists above the numbers, by its name."""
        return self.page.get_by_role("combobox", name=what, exact=True)

    # --- reading ------------------------------------------------------------------------------------------------------

    def tiles(self, within: str = "Overview") -> dict[str, Tile]:
        """The figures by name."""
        tiles = self.page.get_by_role("region", name=within, exact=True).locator(".tile")
        return {each["label"]: Tile(**each) for each in tiles.evaluate_all(TILES)}

    def pick_tile(self, name: str, within: str = "Overview") -> None:
        """Have a figure in the chart."""
        self.page.get_by_role("region", name=within, exact=True).locator(".tile", has_text=name).first.click()
        self.settle()

    def panel(self, title: str) -> Locator:
        """A section by its heading."""
        return self.page.get_by_role("region", name=title, exact=True).first

    def rows(self, table: Locator) -> list[Row]:
        """The texts of a table's body, row by row, without what only shows on hover."""
        rows: list[Row] = table.evaluate(ROWS)
        return rows

    def names(self, sort: str, codes: list[str]) -> dict[str, str]:
        """What people call countries ("region") or languages, by code."""
        return dict(zip(codes, self.page.evaluate(NAMES, [sort, codes]), strict=True))

    # --- judging ------------------------------------------------------------------------------------------------------

    def assert_clean(self) -> None:
        """Nothing was said on the console, nothing thrown, nobody else asked."""
        assert not self._wrong, "\n".join(self._wrong)

    def assert_accessible(self) -> None:
        """Nothing found by axe, and nothing is wider than the screen."""
        found = Axe().run(self.page).response["violations"]
        where = f"{self.page.url} at {self.page.viewport_size}"
        assert not found, f"{where}\n" + "\n".join(map(_violation, found))
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{where}: the page scrolls sideways by {wide} px"

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self._wrong.append(f"request to {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        refused = re.search(r"responded with a status of (\d+)", message.text)
        if refused and int(refused[1]) in self._expected:
            return
        self._wrong.append(f"console: {message.text} ({message.location.get('url', '')})")


Look = Callable[..., Screen]


def number(text: str) -> float:
    """What a number on the screen says: `1,204`, `12.3%` as 0.123, `2m 05s` in seconds; NaN for a dash."""
    text = text.replace(",", "").replace("\N{MINUS SIGN}", "-")
    if text == NOTHING:
        return float("nan")
    if clock := re.fullmatch(r"(?:(\d+)h )?(?:(\d+)m ?)?(?:(\d+)s)?", text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def _violation(found: Mapping[str, Any]) -> str:
    nodes = "; ".join(f"{node['html'][:200]} ({node['failureSummary']})" for node in found["nodes"][:5])
    return f"{found['id']}: {found['help']}: {nodes}"
