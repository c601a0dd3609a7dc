"""Following a link or a download is counted once, for its property, and answered alike whether it is counted or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from collector.tools.wire import Said, request, say
from tests.calling import call
from tests.counting import gained_by, load, today
from tests.stack import ROOT, Stack

FORUM, SHOP = "/go/forum", "/go/equalizer-shop"
SETUP, BETA = "/dl/player/1.4.2/player-setup.exe", "/dl/player/2.0.0-beta.1/player-setup.exe"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ODD = """
[[link]]
id = "a.b-c"
property = "www.example.org"
url = "https://user@xn--bcher-kva.example:8443/%7e%2F%2e./B\u00fccher/\u20ac?q=%C3%BC+\u00fc&u=https://x.example/#\u00fc'\\"|[]"

[[download]]
product = "player"
version = "1.4.2"
file = "Player_1.4+x64.exe"
url = "https://downloads.example.net/a+b%2Bc"
"""
# Of a link, the ASCII of its url as it stands, the rest as UTF-8 in escapes.
ODD_URL = (
    "https://user@xn--bcher-kva.example:8443/%7e%2F%2e./B%C3%BCcher/%E2%82%AC?q=%C3%BC+%C3%BC&u=https://x.example/#"
    "%C3%BC'\"|[]"
)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The built-in example and two odd targets, with callers of twelve networks, so that everything is named."""
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = Stack(tmp_path_factory.mktemp("redirects"), config=example + ODD)
    for number in range(12):
        for path in (FORUM, SHOP, SETUP):
            assert follow(stack, path, source=f"127.20.{number}.1").status == 302
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()


def test_a_click_counts_once_for_the_property_of_its_link(door: Stack) -> None:
    before = rows(door, "www.example.org", "links"), rows(door, "player", "links")
    assert gained_by(door, lambda: follow(door, FORUM), 1) == {"accepted": 1, "accepted link_click": 1}
    assert gained_by(door, lambda: follow(door, SHOP + "?to=elsewhere"), 1)["accepted link_click"] == 1
    after = rows(door, "www.example.org", "links"), rows(door, "player", "links")
    assert [added(*each) for each in zip(before, after, strict=True)] == [{("forum",): 1}, {("equalizer-shop",): 1}]


def test_a_download_counts_once_with_version_file_and_declared_origin_and_by_country(door: Stack) -> None:
    before = rows(door, "player", "downloads"), rows(door, "player", "downloads_by_country")

    def send() -> None:
        for path in (SETUP, SETUP + "?origin=forum", SETUP + "?origin=evil&origin=forum", BETA + "?x&origin=website"):
            assert follow(door, path).status == 302

    assert gained_by(door, send, 4) == {"accepted": 4, "accepted download": 4}
    after = rows(door, "player", "downloads"), rows(door, "player", "downloads_by_country")
    assert added(before[0], after[0]) == {
        ("1.4.2", "player-setup.exe", "(unknown)"): 2,
        ("1.4.2", "player-setup.exe", "forum"): 1,
        ("2.0.0-beta.1", "player-setup.exe", "website"): 1,
    }
    assert sum(added(before[1], after[1]).values()) == 4


LEFT_OUT: list[tuple[str, str, dict[str, str], str]] = [
    ("HEAD", SETUP, {}, "partial"),
    ("HEAD", SETUP, {"Sec-GPC": "1"}, "opt_out"),
    ("GET", SETUP, {"Range": "bytes=1-"}, "partial"),
    ("GET", SETUP, {"Range": "bytes=500000-999999"}, "partial"),
    ("GET", SETUP, {"Range": "bytes=-500"}, "partial"),
    ("GET", FORUM, {"Sec-Purpose": "prefetch"}, "prefetch"),
    ("GET", FORUM, {"Sec-Purpose": "prefetch;prerender"}, "prefetch"),
    ("GET", FORUM, {"Purpose": "prefetch"}, "prefetch"),
    ("GET", FORUM, {"Sec-GPC": "1"}, "opt_out"),
    ("GET", SETUP, {"DNT": "1"}, "opt_out"),
    ("GET", FORUM, {"User-Agent": CRAWLER}, "bot"),
]
COUNTED: list[tuple[str, dict[str, str]]] = [
    (SETUP, {"Range": "bytes=0-"}),
    (SETUP, {"Range": "bytes=0-1048575"}),  # the first of a download manager's connections
    (SETUP, {"Range": "Bytes=0-"}),
    (FORUM, {"Sec-GPC": "0", "DNT": "0", "Sec-Purpose": "", "Purpose": "preview"}),
    (SETUP, {"User-Agent": "curl/8.5.0"}),  # a product's events come from programs
    (SHOP, {"User-Agent": CRAWLER}),
    (SETUP, {"User-Agent": CRAWLER}),
]


def test_what_is_not_counted_is_answered_alike_and_left_out_by_its_name(door: Stack) -> None:
    plain = {path: follow(door, path) for path in (FORUM, SETUP)}

    def send() -> None:
        for method, path, headers, _ in LEFT_OUT:
            assert follow(door, path, headers, method) == plain[path], (method, headers)

    reasons = Counter(f"not_counted {reason}" for *_, reason in LEFT_OUT)
    assert gained_by(door, send, len(LEFT_OUT)) == {"not_counted": len(LEFT_OUT), **reasons}


def test_what_begins_at_the_beginning_and_what_programs_send_counts(door: Stack) -> None:
    plain = {path: follow(door, path) for path in (FORUM, SHOP, SETUP)}

    def send() -> None:
        for path, headers in COUNTED:
            assert follow(door, path, headers) == plain[path], headers

    kinds = Counter("accepted download" if path == SETUP else "accepted link_click" for path, _ in COUNTED)
    assert gained_by(door, send, len(COUNTED)) == {"accepted": len(COUNTED), **kinds}


def test_the_location_is_the_configured_url_byte_for_byte_and_ascii(door: Stack) -> None:
    assert call(door.public, "GET", "/go/a.b-c").headers["location"] == ODD_URL
    for written in ("Player_1.4+x64.exe", "Player_1.4%2Bx64.exe"):  # as names are written into pages
        reply = call(door.public, "GET", f"/dl/player/1.4.2/{written}")
        assert (reply.status, reply.headers["location"]) == (302, "https://downloads.example.net/a+b%2Bc")


def follow(
    stack: Stack, path: str, headers: dict[str, str] | None = None, method: str = "GET", source: str = "127.0.0.1"
) -> Said:
    """What is said to a browser, or to whom the headers say."""
    return say(
        stack.public,
        request(headers={"User-Agent": BROWSER, **(headers or {})}, method=method, path=path),
        source=source,
    )


def rows(stack: Stack, owner: str, report: str) -> dict[tuple[str, ...], int]:
    """Events of today by all dimensions of a report."""
    load(stack)
    by: dict[str, Any] = {"links": "link", "downloads": "version,file,origin", "downloads_by_country": "country"}
    answer = stack.ask(report, property=owner, by=by[report], **today())
    place = answer["columns"].index("events")
    return {tuple(row[:place]): row[place] for row in answer["rows"]}


def added(before: dict[tuple[str, ...], int], after: dict[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    return {key: events - before.get(key, 0) for key, events in after.items() if events != before.get(key, 0)}
