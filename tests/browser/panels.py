"""Panels as they stand on the screen against the truth: exactly where values are ours, folded where they are theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from tests.browser.lived import Lived
from tests.browser.screen import Row, Screen, number
from tests.browser.told_truth import Sums

ROWS = 9  # of a panel at most
OTHER = "Other"
NAMES = {
    "": {"(other)": OTHER, "(unknown)": "Unknown", "(direct)": "Direct"},
    "os": {"windows": "Windows", "macos": "macOS", "linux": "Linux", "android": "Android", "ios": "iOS"}
    | {"chromeos": "ChromeOS"},
    "device": {"desktop": "Desktop", "mobile": "Phone", "tablet": "Tablet"},
    "reason": {
        "missing_feature": "A feature is missing",
        "too_slow": "Too slow",
        "crashes": "Crashes",
        "hard_to_use": "Hard to use",
        "switched": "Switched to another",
        "temporary": "Only needed for a while",
        "other": "Another reason",
    },
    "outcome": {"ok": "Installed", "failed": "Failed", "cancelled": "Cancelled"},
    "age": {"0": "Less than a week", "1": "1 week", "13": "13 to 25 weeks", "26": "26 to 51 weeks"}
    | {"52": "A year or more"}
    | {str(age): f"{age} weeks" for age in range(2, 13)},
    "browser": {name: name.capitalize() for name in ("chrome", "edge", "firefox", "opera", "safari")},
}
REGIONS = {"country": "region", "language": "language"}


class Tab(NamedTuple):
    """A tab of a panel ("" where there is one only), and what it must show."""

    panel: str
    tab: str
    report: str
    dimension: str


def hits(sums: Sums) -> float:
    return sums.events


def amounts(sums: Sums) -> float:
    return sums.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A property on the screen, over a range of days, beside its truth."""

    screen: Screen
    lived: Lived
    property: str
    days: tuple[str, str]

    def rows(self, tab: Tab) -> list[Row]:
        """The rows of a tab, which is picked first."""
        panel = self.screen.panel(tab.panel)
        if tab.tab:
            panel.get_by_role("button", name=tab.tab, exact=True).first.click()
            self.screen.settle()
        table = panel.get_by_role("table")
        return self.screen.rows(table) if table.count() else []

    def true(self, tab: Tab, of: Callable[[Sums], float] = hits) -> dict[str, float]:
        """What was really counted, by the names people see."""
        found = self.lived.truth.by(self.property, tab.report, tab.dimension, *self.days)
        names = self.names(tab.dimension, list(found))
        return {names[value]: of(sums) for value, sums in found.items() if of(sums)}

    def names(self, dimension: str, values: list[str]) -> dict[str, str]:
        """What the values of a dimension are called on the screen."""
        told = NAMES.get(dimension, {}) | NAMES[""]
        codes = [value for value in values if value not in told]
        spoken = self.screen.names(REGIONS[dimension], codes) if dimension in REGIONS else {}
        return {value: told.get(value) or spoken.get(value, value) for value in values}

    def assert_exact(self, tab: Tab, of: Callable[[Sums], float] = hits) -> None:
        """The largest values, each with exactly what it has; all of them where there are few."""
        rows, true = self.rows(tab), self.true(tab, of)
        shown = {row[0]: number(row[1]) for row in rows}
        assert shown == {name: true[name] for name in shown}, tab
        assert list(shown.values()) == sorted(true.values(), reverse=True)[:ROWS], tab
        self.assert_shares(tab, rows, sum(true.values()))

    def assert_folded(self, tab: Tab) -> None:
        """No name has more than it really has, and nothing is missing: what is not named is "Other"."""
        rows, true = self.rows(tab), self.true(tab)
        total = sum(true.values())
        assert rows, tab
        for name, shown, *_ in rows:
            assert name == OTHER or 0 < number(shown) <= true[name], (tab, name)
        if len(rows) < ROWS:
            assert sum(number(row[1]) for row in rows) == total, tab
        self.assert_shares(tab, rows, total)

    def assert_shares(self, tab: Tab, rows: list[Row], total: float) -> None:
        """What share of all a row is, where that is told."""
        for _, shown, *share in rows:
            if share:
                assert number(share[0]) == pytest.approx(number(shown) / total, abs=0.00501), tab


def assert_says(shown: str, true: float) -> None:
    """A number on the screen is the true one, rounded as it is written."""
    unit = 0.00051 if shown.endswith("%") else 0.51 if shown.endswith("s") else 0.051 if "." in shown else 0
    assert number(shown) == pytest.approx(true, abs=unit), (shown, true)


def assert_changed(shown: str, now: float, before: float, *, points: bool = False) -> None:
    """What a tile says of its change: "↑ +12% against earlier", or "↑ +1.2 pts", percentage points."""
    change = number(shown.split()[1])
    if points:
        assert change == pytest.approx(100 * (now - before), abs=0.051), (shown, now, before)
    else:
        assert change == pytest.approx(now / before - 1, abs=0.0051), (shown, now, before)
