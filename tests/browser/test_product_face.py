"""The face of a product: active installations, growth, adoption, retention and every panel, against the truth."""

from __future__ import annotations

from datetime import date, timedelta

from tests.browser.lived import PRODUCT, Lived
from tests.browser.panels import Face, Tab, amounts, assert_changed, assert_says
from tests.browser.screen import Look, Screen, number

EXACT = [
    Tab("Active by version and platform", "Version", "active_by_version", "version"),
    Tab("Checks by version and channel", "Version", "update_checks", "version"),
    Tab("Checks by version and channel", "Channel", "update_checks", "channel"),
    Tab("Downloads", "File", "downloads", "file"),
    Tab("Downloads", "Version", "downloads", "version"),
    Tab("Downloads", "Origin", "downloads", "origin"),
    Tab("Installs", "Version", "installs", "version"),
    Tab("Installs", "Channel", "installs", "channel"),
    Tab("Install outcomes", "Outcome", "install_outcomes", "outcome"),
    Tab("Install outcomes", "Version", "install_outcomes", "version"),
    Tab("Uninstalls", "Reason", "uninstall_reasons", "reason"),
    Tab("Uninstalls", "Version", "uninstalls", "version"),
]
FOLDED = [
    Tab("Active by version and platform", "System", "active_by_platform", "os"),
    Tab("Active by version and platform", "Architecture", "active_by_platform", "arch"),
    Tab("Active by country", "", "active_by_country", "country"),
    Tab("Downloads", "Country", "downloads_by_country", "country"),
    Tab("Installs", "System", "installs", "os"),
    Tab("Installs", "Country", "installs_by_country", "country"),
    Tab("Uninstalls", "Age", "uninstalls", "age"),
    Tab("Uninstalls", "System", "uninstalls", "os"),
]


def test_active_installations_and_growth_are_the_truth(look: Look, lived: Lived) -> None:
    screen = look().open(property=PRODUCT, **lived.range)
    tiles, active = screen.tiles(), lived.truth.of(PRODUCT)["active"]
    first, last = lived.days(0)
    daily, before = (between(active["day"], *lived.days(ranges)) for ranges in (0, 1))
    assert_says(tiles["DAU"].value, round(sum(daily) / len(daily)))
    assert_changed(tiles["DAU"].change, sum(daily), sum(before))
    week = last_whole_week(last)
    assert_says(tiles["WAU"].value, active["week"][week])
    assert_says(tiles["MAU"].value, active["month"][f"{last[:7]}-01"])
    month = between(active["day"], f"{last[:7]}-01", last)
    assert_says(tiles["Stickiness"].value, sum(month) / len(month) / active["month"][f"{last[:7]}-01"])
    assert_says(tiles["New installations"].value, sum(between(active["new"], first, last)))
    assert curve(screen, "DAU by day") == daily
    assert curve(screen, "Update checks by day") == list(
        lived.truth.by_day(PRODUCT, "update_checks", first, last).values()
    )
    downloads, installs, uninstalls = (
        lived.truth.total(PRODUCT, report, first, last).events for report in ("downloads", "installs", "uninstalls")
    )
    growth = screen.tiles("Downloads, installs, uninstalls")
    assert_says(growth["Downloads"].value, downloads)
    assert_says(growth["Installs"].value, installs)
    assert_says(growth["Installs per download"].value, installs / downloads)
    assert_says(growth["Uninstalls"].value, uninstalls)
    assert_says(growth["Net"].value, installs - uninstalls)


def test_every_panel_of_a_product_shows_the_truth(look: Look, lived: Lived) -> None:
    screen = look().open(property=PRODUCT, **lived.range)
    face = Face(screen=screen, lived=lived, property=PRODUCT, days=lived.days(0))
    for tab in EXACT:
        face.assert_exact(tab)
    face.assert_exact(Tab("Features", "", "features", "feature"), amounts)
    for tab in FOLDED:
        face.assert_folded(tab)
    for item, *counts in screen.rows(screen.panel("Recommendations").get_by_role("table")):
        shown, clicked, dismissed = (
            lived.truth.total(PRODUCT, "recommendations", *lived.days(0), item=item, action=action).amount
            for action in ("shown", "clicked", "dismissed")
        )
        for said, true in zip(counts, (shown, clicked, clicked / shown, dismissed), strict=True):
            assert_says(said, true)


def test_version_adoption_and_retention_are_the_truth(look: Look, lived: Lived) -> None:
    screen = look().open(property=PRODUCT, **lived.range)
    table = screen.panel("Version adoption").get_by_role("table")
    versions = table.locator("thead th").all_inner_texts()[1:]
    days = [day for day in lived.truth.days(PRODUCT) if lived.days(0)[0] <= day <= lived.days(0)[1]]
    for day, (_, *shares) in zip(days, screen.rows(table), strict=True):
        true = lived.truth.by(PRODUCT, "active_by_version", "version", day, day)
        total = sum(sums.events for sums in true.values())
        for version, share in zip(versions, shares, strict=True):
            if version in true:
                assert_says(share, true[version].events / total)
    active, retention = (lived.truth.of(PRODUCT)[name] for name in ("active", "retention"))
    mondays = sorted(active["week"])
    rows = screen.rows(screen.panel("Retention").get_by_role("table"))
    fresh = {monday: sum(between(active["new"], monday, plus(monday, 6))) for monday in mondays}
    assert [number(row[1]) for row in rows] == [count for count in fresh.values() if count]
    named = 0
    for monday, (_, new, *cells) in zip([monday for monday in mondays if fresh[monday]], rows, strict=True):
        for age, share in enumerate([cell for cell in cells if cell], start=1):
            told = number(share.removesuffix(" so far"))
            true = retention.get(plus(monday, 7 * age), {}).get(str(age), 0) / number(new)
            assert not told > true + 0.00501, (monday, age)
            named += told > 0
    assert named, "no cohort is large enough to be seen: more visitors, please"


def between(counts: dict[str, int], first: str, last: str) -> list[int]:
    return [count for day, count in sorted(counts.items()) if first <= day <= last]


def curve(screen: Screen, name: str) -> list[float]:
    """The values of a chart, as the table beside it says them."""
    return [number(row[1]) for row in screen.rows(screen.page.get_by_role("table", name=name))]


def last_whole_week(day: str) -> str:
    """The Monday of the last week that is over by the end of a day."""
    at = date.fromisoformat(day)
    return (at - timedelta(days=(at.weekday() + 1) % 7 + 6)).isoformat()


def plus(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
