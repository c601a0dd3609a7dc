"""What the public port answers, what of it is counted, and that nobody can tell the one from the other."""

from __future__ import annotations

import gzip
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from collector.tools.wire import request, say
from tests.calling import Reply
from tests.counting import days, gained_by, load
from tests.example_events import BadEvent, bad_events, good_events
from tests.stack import ROOT, Stack

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
GOOD = {**HIT, "url": "https://www.example.org/docs/a/b"}
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ORIGINS = [f"127.20.{number}.1" for number in range(12)]  # twelve networks
REPORTS = {
    "page_hit": "traffic",
    "page_leave": "page_time",
    "goal": "goals",
    "link_click": "links",
    "download": "downloads",
    "install": "install_outcomes",
    "uninstall": "uninstall_reasons",
    "update_check": "update_checks",
    "recommendation": "recommendations",
    "feature_use": "features",
}
PERIODS = {"day", "week", "month", "ever"}  # declared words that bad events use, too
ALLOWED_HEADERS = {
    *("access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"),
    *("access-control-max-age", "cache-control", "content-type", "content-length", "x-content-type-options"),
    *("connection", "retry-after"),
}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The built-in example with fewer routes, for all tests of this file."""
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = Stack(tmp_path_factory.mktemp("door"), config=example.replace('["/**"]', '["/pricing", "/docs/**"]'))
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()


# --- events -----------------------------------------------------------------------------------------------------------


def test_every_kinds_good_event_is_accepted_and_counted_in_its_report(door: Stack) -> None:
    assert good_events().keys() == REPORTS.keys()
    for origin in ORIGINS:
        reply = say(door.public, request(orjson.dumps(_good_ones())), source=origin)
        assert reply.json == {"accepted": len(REPORTS), "rejected": []}
    before = _totals(door)
    for event in _good_ones():
        assert (door.post(event).status, event["kind"]) == (204, event["kind"])
    after = _totals(door)
    added = {kind: after[kind] - before[kind] for kind in REPORTS}
    assert added == {**dict.fromkeys(REPORTS, 1), "recommendation": 2}  # shown and clicked


@pytest.mark.parametrize("bad", bad_events(), ids=str)
def test_a_bad_event_is_answered_with_code_and_field_and_without_what_was_sent(door: Stack, bad: BadEvent) -> None:
    reply = door.post(json.dumps(bad.event).encode())  # orjson writes no number over 64 bits
    assert reply.status == 200
    (refused,) = reply.json["rejected"]
    # The wire has no whole numbers over 64 bits: they arrive as fractions.
    code = "wrong_type" if any(isinstance(each, int) and each >= 2**64 for each in bad.event.values()) else bad.code
    assert (reply.json["accepted"], refused["index"], refused["code"], refused["field"]) == (0, 0, code, bad.field)
    for text in set(bad.sent) - PERIODS - {""}:
        assert not re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w.-])", refused["message"])
        assert len(text) < 4 or text.encode() not in reply.body


def test_the_first_twenty_refused_are_listed_and_all_are_counted(door: Stack) -> None:
    replies: list[Reply] = []
    seen = gained_by(door, lambda: replies.append(door.post([GOOD, *[{**GOOD, "kind": "odd"}] * 25])), 26)
    assert replies[0].json["accepted"] == 1
    assert [each["index"] for each in replies[0].json["rejected"]] == list(range(1, 21))
    assert seen == {"accepted": 1, "accepted page_hit": 1, "refused": 25, "refused unknown_kind": 25}


def test_a_page_on_a_foreign_host_is_refused(door: Stack) -> None:
    for url in (
        "https://evil.example/pricing",
        "https://www.example.org.evil.example/",
        "https://www.example.org@a.b/",
    ):
        (refused,) = door.post({**HIT, "url": url}).json["rejected"]
        assert (refused["code"], refused["field"]) == ("foreign_host", "url")


def test_a_path_outside_the_routes_and_an_undeclared_version_are_other(door: Stack) -> None:
    check = next(event for event in _good_ones() if event["kind"] == "update_check")
    for origin in ORIGINS:
        private = [{**HIT, "url": "https://www.example.org/users/jane"}, {**check, "version": "9.9.9"}]
        assert say(door.public, request(orjson.dumps(private)), source=origin).json["accepted"] == 2
    load(door)
    pages = door.ask("pages", property="www.example.org", by="path", **days())
    assert pages["columns"][:2] == ["path", "events"]
    events = {path: count for path, count, *_ in pages["rows"]}
    assert events.keys() <= {"/pricing", "/docs/a/b", "(other)"}
    assert events["(other)"] >= len(ORIGINS)
    checks = door.ask("update_checks", property="player", by="version", **days())
    assert dict(row[:2] for row in checks["rows"])["(other)"] == len(ORIGINS)


def test_an_event_counts_for_the_hour_in_which_it_happened(door: Stack) -> None:
    before, now = _hours(door), int(time.time())
    ages = (0, 7_200, 86_400, 172_799, 172_801, 10**15)
    assert door.post([{**GOOD, "age_s": age} for age in ages]).json["accepted"] == len(ages)
    added = _hours(door) - before
    assert added == Counter((now - (age if age <= 172_800 else 0)) // 3600 * 3600 for age in ages)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"true", b"1", b'"x"', b"kind=page_hit", b"[" + b"1," * 9])
def test_a_body_that_is_neither_object_nor_array_is_400(door: Stack, body: bytes) -> None:
    reply = door.post(body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "not_json")


def test_an_empty_array_is_fine_and_more_than_100_events_are_413(door: Stack) -> None:
    assert (door.post([]).status, door.post([]).json) == (200, {"accepted": 0, "rejected": []})
    assert door.post([GOOD] * 100).json == {"accepted": 100, "rejected": []}
    reply = door.post([GOOD] * 101)
    assert (reply.status, reply.json["error"]["code"]) == (413, "too_many")


def test_every_answer_is_readable_from_anywhere_and_identifies_nothing(door: Stack) -> None:
    answers = [
        door.post(GOOD),
        door.post([GOOD, 1]),
        door.post(b""),
        door.post([1] * 101),
        door.post(b"<a/>", {"Content-Type": "application/xml"}),
        door.request("OPTIONS", "/v1/events"),
        *(
            door.request("GET", path)
            for path in ("/v1/pixel.gif", "/v1/uninstall", "/healthz", "/nowhere", "/v1/events")
        ),
    ]
    assert [answer.status for answer in answers] == [204, 200, 400, 413, 415, 204, 200, 200, 200, 404, 405]
    for answer in answers:
        assert answer.headers.keys() <= ALLOWED_HEADERS
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.status == 204 or b"GIF" in answer.body or isinstance(answer.json, dict)


def test_a_preflight_allows_what_clients_send(door: Stack) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    reply = door.request("OPTIONS", "/v1/events", headers=asked)
    assert reply.status == 204
    assert {"POST", "OPTIONS"} <= set(reply.headers["access-control-allow-methods"].split(", "))
    assert reply.headers["access-control-allow-headers"].lower() == "content-type"
    assert reply.headers["access-control-max-age"] == "86400"
    assert "access-control-allow-credentials" not in reply.headers


def test_the_bytes_are_the_same_for_counted_repeated_opted_out_test_and_bot(door: Stack) -> None:
    event = {**GOOD, "id": str(uuid.uuid4())}
    for good in (event, [event, event], [event, {**event, "site": "x"}]):
        tests = [{**each, "test": True} for each in good] if isinstance(good, list) else {**good, "test": True}
        plain = orjson.dumps(good)
        sent = [request(plain), request(plain), request(orjson.dumps(tests))]
        sent += [request(plain, {name: text}) for name, text in _WISHES]
        sent.append(request(plain, {"User-Agent": BOT}))
        answers = [(said.head, said.body) for said in (say(door.public, each) for each in sent)]
        assert answers == [answers[0]] * len(answers)


_WISHES = (("Sec-GPC", "1"), ("DNT", "1"), ("Sec-Purpose", "prefetch"), ("Purpose", "prefetch"), ("Range", "bytes=5-"))


def test_opted_out_tests_bots_and_prefetches_change_no_count_but_their_own(door: Stack) -> None:
    before = _totals(door)

    def send() -> None:
        for name, text in _WISHES:
            assert door.post(GOOD, {name: text}).status == 204
        assert door.post({**GOOD, "test": True}).status == 204
        assert door.post([GOOD, GOOD], {"User-Agent": BOT}).json["accepted"] == 2
        assert door.post(HIT, {"Sec-GPC": "0", "DNT": "0"}).status == 204

    assert gained_by(door, send, 9) == {
        "accepted": 1,
        "accepted page_hit": 1,
        "not_counted": 8,
        "not_counted partial": 1,
        "not_counted opt_out": 2,
        "not_counted prefetch": 2,
        "not_counted test": 1,
        "not_counted bot": 2,
    }
    assert _totals(door)["page_hit"] == before["page_hit"] + 1


def test_a_programs_events_count_whatever_its_http_library_is_called(door: Stack) -> None:
    feature = {"kind": "feature_use", "product": "player", "feature": "casting", "count": 1}
    assert gained_by(door, lambda: door.post(feature, {"User-Agent": "python-requests/2.32"}), 1)["accepted"] == 1


def test_curl_and_gzip_are_understood(door: Stack) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Mozilla/5.0 Firefox/140.0"}
    body = orjson.dumps(GOOD)
    packed = {"Content-Encoding": "gzip", "Content-Type": "text/plain;charset=UTF-8"}
    for said in (say(door.public, request(body, form)), say(door.public, request(gzip.compress(body), packed))):
        assert said.status == 204


# --- other addresses --------------------------------------------------------------------------------------------------


def test_the_pixel_is_always_a_gif_and_counts_a_hit_where_it_can(door: Stack) -> None:
    good = "/v1/pixel.gif?site=www.example.org&p=/pricing&r=https://news.example.com/"
    many = good + "&a" * 900
    bad = ["/v1/pixel.gif", "/v1/pixel.gif?site=odd&p=/", "/v1/pixel.gif?site=www.example.org&p=https://evil.example/"]

    def send() -> None:
        for path in (good, many, "/v1/pixel.gif?site=www.example.org", *bad, good + "%ED%A0%80%FF%00%"):
            reply = door.request("GET", path)
            assert (reply.status, reply.headers["content-type"], reply.body[:6]) == (200, "image/gif", b"GIF89a")
        reply = door.request("HEAD", good)
        assert (reply.status, reply.body) == (200, b"")

    seen = gained_by(door, send, 8)
    assert (seen["accepted page_hit"], seen["refused"], seen["not_counted partial"]) == (4, 3, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_uninstaller_says_it_in_the_address(door: Stack, method: str) -> None:
    path = "/v1/uninstall?product=player&v=1.4.2&os=windows&age=3&reason=switched"
    assert gained_by(door, lambda: door.request(method, path), 1) == {"accepted": 1, "accepted uninstall": 1}
    reply = door.request(method, path.replace("windows", "canary"))
    assert (reply.json["accepted"], reply.json["rejected"][0]["field"]) == (0, "os")
    assert b"canary" not in reply.body


def test_unknown_addresses_and_methods_get_an_answer_of_ours(door: Stack) -> None:
    for method, path, status, code in (
        ("GET", "/", 404, "not_found"),
        ("POST", "/v1/events/", 404, "not_found"),
        ("POST", "/v1/x/%2e%2e/events", 404, "not_found"),
        ("GET", "/v1/events", 405, "method_not_allowed"),
        ("DELETE", "/v1/events", 405, "method_not_allowed"),
    ):
        reply = door.request(method, path)
        assert (reply.status, reply.json["error"]["code"]) == (status, code), (method, path)
    assert door.request("GET", "/healthz").json == {"status": "ok"}


def _good_ones() -> list[dict[str, Any]]:
    return [event | ({"id": str(uuid.uuid4())} if "id" in event else {}) for event in good_events().values()]


def _totals(stack: Stack) -> dict[str, int]:
    """Events of every kind's report."""
    load(stack)
    owners = {event["kind"]: event.get("site", "player") for event in _good_ones()}
    return {kind: stack.ask(REPORTS[kind], property=owners[kind], **days())["totals"]["events"] for kind in REPORTS}


def _hours(stack: Stack) -> Counter[int]:
    """Hits by the hour they count for."""
    load(stack)
    answer = stack.ask("traffic", property="www.example.org", interval="hour", **days())
    at = {row[0]: datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in answer["rows"]}
    return Counter({int(at[row[0]].timestamp()): row[1] for row in answer["rows"]})
