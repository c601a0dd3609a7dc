"""The details of a panel: all rows against the truth, what changed, CSV as shown, and the way in and out by keys."""

from __future__ import annotations

import csv
from typing import NamedTuple

from playwright.sync_api import Locator, expect

from tests.browser.lived import SITE, Lived
from tests.browser.panels import Face
from tests.browser.screen import NOTHING, Look, Row, Screen, number


class Details(NamedTuple):
    """A details view that is open."""

    screen: Screen
    dialog: Locator

    def heads(self) -> list[str]:
        return [head.split(" ↓")[0].split(" ↑")[0] for head in self.dialog.locator("thead th").all_inner_texts()]

    def rows(self) -> list[Row]:
        return self.screen.settle().rows(self.dialog.get_by_role("table"))

    def search(self, text: str) -> None:
        self.dialog.get_by_role("searchbox").fill(text)
        self.dialog.get_by_role("searchbox").press("Enter")

    def download(self, link: str) -> list[dict[str, str]]:
        """The rows of a CSV, by column."""
        with self.screen.page.expect_download() as waiting:
            self.dialog.get_by_role("link", name=link).click()
        return list(csv.DictReader(waiting.value.path().read_text("utf-8").splitlines()))


def opened(screen: Screen, details: str, **view: str) -> Details:
    screen.open(property=SITE, details=details, **view)
    return Details(screen, screen.page.get_by_role("dialog"))


def test_details_tell_every_row_its_change_and_the_same_as_csv(look: Look, lived: Lived) -> None:
    details = opened(look(), "pages", **lived.range)
    now, before = (lived.truth.by(SITE, "pages", "path", *lived.days(ranges)) for ranges in (0, 1))
    assert details.heads() == ["Page", "Hits", "Visitor-days", "Change"]
    rows = details.rows()
    assert {row[0]: number(row[1]) for row in rows} == {path: sums.events for path, sums in now.items()}
    for path, hits, _, change in rows:
        assert abs(number(change) - (number(hits) / before[path].events - 1)) < 0.0051
    told = details.download("CSV of all")
    assert [[row["path"], row["events"], row["visitor_days"]] for row in told] == plain(rows)
    details.dialog.get_by_role("button", name="Page", exact=True).click()
    assert [row[0] for row in details.rows()] == sorted(now)
    details.search("t")
    found = details.rows()
    assert [row[0] for row in found] == [path for path in sorted(now) if path.startswith("/t")]
    assert [[row["path"], row["events"]] for row in details.download("CSV of this page")] == [
        row[:2] for row in plain(found)
    ]


def test_csv_of_filtered_details_is_what_the_screen_shows_and_hides_the_same(look: Look, lived: Lived) -> None:
    screen = look()
    details = opened(screen, "systems", filter="os==windows", compare="none", **lived.range)
    rows = details.rows()
    assert details.heads() == ["System", "Device", "Hits", "Visitor-days"]
    assert {row[0] for row in rows} == {"Windows"}
    told = details.download("CSV of this page")
    names = Face(screen=screen, lived=lived, property=SITE, days=lived.days(0)).names
    devices = names("device", [row["device"] for row in told])
    assert [["Windows", devices[row["device"]], row["events"], row["visitor_days"]] for row in told] == [
        [*row[:2], row[2].replace(",", ""), row[3].replace(",", "").strip(NOTHING)] for row in rows
    ]
    countries = opened(screen, "countries", compare="none", **lived.range)
    total = lived.truth.total(SITE, "countries", *lived.days(0)).events
    assert sum(number(row[1]) for row in countries.rows()) == total
    assert sum(int(row["events"]) for row in countries.download("CSV of all")) == total


def test_details_are_opened_and_left_by_keyboard_and_the_focus_comes_back(look: Look, lived: Lived) -> None:
    screen = look().open(property=SITE, **lived.range)
    keyboard = screen.page.keyboard
    screen.panel("Pages").get_by_role("button", name="All", exact=True).focus()
    way = screen.panel("Pages").get_by_role("button", name="Details of All")
    for _ in range(30):
        keyboard.press("Tab")
        if way.evaluate("button => button === document.activeElement"):
            break
    expect(way).to_be_focused()
    keyboard.press("Enter")
    dialog = screen.page.get_by_role("dialog", name="Pages")
    expect(dialog).to_be_visible()
    assert "details=pages" in screen.page.url
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(way).to_be_focused()
    assert "details" not in screen.page.url
    other = screen.panel("Countries").locator(".term")
    other.focus()
    expect(other.get_by_role("tooltip")).to_be_visible()


def plain(rows: list[Row]) -> list[Row]:
    """The first three cells as a CSV has them."""
    return [[row[0], *(cell.replace(",", "") for cell in row[1:3])] for row in rows]
