"""Where nothing was ever counted, the dashboard says what to do; who does it sees the first hit."""

from __future__ import annotations

import shlex

import pytest
from playwright.sync_api import expect

from tests.browser.lived import NEW_PRODUCT, NEW_SITE, Lived
from tests.browser.screen import Look, Screen
from tests.calling import Reply, call

PORT = "8080"  # the public port if nobody chose another, as these do
SENT_BY_CURL = {"User-Agent": "curl/8.14.1", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("property", "figure", "live"),
    [(NEW_SITE, "Hits", "1 hit in 30 minutes"), (NEW_PRODUCT, "DAU", "1 update check in 30 minutes")],
)
def test_whoever_follows_the_first_steps_sees_the_first_event(
    look: Look, lived: Lived, property: str, figure: str, live: str
) -> None:
    screen = look().open(property=property)
    expect(screen.page.get_by_role("heading", name=f"{property} yet")).to_be_visible()
    loaded = lived.stack.counted("events_loaded")
    reply = follow(screen, lived)
    assert reply.status in (200, 204), reply
    lived.stack.wait_loaded(loaded + 1)
    expect(screen.page.get_by_role("group", name="Live")).to_contain_text(live)
    screen.page.get_by_role("button", name="Look again").click()
    expect(screen.page.locator(".tile", has_text=figure).first).to_be_visible()
    screen.settle()
    assert screen.tiles()[figure].value == "1"


def follow(screen: Screen, lived: Lived) -> Reply:
    """Do what the curl line on the screen does, at the port that this collector has."""
    command = shlex.split(screen.page.locator("pre.first-command").inner_text())
    assert command.pop(0) == "curl"
    headers, body = dict(SENT_BY_CURL), None
    for option, name in (("-A", "User-Agent"), ("-d", None)):
        if option in command:
            place = command.index(option)
            _, value = command[place : place + 2]
            del command[place : place + 2]
            if name:
                headers[name] = value
            else:
                body = value.encode()
    (url,) = command
    begins = f"http://127.0.0.1:{PORT}/"
    assert url.startswith(begins)
    return call(lived.stack.public, "POST" if body else "GET", url.removeprefix(begins[:-1]), body, headers)
