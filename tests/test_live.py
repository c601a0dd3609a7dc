"""The live view: the hits of the last 30 minutes, over all workers, from memory that outlives each of them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from collector.analyst.tokens import Tokens
from collector.clock import SystemClock
from collector.count.minutes import MINUTES, LastMinutes, MinuteCounts, give_places, make_minutes, places_of
from tests.example_events import good_events
from tests.live_view import Watcher, live
from tests.stack import ROOT, Stack, eventually

SITE, PRODUCT = "www.example.org", "player"
HIT = {"kind": "page_hit", "site": SITE, "url": f"https://{SITE}/"}
GOOD = {kind: {**event, "age_s": 59} for kind, event in good_events().items()}
NOON_S = 20_000 * 86_400 + 43_200.0
STREAMS, OF_ONE = 64, 16
EXAMPLE = (ROOT / "collector" / "example.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers and the built-in example; tests here count on from what they find."""
    stack = Stack(tmp_path_factory.mktemp("watched"), config=EXAMPLE, workers=2)
    yield stack
    stack.sweep()


@contextmanager
def asleep(pid: int) -> Iterator[None]:
    """A process that does nothing for the block: whoever else listens on its port gets what comes."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# --- what is counted --------------------------------------------------------------------------------------------------


def test_hits_of_every_worker_are_told_in_their_minute(watched: Stack) -> None:
    before = live(watched, SITE)["total"]
    first, second = watched.children("worker")
    for sleeping, hits in ((first, 3), (second, 5)):
        with asleep(sleeping):
            assert [watched.post(HIT).status for _ in range(hits)] == [204] * hits
    said = live(watched, SITE)
    assert said.keys() == {"property", "now", "minutes", "total"}
    assert (said["property"], said["total"]) == (SITE, before + 8)
    assert len(said["minutes"]) == MINUTES
    assert sum(said["minutes"]) == said["total"]
    told_s = datetime.strptime(said["now"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    assert abs(time.time() - told_s) < 60


def test_the_view_goes_on_while_it_is_watched(watched: Stack) -> None:
    with Watcher(watched, f"property={SITE}") as watcher:
        assert watcher.response.headers["Content-Type"].startswith("text/event-stream")
        assert watcher.response.headers["Cache-Control"] == "no-store"
        before = watcher.next()["total"]
        watched.post([HIT, HIT])
        assert watcher.next()["total"] == before + 2


def test_update_checks_are_told_of_a_product_and_nothing_else_of_either(watched: Stack) -> None:
    sites, products = live(watched, SITE)["total"], live(watched, PRODUCT)["total"]
    left_out = [{**HIT, "test": True}, {**HIT, "age_s": 60}, {**HIT, "url": "https://elsewhere.example/"}]
    reply = watched.post([*GOOD.values(), *left_out])
    assert [each["index"] for each in reply.json["rejected"]] == [len(GOOD) + 2]
    watched.post(HIT, {"DNT": "1"})
    watched.post(HIT, {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    assert live(watched, SITE)["total"] == sites + 1
    assert live(watched, PRODUCT)["total"] == products + 1


# --- what it outlives -------------------------------------------------------------------------------------------------


def test_the_minutes_outlive_every_process_and_a_reload_to_other_properties(watched: Stack) -> None:
    before = live(watched, SITE)["total"]
    watched.post([HIT] * 3)
    killed = watched.kill("worker")
    eventually(lambda: killed not in watched.children() and len(watched.children()) == 3, "it is replaced")
    watched.post([HIT] * 2)
    more = "".join(f'[[site]]\nid = "{number}.example"\nhosts = ["{number}.example"]\n' for number in range(20))
    watched.configure(more + EXAMPLE)
    watched.reload()
    watched.post([HIT, HIT | {"site": "19.example", "url": "https://19.example/"}])
    assert [live(watched, site)["total"] for site in (SITE, "18.example", "19.example")] == [before + 6, 0, 1]


def test_the_warehouse_process_maps_no_memory_of_the_collector(watched: Stack) -> None:
    (warehouse,) = watched.children("warehouse")
    live(watched, SITE)
    assert "collector-" not in Path(f"/proc/{warehouse}/maps").read_text()
    assert "memfd:collector-minutes" in Path(f"/proc/{watched.children('worker')[0]}/maps").read_text()


# --- who may watch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "property"),
        ("property=", "property"),
        ("property=canary-8c1f", "property"),
        (f"property={SITE}&property={SITE}", "property"),
        (f"property={SITE}&by=path", None),
    ],
)
def test_a_bad_question_is_told_parameter_and_rule(watched: Stack, query: str, parameter: str | None) -> None:
    reply = watched.analyst_request(f"/api/v1/live?{query}")
    assert reply.status == 400
    assert reply.json["error"].keys() == {"parameter", "rule"}
    assert reply.json["error"]["parameter"] == parameter
    assert b"canary" not in reply.body
    assert watched.analyst_request(f"/api/v1/live?{query}", token=None).status == 401


def test_who_may_see_some_properties_watches_those_and_the_others_do_not_exist(watched: Stack) -> None:
    token = Tokens(watched.data, None, SystemClock()).create("display", [PRODUCT], None)
    with Watcher(watched, f"property={PRODUCT}", token) as watcher:
        assert watcher.next()["property"] == PRODUCT
    refused, unknown = (watched.analyst_request(f"/api/v1/live?property={each}", token) for each in (SITE, "nobody"))
    assert refused.status == 400
    assert refused.body == unknown.body


def test_so_many_may_watch_and_places_of_those_who_left_are_free(watched: Stack) -> None:
    with ExitStack() as watchers:

        def comes_in(token: str) -> bool:
            watcher = watchers.enter_context(Watcher(watched, f"property={SITE}", token))
            return watcher.response.status == 200

        def is_refused(token: str) -> bool:
            refused = watched.analyst_request(f"/api/v1/live?property={SITE}", token)
            return (refused.status, refused.json) == (503, {"error": {"code": "unavailable"}})

        tokens = Tokens(watched.data, None, SystemClock())
        for each in range(STREAMS // OF_ONE):
            token = tokens.create(f"wall-{each}")
            for _ in range(OF_ONE):
                eventually(partial(comes_in, token), "those of other tests have left")
            assert is_refused(token)
        assert is_refused(tokens.create("wall-too-many"))
        watchers.close()
        eventually(lambda: comes_in(token), "a place is free again")
    assert "question failed" not in watched.log_text


def test_whoever_watches_does_not_delay_the_end_and_nothing_was_kept(watched: Stack) -> None:
    watched.post(HIT)
    with Watcher(watched, f"property={SITE}") as watcher:
        assert watcher.next()["total"] > 0
        watched.stop()
        assert watcher.next() == {}
    assert "did not end in time" not in watched.log_text
    watched.start()
    assert live(watched, SITE)["total"] == 0


# --- minutes ----------------------------------------------------------------------------------------------------------


def test_a_minute_is_told_for_half_an_hour_and_its_place_taken_by_a_later_one() -> None:
    fd = make_minutes([SITE])
    counts, told = MinuteCounts(fd, 0), LastMinutes(fd)
    for _ in range(7):
        counts.add(SITE, NOON_S + 59.9)
    assert told.of(SITE, NOON_S + 59.9) == [0] * 29 + [7]
    assert told.of(SITE, NOON_S + 60) == [0] * 28 + [7, 0]
    assert told.of(SITE, NOON_S + 29 * 60) == [7] + [0] * 29
    assert told.of(SITE, NOON_S + 30 * 60) == [0] * 30
    counts.add(SITE, NOON_S + 32 * 60)
    assert told.of(SITE, NOON_S + 32 * 60) == [0] * 29 + [1]
    assert told.of(SITE, NOON_S) == [0] * 30, "a clock set back is told nothing of what is to come"


def test_every_count_of_every_worker_is_the_one_a_list_of_events_gives() -> None:
    properties = [f"site-{number}" for number in range(40)]
    fd = make_minutes(properties[:17])
    give_places(fd, properties)
    workers, told = [MinuteCounts(fd, worker) for worker in (0, 1, 63)], LastMinutes(fd)
    choose = random.Random(5)
    seen: Counter[tuple[str, int]] = Counter()
    now_s = NOON_S
    for _ in range(20_000):
        now_s += choose.random()
        property_id = choose.choice(properties)
        choose.choice(workers).add(property_id, now_s)
        seen[property_id, int(now_s // 60)] += 1
    last = int(now_s // 60)
    for property_id in properties:
        assert told.of(property_id, now_s) == [seen[property_id, last - back] for back in reversed(range(MINUTES))]


def test_a_property_keeps_its_place_whatever_is_configured_later() -> None:
    fd = make_minutes(["b", "a"])
    give_places(fd, ["c", "a"])
    give_places(fd, [*(f"z{number}" for number in range(30)), "a"])
    assert list(places_of(fd)) == ["b", "a", "c", *(f"z{number}" for number in range(30))]
    assert list(places_of(fd).values()) == list(range(33))
    assert places_of(make_minutes([])) == {}
