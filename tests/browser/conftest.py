"""One collector with a made-up past, and one Chromium, for all tests that look at the dashboard."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.screen import Screen
from tests.browser.told_truth import Truth
from tests.calling import call
from tests.requires import lacks, needs
from tests.stack import ROOT, Stack

SITE, PRODUCT, NEW_SITE, NEW_PRODUCT = "www.example.org", "player", "new.example.org", "new-player"
PASSWORD = "correct horse battery"
PEOPLE = {"vera": ["viewer", "--property", SITE], "anna": ["analyst"], "ada": ["admin"]}
DAYS, VISITORS, SEED = 21, 120, 5
# What has no past is declared after the past was made.
NEW = f"""
[[site]]
id = "{NEW_SITE}"
hosts = ["{NEW_SITE}"]
routes = ["/**"]

[[product]]
id = "{NEW_PRODUCT}"
versions = ["1.0"]
"""
CHROMIUM = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@dataclass
class Lived:
    """A collector that counted for some weeks, with the truth of these, and people who may look at it."""

    stack: Stack
    truth: Truth
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://{self.stack.analyst}"

    def cookie(self, name: str) -> str:
        """A session of that person; the same one next time."""
        if name not in self.cookies:
            self.cookies[name] = self.sign_in({"name": name, "password": PASSWORD})
        return self.cookies[name]

    def sign_in(self, proof: dict[str, str]) -> str:
        """A new session."""
        told = {"Content-Type": "application/json"}
        reply = call(self.stack.analyst, "POST", "/api/v1/session", orjson.dumps(proof), told)
        assert reply.status == 204, reply
        return SimpleCookie(reply.headers["set-cookie"])["collector"].value


@pytest.fixture(scope="package")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The collector; nobody may stop it."""
    if not (ROOT / "collector" / "_web" / "index.html").is_file():
        lacks("needs the dashboard, which `make` builds where npm answers")
    folder = tmp_path_factory.mktemp("lived")
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    truth = _live(folder, example)
    stack = Stack(folder, config=example + NEW)
    try:
        for name, role in PEOPLE.items():
            _let_in(stack, name, role)
        catalogue = stack.analyst_request("/api/v1/reports").json["reports"]
        by = {report["name"]: [each["name"] for each in report["by"]] for report in catalogue}
        yield Lived(stack, Truth(truth, by))
        stack.stop()
    finally:
        stack.sweep()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. Playwright holds an event loop while it runs, so no test of this package may be async."""
    needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def look(lived: Lived, chromium: Browser) -> Iterator[Callable[..., Screen]]:
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


def _live(folder: Path, example: str) -> Path:
    """Have a past; the truth of it."""
    config, truth = folder / "past.toml", folder / "truth.json"
    config.write_text(example, "utf-8")
    options = ["--data", Stack.data_in(folder), "--config", config, "--truth", truth]
    options += ["--days", DAYS, "--visitors", VISITORS, "--seed", SEED]
    subprocess.run(
        [sys.executable, "-m", "collector", "simulate", *map(str, options)], cwd=ROOT, check=True
    )
    return truth


def _let_in(stack: Stack, name: str, role: list[str]) -> None:
    command = ["user", "add", name, "--role", *role, "--password-stdin"]
    done = stack.command(*command, told=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
