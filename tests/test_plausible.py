"""Plausible's events API at the front door: what is answered to which body, and what of it is counted."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.adapters.plausible import PATH
from collector.tools.wire import Said, request, say
from tests.calling import Reply
from tests.counting import events_seen, gained_by
from tests.meeting_a_crowd import crowd, told
from tests.open_door import OpenDoor, open_door
from tests.plausible_bodies import CASES, HIT, body_of, spelled_out
from tests.spooling import events_kept, named_facts
from tests.stack import Stack

BROWSER = {"User-Agent": "Mozilla/5.0", "Content-Type": "text/plain"}
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SENT = (b"secret", b"foreign", b"unknown", b"pricing", b"app")  # words of the bodies that no answer may hold


SITES = """
[[site]]
id = "shop"
hosts = ["shop.example.org"]
routes = ["/**"]
goals = ["signup"]

[[site]]
id = "blog"
hosts = ["blog.example.org", "news.example.org"]
routes = ["/**"]

[[site]]
id = "all"
hosts = ["all.example.org"]
routes = ["/pricing"]
goals = ["signup"]

[[link]]
id = "forum"
property = "shop"
url = "https://forum.example.net/"

[[link]]
id = "meeting"
property = "blog"
url = "https://forum.example.net/"

[[product]]
id = "player"

[[download]]
product = "player"
version = "1.4.2"
file = "setup.exe"
url = "https://files.example.net/setup.exe"
"""
NOW = 1_795_600_000


def send(stack: Stack, body: bytes, headers: dict[str, str] | None = None) -> Reply:
    return stack.request("POST", PATH, body, BROWSER | (headers or {}))


def test_every_body_is_answered_by_the_rule_and_counted_as_what_it_is(shared_stack: Stack) -> None:
    answers = {}

    def send_all() -> None:
        answers.update({case["is"]: send(shared_stack, body_of(case)) for case in CASES})

    expected = Counter(case["counts"] for case in CASES if "counts" in case)
    sites = sum(case.get("dropped", 1) for case in CASES if case["answer"] == "dropped")
    refused = sum(case["answer"] == "url" and _is_an_address(case) for case in CASES)
    gained = gained_by(shared_stack, send_all, expected.total() + sites + refused)
    for case in CASES:
        reply = answers[case["is"]]
        assert told_by(reply) == case["answer"], (case, reply)
        assert not [word for word in SENT if word in reply.body], case
    assert {kind: gained[f"accepted {kind}"] for kind in expected} == expected
    assert gained["not_counted unmapped"] == sites
    assert gained["refused"] == refused


ODD: tuple[Any, ...] = (None, False, True, 0, 7, 0.5, "", "x", {}, [], ["pageview"], {"a": {"b": []}})
REST = (
    "r",
    "referrer",
    "p",
    "props",
    "m",
    "meta",
    "h",
    "hashMode",
    "i",
    "interactive",
    "$",
    "sd",
    "e",
    "v",
    "w",
    "zzz",
)


def test_only_name_address_and_site_are_reasons_to_refuse(shared_stack: Stack) -> None:
    """Every key with every odd value; in its place alone, and of a page hit and an engagement."""
    whose = {"n": "name", "u": "url", "d": "domain"}

    def send_all() -> None:
        for event in ("pageview", "engagement"):
            for key in (*whose, *REST):
                for value in ODD:
                    reply = send(shared_stack, orjson.dumps(HIT | {"n": event, key: value}))
                    assert told_by(reply) in expected(key, value), (event, key, value)

    def expected(key: str, value: object) -> tuple[str, ...]:
        if key not in whose or (key == "d" and value is None):
            return ("ok",)
        return ("dropped",) if value == "x" and key in "nd" else (whose[key],)

    pages, unmapped, refused = 2 * (len(REST) * len(ODD) + 1), 2 * 2, 2  # an address "x" is an event, and refused
    gained = gained_by(shared_stack, send_all, pages + unmapped + refused)
    assert gained["accepted page_hit"] == gained["accepted page_leave"] == pages // 2
    assert (gained["not_counted unmapped"], gained["refused"]) == (unmapped, refused)


def _is_an_address(case: dict[str, Any]) -> bool:
    """Whether the address is text, so that it is an event that is refused, and no request."""
    return isinstance(spelled_out(case.get("set", {}).get("u")), str)


def told_by(reply: Reply) -> str:
    """What an answer says: ok, dropped, or the key that is wrong."""
    assert "set-cookie" not in reply.headers
    assert reply.headers["access-control-allow-origin"] == "*"
    if reply.status == 202:
        assert reply.body == b"ok"
        return "dropped" if reply.headers.get("x-plausible-dropped") == "1" else "ok"
    assert reply.status == 400
    ((key, rules),) = reply.json["errors"].items()
    assert all(isinstance(rule, str) for rule in rules)
    return str(key)


def test_seconds_scroll_and_paths_are_those_of_the_events(stack: Stack) -> None:
    crowd(stack)
    for engaged_ms, depth in ((4200, 60), (1500, None), (499, 100), (None, 255)):
        send(stack, orjson.dumps(HIT | {"n": "engagement", "e": engaged_ms, "sd": depth}))
    for url in ("/#/one", "/app#!/two?x=1", "/app/#three", "/four", "/five#"):
        send(stack, orjson.dumps(HIT | {"u": f"https://www.example.org{url}", "h": 1}))
    send(stack, orjson.dumps(HIT | {"u": "https://www.example.org/six#/seven", "h": 0}))
    assert told(stack, "page_time", ["path"], "amount") == {"/pricing": 4 + 2 + 0 + 0}
    assert told(stack, "page_scroll", ["path"], "amount") == {"/pricing": 60 + 100}
    assert told(stack, "page_scroll", ["path"]) == {"/pricing": 2}
    paths = ("/one", "/app/two", "/app/three", "/four", "/five", "/six")
    assert told(stack, "pages", ["path"]) == dict.fromkeys(paths, 1)


# --- several sites ----------------------------------------------------------------------------------------------------


async def post(door: OpenDoor, body: object, **headers: str) -> Said:
    whole = body if isinstance(body, bytes) else orjson.dumps(body)
    given = BROWSER | {name.replace("_", "-"): text for name, text in headers.items()}
    return await asyncio.to_thread(say, door.url[7:], request(whole, given, path=PATH))


async def kept_of(folder: Path, bodies: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """What is kept of these bodies: kind and property, and what a page's or a click's event says; and each answer."""
    (folder / "sites.toml").write_text(SITES, "utf-8")
    async with open_door(folder / "data", NOW, config=folder / "sites.toml") as door:
        said = [await post(door, body) for body in bodies]
    names = ("path", "source", "entry", "utm_source", "seconds", "scroll", "goal", "link", "file")
    kept = [
        {"kind": event.kind, "property": event.property, **{name: facts[name] for name in names if name in facts}}
        for event in events_kept(folder / "data" / "spool")
        for facts in [named_facts(event)]
    ]
    answers = [f"{each.status}{' dropped' if b'x-plausible-dropped: 1' in each.head else ''}" for each in said]
    return kept, answers


async def test_a_page_counts_once_for_every_site_that_is_named_with_its_own(tmp_path: Path) -> None:
    page = {"n": "pageview", "u": "https://blog.example.org/pricing?utm_source=letter#x"}
    kept, answers = await kept_of(
        tmp_path,
        [
            {**page, "d": "blog, all,news.example.org", "r": "https://www.google.com/search?q=x"},
            {**page, "d": "blog,all", "r": "https://news.example.org/"},
            {**page, "d": "all,blog", "n": "engagement", "e": 1500, "sd": 70},
            {**page, "d": "shop,all"},
            {**page, "d": "all"},
        ],
    )
    page_hit = {"kind": "page_hit", "path": "/pricing", "utm_source": "letter"}
    left = {"kind": "page_leave", "path": "/pricing", "seconds": 2, "scroll": 70, "entry": False}
    assert kept == [
        {**page_hit, "property": "blog", "source": "google.com", "entry": True},
        {**page_hit, "property": "all", "source": "google.com", "entry": True},
        {**page_hit, "property": "blog", "source": "example.org", "entry": False},
        {**page_hit, "property": "all", "source": "example.org", "entry": False},
        {**left, "property": "all"},
        {**left, "property": "blog"},
    ]
    assert answers == ["202", "202", "202", "400", "400"]  # on no host of a site that is named


async def test_a_click_counts_once_and_a_goal_for_who_declares_it(tmp_path: Path) -> None:
    page = {"u": "https://blog.example.org/", "d": "shop,blog,all"}
    click = {"n": "Outbound Link: Click", "p": {"url": "https://forum.example.net/"}}
    kept, answers = await kept_of(
        tmp_path,
        [
            {**page, **click, "d": "blog"},
            {**page, **click, "d": "shop"},
            {**page, **click, "d": "all"},
            {**page, **click, "d": "shop,blog"},
            {**page, "d": "blog", "n": "File Download", "p": '{"url":"https://files.example.net/setup.exe"}'},
            {**page, "n": "signup"},
            {**page, "d": "shop,all", "n": "signup"},
        ],
    )
    of = [(each["kind"], each["property"], each.get("link")) for each in kept]
    meeting, forum = ("link_click", "blog", "meeting"), ("link_click", "shop", "forum")
    signed_up = [("goal", "shop", None), ("goal", "all", None)]
    assert of == [meeting, forum, forum, meeting, ("download", "player", None), *signed_up, *signed_up]
    assert answers == ["202", "202", "202 dropped", "202", "202", "202 dropped", "202"]


async def test_a_route_in_the_fragment_keeps_the_campaign_of_the_query(tmp_path: Path) -> None:
    urls = {
        "/?utm_source=letter#/one": ("/one", "letter"),
        "/app?utm_source=letter#!/two?utm_source=other": ("/app/two", "letter"),
        "/#/three?utm_source=other": ("/three", "other"),
        "?utm_source=letter#four": ("/four", "letter"),
        "/five?utm_source=letter#": ("/five", "letter"),
        "/#//blog.example.org/six": ("/blog.example.org/six", "(unknown)"),
        "/#access_token=0123456789abcdef&x=y": ("/:id", "(unknown)"),
    }
    hit = {"n": "pageview", "d": "shop", "h": 1}
    kept, answers = await kept_of(tmp_path, [{**hit, "u": f"https://shop.example.org{url}"} for url in urls])
    assert answers == ["202"] * len(urls)
    assert [(each["path"], each["utm_source"]) for each in kept] == [*urls.values()]


# --- the door ---------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_counted_now_is_503_and_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name in ("full", "data"):
        (tmp_path / name).mkdir()
    async with open_door(tmp_path / "full" / "data", NOW, quota_bytes=0) as door:
        for event in ("pageview", "never declared"):
            said = await post(door, HIT | {"n": event, "d": "www.example.org,unknown.example"})
            assert (said.status, said.code) == (503, "unavailable")
            assert b"Retry-After: 5\r\n" in said.head
            assert b"Access-Control-Allow-Origin: *\r\n" in said.head
        assert not door.seen()["accepted"]
        assert not door.seen()["not_counted unmapped"]
    async with open_door(tmp_path / "data" / "data", NOW) as door:
        for content_type in (
            "text/plain",
            "text/plain;charset=UTF-8",
            "application/json",
            "application/x-www-form-urlencoded",
        ):
            assert (await post(door, HIT, Content_Type=content_type)).status == 202
        packed = gzip.compress(orjson.dumps(HIT))
        assert (await post(door, packed, Content_Encoding="gzip")).status == 202
        assert (await post(door, packed[:-9], Content_Encoding="gzip")).code == "bad_gzip"
        assert (await post(door, HIT, Content_Type="application/xml")).code == "unsupported"
        assert (await post(door, HIT | {"p": "x" * 262_144})).code == "too_large"
        got = await asyncio.to_thread(say, door.url[7:], request(method="GET", path=PATH))
        assert got.code == "method_not_allowed"
        assert door.seen()["accepted page_hit"] == 5


@pytest.mark.parametrize("event", ["pageview", "engagement", "signup", "never declared"])
def test_the_answer_is_the_same_for_a_bot_an_opt_out_and_a_repeat(shared_stack: Stack, event: str) -> None:
    body = orjson.dumps(HIT | {"n": event})
    replies = [
        send(shared_stack, body, headers)
        for headers in ({}, {}, {"User-Agent": BOT}, {"Sec-GPC": "1"}, {"DNT": "1"}, {"Sec-Purpose": "prefetch"})
    ]
    assert len({(reply.status, reply.body, tuple(reply.headers.items())) for reply in replies}) == 1


def test_nobody_who_opted_out_is_counted(shared_stack: Stack) -> None:
    def opted_out() -> None:
        for name in ("pageview", "engagement", "signup"):
            send(shared_stack, orjson.dumps(HIT | {"n": name}), {"Sec-GPC": "1"})

    gained = gained_by(shared_stack, opted_out, 3)
    assert gained["not_counted opt_out"] == 3


def test_a_browser_may_send_from_any_page(shared_stack: Stack) -> None:
    asked = {"Origin": "https://www.example.org", "Access-Control-Request-Method": "POST"}
    reply = shared_stack.request("OPTIONS", PATH, None, asked)
    assert reply.status == 204
    assert "POST" in reply.headers["access-control-allow-methods"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("n", "name", "u", "url", "d", "domain", "r", "p", "props", "m", "h", "hashMode", "e", "sd", "i", "$")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(put_in=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6), drop=st.sets(st.sampled_from(KEYS), max_size=2))
def test_no_body_is_more_than_it_can_take(shared_stack: Stack, put_in: dict[str, Any], drop: set[str]) -> None:
    body = {key: value for key, value in (HIT | put_in).items() if key not in drop}
    reply = send(shared_stack, json.dumps(body).encode())
    assert reply.status in (202, 400), body
    told_by(reply)


def test_no_body_reached_the_log(shared_stack: Stack) -> None:
    send(shared_stack, orjson.dumps(HIT | {"n": "secret-goal", "u": "https://www.example.org/secret-page"}))
    assert events_seen(shared_stack)["received"]
    assert "secret" not in shared_stack.log_text
