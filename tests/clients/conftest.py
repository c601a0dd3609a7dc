"""One Chromium, and the clients from npm, for all tests of clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.chromium import open_chromium
from tests.clients.npm_packages import installed
from tests.pages_to_serve import RESOLVED


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. No test of this package may be async while it is open."""
    with open_chromium(RESOLVED) as browser:
        yield browser


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder in which node_modules has the clients of tests/clients/npm/package.json, as they were published."""
    return installed()
