"""Redirects lead where the configuration says or nowhere, and count who follows them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from collector.tools.wire import request, say
from tests.counting import gained_by
from tests.meeting_a_crowd import crowd, told
from tests.open_door import open_door
from tests.stack import Stack

TRICKS: list[tuple[str, str]] = json.loads((Path(__file__).parent / "data" / "redirect_tricks.json").read_text("utf-8"))
# Headers that servers behind a proxy are known to believe.
SPOOFED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "javascript",
    "X-Original-URL": "//evil.example",
    "X-Rewrite-URL": "//evil.example",
    "X-HTTP-Method-Override": "DELETE",
    "Forwarded": "host=evil.example",
    "Referer": "https://evil.example/",
}
FORUM, DMG = "https://forum.example.net/", "https://downloads.example.net/player-1.4.2.dmg"
TARGETS = {"/go/forum": FORUM, "/dl/player/1.4.2/player.dmg": DMG}
HEADERS = {
    *("access-control-allow-origin", "cache-control", "content-length", "content-type", "x-content-type-options"),
    *("connection", "location", "x-robots-tag", "access-control-allow-methods", "access-control-allow-headers"),
}


def location(head: bytes) -> str | None:
    found = re.search(rb"\r\nLocation: ([^\r]*)\r\n", head)
    return found[1].decode() if found else None


@pytest.mark.parametrize(("method", "target"), TRICKS, ids=[f"{method} {target!a}" for method, target in TRICKS])
@pytest.mark.parametrize("headers", [{}, SPOOFED | {"Host": "evil.example"}], ids=["plain", "spoofed"])
def test_a_trick_leads_nowhere_or_where_the_configuration_says(
    shared_stack: Stack, method: str, target: str, headers: dict[str, str]
) -> None:
    said = say(shared_stack.public, request(method=method, path=target, headers=headers))
    assert said.status in (302, 400, 404, 405, 421), said
    assert b"evil" not in said.head + said.body
    names = {line.partition(b":")[0].decode().lower() for line in said.head.split(b"\r\n")[1:] if line}
    assert names <= HEADERS, names
    assert location(said.head) in ((FORUM, DMG) if said.status == 302 else (None,))


def test_there_are_sixty_tricks() -> None:
    assert len(TRICKS) >= 60


def test_who_follows_is_counted_once_for_what_was_declared(stack: Stack) -> None:
    crowd(stack)

    def follow() -> None:
        for path, origin in (("/go/forum", ""), ("/dl/player/1.4.2/player.dmg", "?origin=website&x=1")):
            for method in ("GET", "HEAD"):
                said = say(stack.public, request(method=method, path=path + origin))
                assert (said.status, location(said.head), said.body) == (302, TARGETS[path], b"")
        whole, rest = {"Range": "bytes=0-"}, {"Range": "bytes=100-"}
        for headers in (whole, rest, {"Sec-Purpose": "prefetch"}, {"Sec-GPC": "1"}, {"DNT": "1"}):
            path = "/dl/player/1.4.2/player.dmg?origin=nobody-declared"
            said = say(stack.public, request(method="GET", path=path, headers=headers))
            assert (said.status, location(said.head)) == (302, DMG)
        assert say(stack.public, request(method="GET", path="/go/equalizer-shop")).status == 302

    gained = gained_by(stack, follow, 10)
    assert gained["accepted"] == 4
    assert {name: gained[f"not_counted {name}"] for name in ("partial", "prefetch", "opt_out")} == {
        "partial": 3,  # HEAD twice, and a range
        "prefetch": 1,
        "opt_out": 2,
    }
    assert told(stack, "links", ["link"]) == {"forum": 1}
    downloads = told(stack, "downloads", ["version", "file", "origin"])
    assert downloads == {"1.4.2 player.dmg website": 1, "1.4.2 player.dmg (unknown)": 1}


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://b.example/%E2%82%AC?a=%2F&b=1#c", "https://b.example/%E2%82%AC?a=%2F&b=1#c"),
        ("https://b.example/a'b(c)[d]{e}|~!$*,;:@", "https://b.example/a'b(c)[d]{e}|~!$*,;:@"),
        ("https://b.example/straße?q=€", "https://b.example/stra%C3%9Fe?q=%E2%82%AC"),
    ],
)
async def test_a_target_is_sent_byte_for_byte_and_beyond_ascii_as_its_escapes(
    tmp_path: Path, url: str, sent: str
) -> None:
    config = tmp_path / "collector.toml"
    link = f'[[site]]\nid = "s"\nhosts = ["s.example"]\n[[link]]\nid = "far"\nproperty = "s"\nurl = {json.dumps(url)}\n'
    config.write_text(link, "utf-8")
    async with open_door(tmp_path / "data", 1_800_000_000, config=config) as door:
        head = await _asked(door.url.removeprefix("http://"), "/go/far")
    assert location(head) == sent


async def _asked(address: str, path: str) -> bytes:
    return (await asyncio.to_thread(say, address, request(method="GET", path=path))).head
