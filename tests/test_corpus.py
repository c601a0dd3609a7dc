"""Every odd event costs nobody anything: what is beside it is counted, nothing fails, and nothing of it comes back.

Each case of tests/data/corpus and each bad event of tests/data/kinds.json goes through the front door alone, and first,
in the middle and last among ten good events, whose page nobody else names; the adapters get every odd value, too. At
the end the database must hold ten hits of each of these pages.
"""

from __future__ import annotations

import json
import socket
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count, cycle
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from collector.tools.wire import Said, connect, hear, request
from tests.corpus import CANARY, cases, hit, spelled
from tests.counting import gained_by, load, settle, today
from tests.example_events import bad_events
from tests.stack import ROOT, Stack

KEY = "A-SH-0000000001"
CONFIG = f"""
trusted_proxies = ["127.0.0.0/8"]
[[aptabase]]
key = "{KEY}"
product = "player"
event = [{{name = "started", kind = "feature_use", feature = "subtitles"}}]
"""
GOOD = 10
NETWORKS = 40
NUMBERS = count()
PLACES = (0, GOOD // 2, GOOD)
BROWSER = {"User-Agent": "Mozilla/5.0", "Content-Type": "application/json"}
STARTED = b'{"eventName":"started","systemProps":{"osName":"Windows"}}'
GROWTH_BYTES = 32 * 2**20


class Odd(NamedTuple):
    """An event as JSON, and `code` and `field` of its refusal: None if it is accepted, not_json if no body has it."""

    name: str
    event: bytes
    code: str | None
    field: str | None


class Sender:
    """A connection that stays open, and the pages that were sent so far; every request comes from the next network."""

    def __init__(self, stack: Stack) -> None:
        self._address = stack.public
        self._connection: socket.socket | None = None
        self._networks = cycle(range(NETWORKS))
        self.pages: Counter[str] = Counter()

    def say(self, body: bytes, path: str = "/v1/events", headers: Mapping[str, str] = BROWSER) -> Said:
        forwarded = {"X-Forwarded-For": f"198.51.{next(self._networks)}.7"}
        connection = self._connection or connect(self._address)
        connection.sendall(request(body, {**headers, **forwarded}, path=path))
        said = hear(connection)
        self._connection = None if b"\r\nConnection: close" in said.head else connection
        assert 200 <= said.status < 500
        assert CANARY not in said.head + said.body
        return said

    def page(self, hits: int) -> str:
        """An address that nobody named so far, and will so many times."""
        path = f"/page/{next(NUMBERS)}"
        self.pages[path] = hits
        return f"https://www.example.org{path}"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One collector for all tests of this file; at the end it must have failed at nothing and said nothing."""
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    head, tables = CONFIG.split("[[", 1)
    stack = Stack(tmp_path_factory.mktemp("corpus"), config=f"{head}{example}\n[[{tables}")
    workers = stack.children("worker")
    yield stack
    try:
        assert stack.metrics().get('collector_bodies_refused_total{status="500"}', 0) == 0
        assert stack.children("worker") == workers
        for word in ("request failed", "Traceback", "canary", "level=error", "level=warning"):
            assert word not in stack.log_text
        stack.stop()
    finally:
        stack.sweep()


def odd_ones() -> Iterator[Odd]:
    """All of them, by what they are."""
    for name, case in cases("events").items():
        yield Odd(name, spelled(case["event"]), case.get("refused"), case.get("field"))
    for name, case in cases("values").items():
        if case.get("not_json"):
            yield Odd(name, hit(age_s=spelled(case["value"])), "not_json", None)
            continue
        for field in ("age_s", "referrer"):
            code = case[field]
            event = hit(**{field: spelled(case["value"])})
            blamed = None if code in ("ok", "too_deep") else field
            yield Odd(f"{name} for {field}", event, None if code == "ok" else code, blamed)


def bad_ones(*, all_of_them: bool) -> Iterator[Odd]:
    """The bad events of every kind, or one for each code of a kind."""
    bad = bad_events()
    for each in bad if all_of_them else {(each.event["kind"], each.code): each for each in reversed(bad)}.values():
        numbers = [value for value in each.event.values() if isinstance(value, int) and value >= 2**64]
        yield Odd(each.why, json.dumps(each.event).encode(), "wrong_type" if numbers else each.code, each.field)


def test_there_are_some_hundred_cases() -> None:
    assert len(cases("transport")) >= 150
    assert len([*odd_ones()]) >= 350
    assert len(bad_events()) >= 190


def test_an_odd_event_costs_its_neighbours_nothing(door: Stack) -> None:
    _judged_among_good_ones(door, [*odd_ones(), *bad_ones(all_of_them=False)])


@pytest.mark.slow
def test_the_bad_events_of_all_kinds_cost_their_neighbours_nothing(door: Stack) -> None:
    _judged_among_good_ones(door, [*bad_ones(all_of_them=True)])


def _judged_among_good_ones(door: Stack, odd: list[Odd]) -> None:
    sender = Sender(door)
    expected: Counter[str] = Counter()

    def send() -> None:
        for one in odd:
            _alone(sender, one, expected)
            for place in PLACES:
                _among(sender, one, place, expected)

    events = sum(1 + 3 * (GOOD + 1) for one in odd if one.code != "not_json")
    gained = gained_by(door, send, events)
    assert {name: number for name, number in gained.items() if name in expected} == expected
    assert _pages(door, sender.pages) == sender.pages


def _alone(sender: Sender, one: Odd, expected: Counter[str]) -> None:
    said = sender.say(one.event if one.event.startswith(b"{") else b"[" + one.event + b"]")
    _is_judged(said, one, 0, 0, expected)


def _among(sender: Sender, one: Odd, place: int, expected: Counter[str]) -> None:
    good = b'{"kind":"page_hit","site":"www.example.org","url":"%s"}'
    good %= b"https://www.example.org/" if one.code == "not_json" else sender.page(GOOD).encode()
    said = sender.say(b"[" + b",".join([*[good] * place, one.event, *[good] * (GOOD - place)]) + b"]")
    _is_judged(said, one, place, GOOD, expected)


def _is_judged(said: Said, one: Odd, place: int, good: int, expected: Counter[str]) -> None:
    """It is, with a code and a declared field, and so many good ones beside it are accepted."""
    if one.code == "not_json":
        assert (said.status, said.code, one.name) == (400, "not_json", one.name)
        return
    expected["accepted"] += good
    if one.code is None:
        expected["accepted"] += 1
        assert said.status == 204 or said.json == {"accepted": good + 1, "rejected": []}, (one, said.body)
        return
    expected[f"refused {one.code}"] += 1
    (refused,) = said.json["rejected"]
    assert said.json["accepted"] == good
    told = (refused["index"], refused["code"], refused["field"])
    assert told == (place, one.code, one.field), (one.name, one.event[:200])


def _pages(stack: Stack, asked: Mapping[str, int]) -> dict[str, int]:
    """How often these pages were hit, as the database has it."""
    load(stack)
    answer = stack.ask("pages", property="www.example.org", by="path", limit=10_000, **today())
    place = answer["columns"].index("path"), answer["columns"].index("events")
    return {row[place[0]]: row[place[1]] for row in answer["rows"] if row[place[0]] in asked}


# --- the adapters -----------------------------------------------------------------------------------------------------


def test_an_odd_value_in_a_body_of_plausible_costs_nobody_anything(door: Stack) -> None:
    sender = Sender(door)
    for name, case in cases("values").items():
        value = spelled(case["value"])
        for key in (b"r", b"p", b"e", b"d", b"canary"):
            body = b'{"n":"pageview","u":"https://www.example.org/other","%s":%s}' % (key, value)
            said = sender.say(body, "/api/event")
            is_json = not case.get("not_json")
            assert said.status in ((202, 400) if is_json and key == b"d" else (202,) if is_json else (400,)), name
        good = {"n": "pageview", "u": sender.page(1), "d": "www.example.org"}
        assert sender.say(orjson.dumps(good), "/api/event").status == 202
    assert _pages(door, sender.pages) == sender.pages


def test_an_odd_value_in_a_batch_of_aptabase_costs_its_neighbours_nothing(door: Stack) -> None:
    sender = Sender(door)
    read = [spelled(case["value"]) for case in cases("values").values() if not case.get("not_json")]
    no_json = [spelled(case["value"]) for case in cases("values").values() if case.get("not_json")]

    def send() -> None:
        for value in [*read, *no_json]:
            for place in PLACES:
                for field in (b"eventName", b"systemProps", b"props"):
                    odd = b'{"eventName":"started","%s":%s}' % (field, value)
                    body = b"[" + b",".join([*[STARTED] * place, odd, *[STARTED] * (GOOD - place)]) + b"]"
                    said = sender.say(body, "/api/v0/events", {**BROWSER, "App-Key": KEY})
                    assert (said.status, said.body) == (200, b"{}")

    before = _features(door)
    batches, objects = len(read) * len(PLACES), sum(value.startswith(b"{") or value == b"null" for value in read)
    gained = gained_by(door, send, batches * 3 * (GOOD + 1) + len(no_json) * len(PLACES) * 3)
    # A name is nobody's; of systemProps objects and null will do; props are not read.
    accepted = batches * (3 * GOOD + 1) + objects * len(PLACES)
    assert gained["accepted feature_use"] == gained["accepted"] == accepted
    assert gained["refused not_json"] == len(no_json) * len(PLACES) * 3
    assert _features(door) == before + accepted


def _features(stack: Stack) -> int:
    load(stack)
    return int(stack.ask("features", property="player", **today())["totals"]["amount"])


def test_whatever_was_sent_a_worker_holds_nothing_more(door: Stack) -> None:
    """What caches and tables hold is there after once; after that nothing grows."""
    sender = Sender(door)

    def all_of_it() -> int:
        for one in odd_ones():
            sender.say(one.event)
        settle(door)
        return _resident_bytes(door)

    first = all_of_it()
    assert all_of_it() < first + GROWTH_BYTES


def _resident_bytes(stack: Stack) -> int:
    lines = Path(f"/proc/{stack.children('worker')[0]}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_an_id_counts_once_however_often_and_of_whatever_it_is_sent(door: Stack) -> None:
    sender = Sender(door)
    known = {"id": str(uuid.uuid4())}
    hit_again = orjson.dumps({"kind": "page_hit", "site": "www.example.org", "url": sender.page(1), **known})
    other = {"kind": "page_hit", "site": "www.example.org", "url": sender.page(0), **known}
    check = {"kind": "update_check", "product": "player", "version": "1.4.2", "channel": "stable", "os": "windows"}
    before = door.counted("events_duplicate")
    assert sender.say(hit_again).status == 204
    load(door)
    for _ in range(10):
        assert sender.say(b"[" + b",".join([hit_again] * 100) + b"]").json["accepted"] == 100
    assert sender.say(orjson.dumps([other, {**check, **known}])).json["accepted"] == 2
    assert _pages(door, sender.pages) == +sender.pages
    assert door.counted("events_duplicate") - before == 1002
