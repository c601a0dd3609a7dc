"""One collector with a made-up past, and one Chromium, for all tests that look at the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.lived import NEW, PEOPLE, Lived, let_in, live
from tests.browser.screen import Look, Screen
from tests.browser.told_truth import Truth
from tests.chromium import open_chromium
from tests.requires import lacks
from tests.stack import ROOT, Stack


@pytest.fixture(scope="package")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The collector; nobody may stop it."""
    if not (ROOT / "collector" / "_web" / "index.html").is_file():
        lacks("needs the dashboard, which `make` builds where npm answers")
    folder = tmp_path_factory.mktemp("lived")
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    truth = live(folder, example)
    stack = Stack(folder, config=example + NEW)
    try:
        for name, role in PEOPLE.items():
            let_in(stack, name, role)
        catalogue = stack.analyst_request("/api/v1/reports").json["reports"]
        by = {report["name"]: [each["name"] for each in report["by"]] for report in catalogue}
        yield Lived(stack, Truth(truth, by))
        stack.stop()
    finally:
        stack.sweep()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. Playwright holds an event loop while it runs, so no test of this package may be async."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def look(lived: Lived, chromium: Browser) -> Iterator[Look]:
    """Opens screens: `look("anna")` as somebody, `look(None)` as nobody. At the end each must have been clean."""
    screens: list[Screen] = []

    def start(who: str | None = "anna", **options: Any) -> Screen:
        screen = Screen(chromium, lived.origin, lived.cookie(who) if who else None, **options)
        screens.append(screen)
        return screen

    yield start
    for screen in screens:
        screen.close()
    for screen in screens:
        screen.assert_clean()
