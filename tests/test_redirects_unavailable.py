"""Redirects and pixels are answered as ever while events cannot be counted: full disk, hanging disk, dead processes.

What can be counted later is counted once, and the counters add up.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest

from collector.door.caller import Caller
from collector.tools.wire import Said, request, say
from tests.counting import events_seen, gained_by, load, settle, today
from tests.durability.outcome import NotHereError
from tests.durability.rest import wait_at_rest
from tests.durability.small_disk import Ballast, small_disk
from tests.durability.tracing import Strace
from tests.failing_disk import FailingDisk
from tests.open_door import OpenDoor, open_door
from tests.requires import lacks, needs
from tests.spooling import contents
from tests.stack import Stack, eventually

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
PATHS = (
    "/go/forum",
    "/go/equalizer-shop",
    "/dl/player/1.4.2/player-setup.exe?origin=website",
    "/v1/pixel.gif?site=www.example.org&p=/pricing",
)
AT_S = 1_800_000_000
REQUESTS = 500
REFILL_EVERY = 50
HANGS_US = 2_500_000  # longer than an answer waits (receive.ASIDE_S)
RECOVERS_S = 0.5
KILLS = 3


# --- a disk that is full ----------------------------------------------------------------------------------------------


def test_while_the_disk_is_full_every_answer_is_right_and_afterwards_counting_goes_on(tmp_path: Path) -> None:
    try:
        with small_disk(Stack.data_in(tmp_path) / "spool", 24):
            stack = Stack(tmp_path)
            try:
                _follow_on_a_full_disk(stack)
                stack.stop()
            finally:
                stack.sweep()
    except NotHereError as why:
        lacks(str(why))


def _follow_on_a_full_disk(stack: Stack) -> None:
    plain = answers(stack)
    assert [plain[path].status for path in PATHS] == [302, 302, 302, 200]
    ballast = Ballast(stack.data / "spool")

    def is_refused() -> bool:
        ballast.fill()  # again: what the loader let go of is free
        return stack.post(HIT).status == 503

    def send() -> None:
        for number, path in enumerate(islice(cycle(PATHS), REQUESTS)):
            if number % REFILL_EVERY == 0:
                ballast.fill()
            assert follow(stack, path) == plain[path]

    eventually(is_refused, "events are refused")
    gained = gained_by(stack, send, REQUESTS)
    assert gained["not_counted unavailable"] == gained["not_counted"] >= REQUESTS - REFILL_EVERY
    ballast.drop()
    eventually(lambda: stack.post(HIT).status == 204, "events are accepted")
    assert gained_by(stack, lambda: answers(stack), len(PATHS))["accepted"] == len(PATHS)
    assert_counted_once(stack)


# --- a disk that hangs ------------------------------------------------------------------------------------------------


async def test_while_the_disk_hangs_answers_come_and_nobody_is_remembered_and_each_event_counts_once(
    tmp_path: Path,
) -> None:
    disk = FailingDisk()
    async with open_door(tmp_path / "data", AT_S, disk=disk) as door:
        with hanging(disk):
            said = await asyncio.gather(*(led(door, path) for path in PATHS))
            assert [each.status for each in said] == [302, 302, 302, 200]
            assert seen(door)["accepted"] == 0
            assert not [each for each in gc.get_objects() if type(each) is Caller]
        await until(lambda: seen(door)["accepted"] == len(PATHS))
    kinds = [record.event.kind for each in contents(tmp_path / "data" / "spool") for record in each.records]
    assert sorted(kinds) == ["download", "link_click", "link_click", "page_hit"]


async def test_a_disk_that_fails_after_the_answer_costs_the_event_and_nothing_else(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with open_door(tmp_path / "data", AT_S, disk=disk) as door:
        with hanging(disk):
            assert (await led(door, PATHS[0])).status == 302
            disk.failing.add("append")
            assert (await led(door, PATHS[0])).status == 302
        await until(lambda: seen(door) == {"received": 2, "accepted": 1, "not_counted": 1})
        disk.failing.clear()
        assert (await led(door, PATHS[0])).status == 302
        await until(lambda: seen(door) == {"received": 3, "accepted": 2, "not_counted": 1})


async def test_a_door_that_closes_counts_what_is_answered_and_not_yet_on_disk(tmp_path: Path) -> None:
    disk = FailingDisk()
    async with open_door(tmp_path / "data", AT_S, disk=disk) as door:
        with hanging(disk, RECOVERS_S):
            assert (await led(door, PATHS[0])).status == 302
    assert series(door.metrics.exposition()) == {"received": 1, "accepted": 1, "not_counted": 0}


# --- processes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One collector for the tests below; the last of them kills its workers."""
    stack = Stack(tmp_path_factory.mktemp("unavailable"))
    for number in range(12):
        follow(stack, PATHS[0], source=f"127.20.{number}.1")
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()


def test_while_the_warehouse_hangs_every_answer_is_right_and_all_is_counted_later(stack: Stack) -> None:
    plain = answers(stack)
    settle(stack)
    before = stack.counted("events_accepted")
    stack.kill("warehouse", signal.SIGSTOP)
    try:
        for path in islice(cycle(PATHS), 60):
            assert follow(stack, path) == plain[path]
    finally:
        stack.kill("warehouse", signal.SIGCONT)
    load(stack)
    assert stack.counted("events_accepted") == before + 60
    assert_counted_once(stack)


def test_a_reload_while_the_disk_hangs_loses_no_event_and_no_number(stack: Stack, tmp_path: Path) -> None:
    needs("strace")
    settle(stack)
    before = events_seen(stack)
    worker = stack.children("worker")[0]
    hang = ("-e", "trace=fdatasync", "-e", f"inject=fdatasync:delay_enter={HANGS_US}:when=1")
    with Strace(worker, tmp_path / "strace.log", *hang, all_threads=True) as strace:
        assert follow(stack, PATHS[0]).status == 302
        assert "fdatasync" not in "".join(line for line in strace.lines() if "resumed" in line or "= 0" in line)
        stack.reload()
        strace.ended = True
    assert worker not in stack.children()
    assert events_seen(stack) - before == {"received": 1, "accepted": 1, "accepted link_click": 1}
    assert_counted_once(stack)


def test_while_workers_are_killed_an_answer_is_right_or_none_and_what_is_answered_is_counted(stack: Stack) -> None:
    plain = answers(stack)
    load(stack)
    before = clicks(stack)
    killed: list[int] = []

    def send(number: int) -> list[Said]:
        said = [follow(stack, PATHS[0]) for _ in range(10)]
        while len(killed) < KILLS:
            said.append(follow(stack, PATHS[0]))
        return said

    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(send, number) for number in range(4)]
        while len(killed) < KILLS:
            eventually(lambda: bool(set(stack.children("worker")) - set(killed)), "there is a worker")
            eventually(lambda: follow(stack, "/healthz").status == 200, "it answers")
            killed.append(stack.kill("worker"))
        said = [each for future in sending for each in future.result()]
    answered = [each for each in said if each.status]
    assert answered == [plain[PATHS[0]]] * len(answered)
    eventually(lambda: follow(stack, "/healthz").status == 200, "there is a worker again")
    wait_at_rest(stack)
    assert len(answered) <= clicks(stack) - before <= len(said)


# --- how it is asked and read -----------------------------------------------------------------------------------------


def follow(stack: Stack, path: str, source: str = "127.0.0.1") -> Said:
    return say(stack.public, request(method="GET", path=path), source=source)


def answers(stack: Stack) -> dict[str, Said]:
    return {path: follow(stack, path) for path in PATHS}


def clicks(stack: Stack) -> int:
    answer = stack.ask("links", property="www.example.org", **today())
    events: int = answer["totals"]["events"]
    return events


def assert_counted_once(stack: Stack) -> None:
    """Received is accepted, refused and not counted; all that was accepted is in the database, and nothing else."""
    load(stack)
    counted = events_seen(stack)
    assert counted["received"] == counted["accepted"] + counted["refused"] + counted["not_counted"]
    assert stack.counted("events_loaded") == counted["accepted"]


async def led(door: OpenDoor, path: str) -> Said:
    address = door.url.removeprefix("http://")
    return await asyncio.to_thread(say, address, request(method="GET", path=path))


def seen(door: OpenDoor) -> dict[str, int]:
    """Events received, accepted and not counted, up to this moment."""
    door.tally.flush()
    return series(door.metrics.exposition())


def series(exposition: bytes) -> dict[str, int]:
    found = dict.fromkeys(("received", "accepted", "not_counted"), 0)
    for line in exposition.decode().splitlines():
        name, _, value = line.rpartition(" ")
        part = name.partition("{")[0].removeprefix("collector_events_").removesuffix("_total")
        if part in found and name.startswith("collector_events_"):
            found[part] += int(float(value))
    return found


@contextmanager
def hanging(disk: FailingDisk, recovers_s: float = 0) -> Iterator[None]:
    """No sync returns in the block, nor for so long after it; by a timer, for a spool that closes blocks the loop."""
    disk.hold.clear()
    try:
        yield
    finally:
        threading.Timer(recovers_s, disk.hold.set).start()


async def until(promise: Callable[[], bool], patience_s: float = 10) -> None:
    async with asyncio.timeout(patience_s):
        while not promise():  # noqa: ASYNC110 - what a thread of the spool does sets no event
            await asyncio.sleep(0.01)
