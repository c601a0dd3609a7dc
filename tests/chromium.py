"""Debian's Chromium, headless, talking to nobody but whom a test sends it to.

Playwright's synchronous interface holds an event loop while a browser is open: no async test may run meanwhile, so
browsers are fixtures of packages of their own (tests/browser, tests/clients).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.requires import needs

OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def open_chromium(*options: str) -> Iterator[Browser]:
    """A browser for the block, with more command-line options."""
    needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*OPTIONS, *options])
        yield browser
        browser.close()
