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
from collector.tools.wire import request, say
from tests.calling import Reply
from tests.counting import events_seen, gained_by
from tests.meeting_a_crowd import crowd, told
from tests.open_door import open_door
from tests.plausible_bodies import BROWSER, CASES, HIT, NOW, body_of, post, spelled_out
from tests.stack import Stack

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SENT = (b"secret", b"foreign", b"unknown", b"pricing", b"app")  # words of the bodies that no answer may hold


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
