"""The face of a site: every figure, curve and panel against what was really done there."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lived import SITE, Lived
from tests.browser.panels import Face, Tab, assert_changed, assert_says
from tests.browser.screen import Look, number

SEARCH = {"google.com", "bing.com", "duckduckgo.com", "yahoo.com", "ecosia.org", "yandex.ru"}
SOCIAL = {"reddit.com", "youtube.com", "ycombinator.com", "facebook.com", "t.co", "mastodon.social"}
EXACT = [
    Tab("Pages", "All", "pages", "path"),
    Tab("Pages", "Entry", "entry_pages", "path"),
    Tab("Pages", "Exit", "exit_pages", "path"),
    Tab("Goals and links", "Goals", "goals", "goal"),
    Tab("Goals and links", "Links", "links", "link"),
]
FOLDED = [
    Tab("Countries", "", "countries", "country"),
    Tab("Devices", "Systems", "platforms", "os"),
    Tab("Devices", "Devices", "platforms", "device"),
    Tab("Devices", "Browsers", "browsers", "browser"),
    Tab("Languages", "", "languages", "language"),
    Tab("Campaigns", "Campaign", "campaigns", "utm_campaign"),
    Tab("Campaigns", "Source", "campaigns", "utm_source"),
    Tab("Campaigns", "Medium", "campaigns", "utm_medium"),
    Tab("Sources", "All", "sources", "source"),
]


def test_every_figure_of_a_site_is_the_truth_and_so_are_its_change_and_its_curve(look: Look, lived: Lived) -> None:
    screen = look().open(property=SITE, **lived.range)
    now, before = (figures(lived, lived.days(ranges)) for ranges in (0, 1))
    tiles = screen.tiles()
    assert tiles.keys() == now.keys()
    for name, figure in now.items():
        assert_says(tiles[name].value, figure)
        assert_changed(tiles[name].change, figure, before[name], points=name == "Bounce rate")
    for name, by_day in (("Visitors", visitors_by_day(lived)), ("Hits", hits_by_day(lived))):
        screen.pick_tile(name)
        shown = screen.rows(screen.page.get_by_role("table", name=f"{name} by day"))
        assert [number(row[1]) for row in shown] == by_day


def test_every_panel_of_a_site_shows_the_truth(look: Look, lived: Lived) -> None:
    screen = look().open(property=SITE, **lived.range)
    face = Face(screen=screen, lived=lived, property=SITE, days=lived.days(0))
    for tab in EXACT:
        face.assert_exact(tab)
    for tab in FOLDED:
        face.assert_folded(tab)
    bounces, time, pages = (
        lived.truth.by(SITE, report, "path", *lived.days(0)) for report in ("bounces", "page_time", "pages")
    )
    for path, rate, *_ in face.rows(Tab("Pages", "Bounces", "bounces", "path")):
        assert_says(rate, bounces[path].amount / bounces[path].events)
    for path, length, *_ in face.rows(Tab("Pages", "Time", "page_time", "path")):
        assert_says(length, time[path].amount / pages[path].events)
    for group, members in (("Search", SEARCH), ("Social", SOCIAL), ("Direct", {"Direct"})):
        shown = {row[0] for row in face.rows(Tab("Sources", group, "sources", "source"))}
        assert shown <= members, group
        assert shown or group == "Social", group  # too few come from there to be named


def test_a_picked_row_filters_what_a_report_has_and_explains_the_rest(look: Look, lived: Lived) -> None:
    screen = look().open(property=SITE, **lived.range)
    screen.panel("Pages").get_by_role("button", name="/tour", exact=True).click()
    screen.settle()
    assert "filter=path%3D%3D%2Ftour" in screen.page.url
    pages, entries, bounces, time = (
        lived.truth.total(SITE, report, *lived.days(0), path="/tour")
        for report in ("pages", "entry_pages", "bounces", "page_time")
    )
    tiles = screen.tiles()
    assert_says(tiles["Hits"].value, pages.events)
    assert_says(tiles["Visits"].value, entries.events)
    assert_says(tiles["Bounce rate"].value, bounces.amount / bounces.events)
    assert_says(tiles["Time on page"].value, time.amount / pages.events)
    assert [row[0] for row in screen.rows(screen.panel("Pages").get_by_role("table"))] == ["/tour"]
    countries = screen.panel("Countries")
    expect(countries).to_contain_text("cannot be told by page")
    screen.page.go_back()
    expect(countries).not_to_contain_text("cannot be told")
    screen.page.go_forward()
    countries.get_by_role("button", name="Remove the filter").click()
    screen.settle()
    assert_says(screen.tiles()["Hits"].value, lived.truth.total(SITE, "traffic", *lived.days(0)).events)


def test_what_describes_callers_is_filtered_among_the_named_rows_only(look: Look, lived: Lived) -> None:
    screen = look().open(property=SITE, **lived.range)
    devices = screen.panel("Devices")
    shown = {row[0]: row[1] for row in screen.rows(devices.get_by_role("table"))}["Windows"]
    devices.get_by_role("button", name="Windows", exact=True).click()
    screen.settle()
    assert screen.tiles()["Hits"].value == shown
    assert number(shown) <= lived.truth.total(SITE, "platforms", *lived.days(0), os="windows").events
    screen.page.get_by_role("button", name="Remove filter: System is Windows").click()
    screen.settle()
    assert screen.tiles()["Hits"].value != shown


def figures(lived: Lived, days: tuple[str, str]) -> dict[str, float]:
    """What the tiles must say of some days."""
    traffic, bounces, time = (lived.truth.total(SITE, report, *days) for report in ("traffic", "bounces", "page_time"))
    return {
        "Visitors": lived.truth.visitor_days(SITE, *days),
        "Visits": traffic.amount,
        "Hits": traffic.events,
        "Views per visit": traffic.events / traffic.amount,
        "Bounce rate": bounces.amount / bounces.events,
        "Time per visit": time.amount / traffic.amount,
    }


def visitors_by_day(lived: Lived) -> list[float]:
    first, last = lived.days(0)
    return [lived.truth.visitor_days(SITE, day, day) for day in lived.truth.days(SITE) if first <= day <= last]


def hits_by_day(lived: Lived) -> list[float]:
    return list(lived.truth.by_day(SITE, "traffic", *lived.days(0)).values())
