"""Ten times what a worker can take: it goes on at its own pace, tells the rest to come again, and counts all of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from collector.door.allowance import BYTES_AT_ONE
from collector.door.receive import MAX_IN_A_LAP
from collector.tools.wire import END, request
from tests.counting import events_seen, load, settle, today
from tests.flood import HIT, flooded
from tests.open_door import open_door
from tests.stack import AS_IN_USE, Stack

NOW = 1_795_600_000
AT_ONCE = 250
MEMORY_BYTES = 200 * 2**20  # above what it holds when it is not crowded
LEAST = 0.8  # of what was accepted a second by eight connections
PEAK_S = 60
WAITING = (429, 503)


def resident_bytes(stack: Stack) -> int:
    text = Path(f"/proc/{stack.children('worker')[0]}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def other_cores(stack: Stack) -> set[int]:
    """Give the worker a core of its own, for its callers are other machines elsewhere; the cores left for them."""
    own, *others = sorted(os.sched_getaffinity(0))
    for pid in [stack.process.pid, *stack.children()] if others else []:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(int(thread.name), {own} if pid in stack.children("worker") else others)
    return set(others) or {own}


async def test_what_comes_at_once_is_taken_on_as_far_as_it_can_be_and_the_rest_is_told_to_come_again(
    tmp_path: Path,
) -> None:
    batch = request(b"[" + b",".join([HIT] * 100) + b"]", {"User-Agent": "Mozilla/5.0"})
    async with open_door(tmp_path / "data", NOW) as door:
        port = int(door.url.rpartition(":")[2])
        at_once = [await asyncio.open_connection("127.0.0.1", port) for _ in range(AT_ONCE)]
        for _, writer in at_once:
            writer.write(batch)  # on the wire at once: the door comes round when all of them are there
        heads = [await reader.readuntil(END) for reader, _ in at_once]
        taken = sum(head.startswith(b"HTTP/1.1 200 ") for head in heads)
        told = sum(head.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: " in head for head in heads)
        assert taken >= MAX_IN_A_LAP // (len(batch) // BYTES_AT_ONE + 1)
        assert (taken + told, told > 0) == (AT_ONCE, True)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(HIT))
        assert (await reader.readuntil(END)).startswith(b"HTTP/1.1 204 ")
    assert door.seen()["received"] == door.seen()["accepted"] == 100 * taken + 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [10, 300])
@pytest.mark.parametrize(("events", "connections", "row"), [(1, 1_000, 10), (100, 400, 10), (100, 2_000, 1)])
def test_an_overloaded_worker_goes_on_at_its_pace_and_every_event_is_accounted_for(
    start_stack: Callable[..., Stack], seconds: int, events: int, connections: int, row: int
) -> None:
    stack = start_stack(environ=AS_IN_USE)
    before = resident_bytes(stack)
    flood = partial(flooded, stack.public, events=events, cores=other_cores(stack))
    few = partial(flood, processes=1, connections=8, seconds=PEAK_S, row=1)
    peaks = [few()]  # and once more afterwards: the machine's own pace changes within minutes
    over = flood(processes=4, connections=connections // 4, seconds=seconds, row=row)
    most = resident_bytes(stack)
    peaks.append(few())
    good = sum(each.statuses[200] for each in (*peaks, over))
    *peak, rate = [each.statuses[200] / each.seconds for each in (*peaks, over)]
    refused = sum(over.statuses[status] for status in WAITING)
    told = f"{events} events a request: {peak[0]:,.0f} and {peak[1]:,.0f} a second, overloaded {rate:,.0f}"
    print(f"{told} and {refused:,} refused, {(most - before) / 1e6:+.0f} MB")  # noqa: T201 - the figure
    assert over.lost == sum(each.lost for each in peaks) == 0
    assert over.statuses.keys() <= {200, *WAITING}
    assert over.retry == refused
    settle(stack)
    seen = events_seen(stack)
    assert seen["received"] == seen["accepted"] + seen["refused"] + seen["not_counted"]
    assert (seen["accepted"], seen["refused"]) == (good * events, 0)
    load(stack)
    assert stack.ask("traffic", property="www.example.org", **today())["totals"]["events"] == good * events
    assert most - before < MEMORY_BYTES
    assert rate >= LEAST * sum(peak) / 2
    assert (refused > 0) == (row == 1)  # who sends rows waits for a turn instead (connections.py)
    stack.stop()
