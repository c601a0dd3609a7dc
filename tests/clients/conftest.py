"""One Chromium, and the clients from npm, for all tests of clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.chromium import open_chromium
from tests.clients.beaconed import Beaconed, configured, keeping
from tests.clients.npm_packages import installed
from tests.clients.websites import NAMES, websites
from tests.requires import lacks
from tests.stack import Stack


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. No test of this package may be async while it is open."""
    with open_chromium(NAMES) as browser:
        yield browser


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder in which node_modules has the clients of tests/clients/npm/package.json, as they were published."""
    return installed()


@pytest.fixture(scope="package")
def beaconed(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beaconed]:
    """Sites with the beacon, their collector, and a browser that keeps pages to go back to, as browsers do."""
    browser = keeping(chromium)
    with websites() as sites:
        stack = Stack(tmp_path_factory.mktemp("beaconed"), config=configured(sites.port))
        try:
            served = Beaconed(stack, sites, browser)
            if not served.is_served():
                lacks("needs the beacon, which `make` builds where npm answers")
            yield served
            browser.close()
            stack.stop()
        finally:
            stack.sweep()
