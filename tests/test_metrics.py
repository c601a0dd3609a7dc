"""The collector's numbers about itself: a fixed set of series that adds up, over processes that come and go."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import orjson

from tests.stack import Stack, eventually

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
BAD = [{}, {"kind": "nothing"}, HIT | {"site": "nobody.example"}, HIT | {"surprise": 1}, HIT | {"url": 7}]


def test_received_is_accepted_and_refused_and_not_counted(stack: Stack) -> None:
    stack.post([HIT, *BAD, HIT | {"test": True}])
    stack.post(HIT, {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    stack.post(HIT, {"Sec-GPC": "1"})
    eventually(lambda: stack.counted("events_received") == 9, "nine events received")
    parts = {name: stack.counted(f"events_{name}") for name in ("accepted", "refused", "not_counted")}
    assert parts == {"accepted": 1, "refused": 5, "not_counted": 3}
    numbers = stack.metrics()
    for reason in ("test", "bot", "opt_out"):
        assert numbers[f'collector_events_not_counted_total{{reason="{reason}"}}'] == 1


def test_no_request_adds_a_series(shared_stack: Stack) -> None:
    stack = shared_stack
    loaded, before = stack.counted("events_loaded"), stack.metrics().keys()
    for number in range(100):
        headers = {"User-Agent": f"Agent{number}/1", "Accept-Language": f"x{number}", "Host": f"h{number}.example"}
        stack.post(
            [HIT | {"url": f"https://www.example.org/{number}"}, {"kind": f"k{number}"}, {f"f{number}": 1}], headers
        )
        stack.request("GET", f"/{number}", headers=headers)
        stack.request("PUT", "/v1/events", b"x")
    stack.post(b"{")
    stack.post([HIT] * 101)
    stack.wait_loaded(loaded + 100)
    assert stack.metrics().keys() == before


def test_numbers_of_a_killed_process_are_kept(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(workers=2)
    for sent in (10, 20, 30):
        stack.post([HIT] * 10)
        eventually(partial(_has_accepted, stack, sent), f"{sent} events accepted")
        for pid in stack.children("worker"):
            os.kill(pid, signal.SIGKILL)
    stack.kill("warehouse")
    eventually(lambda: stack.counted("events_loaded") == 30, "30 events loaded")
    assert stack.counted("events_accepted") == 30


def _has_accepted(stack: Stack, events: int) -> bool:
    return stack.counted("events_accepted") == events


def test_every_start_counts_from_nought(stack: Stack) -> None:
    stack.post(HIT)
    stack.wait_loaded(1)
    stack.restart()
    assert stack.counted("events_accepted") == 0
    assert stack.metrics()["collector_epoch"] == orjson.loads((stack.data / "node").read_bytes())["epoch"]
    stack.stop()


def test_every_number_is_there_before_anything_happened(stack: Stack) -> None:
    numbers = stack.metrics()
    for name in ("spool_segments", "frozen_batches", "events_loaded_total", "batches_verified_total"):
        assert numbers[f"collector_{name}"] == 0
    assert numbers['collector_events_accepted_total{kind="feature_use"}'] == 0
    for name in ("fill", "error"):
        assert numbers[f'collector_filter_{name}_ratio{{day="yesterday"}}'] == 0
    lines = stack.analyst_request("/metrics").body.decode().splitlines()
    names = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(names) == len(set(names))
