"""Redirects and update checks while counting fails: without database and disk every answer is the right one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.catalogue.releases import Place
from tests.calling import Reply, call
from tests.counting import events_seen, settle
from tests.durability.outcome import NotHereError
from tests.durability.small_disk import Ballast, small_disk
from tests.open_door import open_door
from tests.requires import lacks
from tests.stack import Stack, eventually
from tests.updating import NEW, OLD, SIGNATURE, configured, hashes, product, release

FILE = {"name": "setup.exe", "url": "https://files.example.net/setup.exe", **hashes(b"setup")}
RELEASE = release(
    Place("player", "windows-x86_64", "stable"), {**FILE, "ed_signature": SIGNATURE, "tauri_signature": "dW50cnVzdGVk"}
)
BELOW = "/update/player/windows-x86_64/stable"
LINK = '[[link]]\nid = "shop"\nproperty = "player"\nurl = "https://shop.example.net/"\n'
ADDRESSES = (
    f"/v1/check?product=player&v={OLD}&os=windows&arch=x86_64&first=dwm&age=3",
    f"/v1/check?product=player&v={NEW}&os=windows&arch=x86_64&first=dwm&age=3",
    f"{BELOW}/appcast.xml?v={OLD}&first=dwm&age=3",
    f"{BELOW}/electron/latest.yml?v={OLD}&first=dwm&age=3",
    f"{BELOW}/electron/setup.exe?v={OLD}",
    f"{BELOW}/tauri/windows/x86_64/{OLD}?first=dwm&age=3",
    f"{BELOW}/tauri/latest.json?v={OLD}",
    f"{BELOW}/velopack/v={OLD},first=dwm,age=3/releases.win.json?localVersion={OLD}",
    f"/dl/player/{NEW}/app?v={OLD}",
    "/go/shop",
    "/v1/pixel.gif?site=nobody",
)
ROUNDS = 60
EVENT = {"kind": "update_check", "product": "player", "version": OLD, "channel": "stable", "os": "windows"}


@pytest.fixture(scope="module")
def in_need(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, Reply]]]:
    """A collector whose database is away and whose disk is full, and what it answered while there was room."""
    folder = tmp_path_factory.mktemp("need")
    config = configured(folder, product("player", {"app": str(FILE["url"])}), RELEASE)
    try:
        with small_disk(Stack.data_in(folder), 48):
            stack = Stack(
                folder,
                config=config.read_text("utf-8") + LINK,
                environ={"COLLECTOR_CLICKHOUSE": "http://127.0.0.1:9/nowhere"},
            )
            try:
                before = {path: stack.request("GET", path) for path in ADDRESSES}
                ballast = Ballast(stack.data)
                eventually(lambda: _is_full(stack, ballast), "events are refused", 30)
                yield stack, before
                ballast.drop()
                eventually(lambda: stack.post(EVENT).status == 204, "events are accepted again")
                stack.stop()
            finally:
                stack.sweep()
    except NotHereError as why:
        lacks(str(why))


def _is_full(stack: Stack, ballast: Ballast) -> bool:
    ballast.fill()
    return stack.post(EVENT).status == 503


@pytest.mark.parametrize("path", ADDRESSES)
def test_without_database_and_disk_every_answer_is_the_right_one(
    in_need: tuple[Stack, dict[str, Reply]], path: str
) -> None:
    stack, before = in_need
    assert before[path].status in (200, 204, 302)
    for _ in range(ROUNDS):
        assert stack.request("GET", path) == before[path]
    settle(stack)
    seen = events_seen(stack)
    assert seen["not_counted unavailable"] >= ROUNDS
    assert seen["received"] == seen["accepted"] + seen["refused"] + seen["not_counted"]


async def test_the_day_that_is_told_changes_at_midnight_in_utc(tmp_path: Path) -> None:
    config = configured(tmp_path / "config", product("player"), RELEASE)
    midnight = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    async with open_door(tmp_path / "data", midnight - 0.001, config=config) as door:
        for at_s, day in (
            (midnight - 0.001, "2026-11-30"),
            (midnight, "2026-12-01"),
            (midnight + 86_400, "2026-12-02"),
        ):
            door.clock.at = at_s
            for path in ADDRESSES[:-3]:  # the others are no update checks
                reply = await asyncio.to_thread(call, door.url.removeprefix("http://"), "GET", path)
                assert reply.headers["collector-day"] == day
