"""Ten times what a worker can take: it goes on at its own pace, tells the rest to come again, and counts all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.counting import events_seen, load, settle, today
from tests.flood import flooded
from tests.stack import Stack

MEMORY_BYTES = 200 * 2**20  # above what it holds when it is not crowded
LEAST = 0.8  # of what was accepted a second by eight connections
WAITING = (429, 503)


def resident_bytes(stack: Stack) -> int:
    text = Path(f"/proc/{stack.children('worker')[0]}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [10, 300])
@pytest.mark.parametrize(("events", "connections"), [(1, 1_000), (100, 400)])
def test_an_overloaded_worker_goes_on_at_its_pace_and_every_event_is_accounted_for(
    start_stack: Callable[..., Stack], seconds: int, events: int, connections: int
) -> None:
    stack = start_stack()
    peak = flooded(stack.public, processes=1, connections=8, seconds=8, events=events, row=1)
    before = resident_bytes(stack)
    over = flooded(stack.public, processes=4, connections=connections // 4, seconds=seconds, events=events, row=10)
    most = resident_bytes(stack)
    good = peak.statuses[200] + over.statuses[200]
    rates = [each.statuses[200] / each.seconds for each in (peak, over)]
    refused = sum(over.statuses[status] for status in WAITING)
    told = f"{events} events a request: {rates[0]:,.0f} a second, overloaded {rates[1]:,.0f} and {refused:,} refused"
    print(f"{told}, {(most - before) / 1e6:+.0f} MB")  # noqa: T201 - the figure
    assert over.lost == peak.lost == 0
    assert over.statuses.keys() <= {200, *WAITING}
    assert over.retry == refused
    settle(stack)
    seen = events_seen(stack)
    assert seen["received"] == seen["accepted"] + seen["refused"] + seen["not_counted"]
    assert (seen["accepted"], seen["refused"]) == (good * events, 0)
    load(stack)
    assert stack.ask("traffic", property="www.example.org", **today())["totals"]["events"] == good * events
    assert most - before < MEMORY_BYTES
    assert rates[1] >= LEAST * rates[0]
    stack.stop()
