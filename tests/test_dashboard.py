"""The dashboard in a real browser, served as analysts get it: strict CSP, real answers, counts put there by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # has no types
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from collector.analyst.pages import WEB, is_built
from tests.front_desk import DECLARATIONS, NOON, PASSWORD, TODAY, add_people, front_desk
from tests.memory_reading import OTHER_SITE, SITE, MemoryReading

pytestmark = pytest.mark.skipif(not is_built(WEB), reason="no dashboard: install the package with Node and npm")

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=1280, height=900)
DAYS = 30
PAGES = {"/": 40, "/pricing": 20, "/docs/install": 12, "=cmd": 10, "(other)": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the dashboard is, how to get in, and the browser to look with."""

    address: str
    code: Callable[[], str]
    browser: Browser

    @asynccontextmanager
    async def page(self, search: str = "", *, dark: bool = False, phone: bool = False) -> AsyncIterator[Page]:
        """A page of somebody who signed in, at the desk's time; whatever the browser complains about fails the test."""
        context = await self.browser.new_context(
            viewport=PHONE if phone else DESK, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        page = await context.new_page()
        await page.clock.set_fixed_time(datetime.fromtimestamp(NOON, UTC))
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on(
            "request", lambda sent: None if sent.url.startswith((self.address, "data:")) else wrong.append(sent.url)
        )
        # Live hits need a running collector; they have tests of their own.
        await page.route("**/api/v1/live?*", lambda route: route.fulfill(content_type="text/event-stream", body=""))
        await page.goto(f"{self.address}/{search}#code={self.code()}")
        await expect(page.locator("main#numbers")).to_be_visible()
        yield page
        await context.close()
        assert wrong == []


@pytest_asyncio.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with (
        front_desk(tmp_path_factory.mktemp("dashboard"), reading=counted()) as desk,
        async_playwright() as playwright,
    ):
        add_people(desk)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Door(
            address=f"http://{desk.address}", code=lambda: str(desk.askers.codes.create("anna")), browser=browser
        )
        await browser.close()


def counted() -> MemoryReading:
    """A month of a site: the same every day, so that a week is seven times a day."""
    reading = MemoryReading(DECLARATIONS)
    for ago in range(DAYS):
        day = (date.fromisoformat(TODAY) - timedelta(days=ago)).isoformat()
        reading.put("traffic", f"{day}T09:00:00", events=sum(PAGES.values()), amount=50)
        for path, events in PAGES.items():
            reading.put("pages", day, path, events=events)
        for country, events in {"DE": 50, "FR": 35}.items():
            reading.put("countries", day, country, events=events)
        reading.put("sources", day, "google.de", events=30)
        reading.put("sources", day, "(direct)", events=20)
        reading.put("bounces", day, "/", events=40, amount=10)
        reading.put("page_time", day, "/", events=40, amount=4_000)
    return reading


def tile(page: Page, label: str) -> str:
    return f".tile:has(.tile-label:text-is('{label}')) .tile-value"


async def test_a_sign_in_link_works_and_its_code_is_gone_from_the_address(door: Door) -> None:
    async with door.page() as page:
        assert page.url == f"{door.address}/"
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Password")).to_be_visible()


async def test_a_name_and_password_let_one_in_and_wrong_ones_are_said(door: Door) -> None:
    page = await door.browser.new_page()
    await page.route("**/api/v1/live?*", lambda route: route.abort())
    await page.goto(door.address)
    await page.get_by_label("Name").fill("anna")
    await page.get_by_label("Password").fill("not this one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("main#numbers")).to_be_visible()
    await page.context.close()


async def test_the_tiles_say_what_was_counted(door: Door) -> None:
    async with door.page("?period=7d") as page:
        await expect(page.locator(tile(page, "Hits"))).to_have_text("595")
        await expect(page.locator(tile(page, "Visits"))).to_have_text("350")
        await expect(page.locator(tile(page, "Views per visit"))).to_have_text("1.7")
        await expect(page.locator(tile(page, "Bounce rate"))).to_have_text("25%")
        await expect(page.locator(tile(page, "Time per visit"))).to_have_text("1m 20s")
        await expect(page.locator(".tile", has_text="Visitors")).to_contain_text("visitor-days")
        await expect(page.get_by_role("img", name=re.compile("Visitors by day"))).to_be_visible()
        await expect(page.locator(".overview-foot")).to_contain_text("UTC")


async def test_a_click_on_a_row_filters_what_can_be_and_explains_what_cannot(door: Door) -> None:
    async with door.page("?period=7d") as page:
        await page.get_by_role("button", name="/pricing").click()
        await expect(page.locator(tile(page, "Hits"))).to_have_text("140")
        await expect(page.get_by_role("region", name="Countries")).to_contain_text("cannot be told by page")
        assert "filter=path%3D%3D%2Fpricing" in page.url
        await page.go_back()
        await expect(page.locator(tile(page, "Hits"))).to_have_text("595")


async def test_a_view_can_be_linked_to(door: Door) -> None:
    async with door.page("?period=7d&filter=country%3D%3DDE&metric=hits&compare=none") as page:
        await expect(page.locator(tile(page, "Hits"))).to_have_text("350")
        await expect(page.get_by_role("list", name="Filters")).to_contain_text("Country is Germany")
        await expect(page.get_by_role("button", name="Hits")).to_have_attribute("aria-pressed", "true")


async def test_details_are_searched_and_downloaded_as_shown(door: Door) -> None:
    async with door.page("?period=7d&details=pages") as page:
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("row")).to_have_count(6)
        await dialog.get_by_role("searchbox").fill("docs")
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("row")).to_have_count(2)
        async with page.expect_download() as waiting:
            await dialog.get_by_role("link", name="CSV of this page").click()
        saved = await (await waiting.value).path()
        assert saved.read_text("utf-8").splitlines() == ["path,events,visitor_days", "/docs/install,84,84"]
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert "details" not in page.url


async def test_what_other_means_is_told_to_whoever_comes_by_keyboard(door: Door) -> None:
    async with door.page("?period=7d") as page:
        term = page.get_by_role("region", name="Pages").locator(".term")
        await term.focus()
        await expect(term.get_by_role("tooltip")).to_be_visible()


async def test_a_site_without_a_hit_is_shown_how_to_send_one(door: Door) -> None:
    async with door.page(f"?property={OTHER_SITE}") as page:
        await expect(page.locator(".first-command")).to_contain_text(f'"site":"{OTHER_SITE}"')


@pytest.mark.parametrize(
    ("search", "dark", "phone"),
    [
        ("?period=7d", True, True),
        ("?filter=path%3D%3D/pricing", False, False),
        ("?details=pages", False, True),
    ],
)
async def test_everybody_can_use_it(door: Door, search: str, dark: bool, phone: bool) -> None:  # noqa: FBT001 - parameters
    """Nothing axe knows of is wrong, and no page is wider than the screen."""
    async with door.page(search, dark=dark, phone=phone) as page:
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        found = await Axe().run(page)
        assert [violation["id"] for violation in found.response["violations"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert SITE in await page.title()
