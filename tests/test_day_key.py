"""A day's key: in memory only, left out of dumps, known to those that count, and gone in time with all made of it."""

from __future__ import annotations

import gc
import hashlib
import os
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.catalogue.declarations import read_declarations
from collector.count.filter import DAY_S, KEY_DIES_AFTER_S, WORDS, SharedMemory
from collector.count.marks import Marks, Seeds
from tests.counting import today
from tests.engine_choice import needs_embedded
from tests.key_search import (
    NAME,
    compressed,
    epoch_fds,
    epoch_memory,
    found_in_memory,
    mappings,
    spellings,
    state_after,
    words_of,
)
from tests.naming import DAY, hit
from tests.stack import Stack, eventually
from tests.stepped_serve import CLOCK

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
TEND_S = 31.0
CONFIG = """
trusted_proxies = ["127.0.0.0/8"]
[[site]]
id = "www.example.org"
hosts = ["www.example.org"]
routes = ["/**"]
"""


def key_of(memory: SharedMemory, day: int) -> bytes:
    slot = memory.slot(day)
    assert slot
    return bytes(slot.key)


def day_now() -> int:
    return int(time.time()) // DAY_S


def send(stack: Stack, hits: int, network: int = 1) -> None:
    """From as many callers, in many cells."""
    for number in range(hits):
        caller = {"X-Forwarded-For": f"198.51.{network}.{number % 250}"}
        event = HIT | {"url": f"{HIT['url']}{number % 7}", "referrer": f"https://news{number % 7}.example.com/"}
        assert stack.post(event, caller).status in (200, 204)


def test_the_search_knows_what_a_key_leads_to() -> None:
    key, text = os.urandom(32), b"an address"
    for size, person in ((8, b""), (16, b"open value"), (48, b"")):
        last = compressed(state_after(key, size, person), text.ljust(128, b"\0"), 128 + len(text), last=True)
        digest = hashlib.blake2b(text, digest_size=size, key=key, person=person).digest()
        assert struct.pack("<8Q", *last)[:size] == digest


def test_a_key_is_in_the_memory_of_those_that_count_and_left_out_of_their_dumps(stack: Stack) -> None:
    send(stack, 20)
    key = key_of(epoch_memory(stack.process.pid), day_now())
    for pid in (stack.process.pid, *stack.children("worker")):
        flags = [flags for name, _, _, flags in mappings(pid) if name.startswith(NAME)]
        assert flags
        assert all("dd" in each for each in flags)
        assert found_in_memory(pid, [key]) == {next(name for name, *_ in mappings(pid) if name.startswith(NAME))}
    (warehouse,) = stack.children("warehouse")
    assert epoch_fds(warehouse) == []
    assert not [name for name, *_ in mappings(warehouse) if name.startswith(NAME)]


@needs_embedded
def test_a_key_is_in_no_file_argument_environment_or_log(stack: Stack, tmp_path: Path) -> None:
    send(stack, 20)
    stack.wait_loaded(20)
    key = key_of(epoch_memory(stack.process.pid), day_now())

    def written() -> set[str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        files += [
            Path(f"/proc/{pid}/{name}")
            for pid in (stack.process.pid, *stack.children())
            for name in ("cmdline", "environ")
        ]
        assert stack.log_file in files
        assert len(files) > 20
        return {str(path) for path in files for form in spellings(key) if form in path.read_bytes()}

    assert written() == set()
    for number, form in enumerate(spellings(key)):
        (tmp_path / f"planted{number}").write_bytes(b"..." + form)
    assert len(written()) == len(spellings(key))


def test_what_a_worker_made_of_a_key_goes_when_the_key_is_gone() -> None:
    memory = SharedMemory.create(epoch=1)
    memory.tend(DAY * DAY_S)
    tracemalloc.start()
    try:
        marks = Marks(read_declarations().layouts, memory)
        slot = memory.slot(DAY)
        assert slot
        kept = [held_by_marks()]
        for number in range(2000):
            seed = slot.seed(number.to_bytes(4, "big"))
            marks.of(hit(f"/{number}"), Seeds(seed, seed), slot)
        kept.append(held_by_marks())
        marks.forget()
        kept.append(held_by_marks())
        memory.tend((DAY + 1) * DAY_S + KEY_DIES_AFTER_S)
        marks.forget()
        kept.append(held_by_marks())
    finally:
        tracemalloc.stop()
    assert kept[2] == pytest.approx(kept[1], rel=0.01)
    assert kept[1] > kept[0] + 500_000
    assert kept[3] < kept[0] + 2_000


def test_hashing_leaves_nothing_of_a_dead_key_in_memory_nor_on_the_stack() -> None:
    """Where it did leave something, the search finds it before (Python 3.11 on Linux: on the stack)."""
    memory = SharedMemory.create(epoch=1)
    memory.tend(DAY * DAY_S)
    words = words_of(key_of(memory, DAY))
    command = [sys.executable, "-m", "tests.deriving", str(memory.fd)]
    with subprocess.Popen(
        command, pass_fds=(memory.fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "derived\n"
        assert any(name.startswith(NAME) for name in found_in_memory(process.pid, words))
        memory.tend((DAY + 1) * DAY_S + KEY_DIES_AFTER_S)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "forgot\n"
        assert found_in_memory(process.pid, words) == set()
        process.stdin.write("\n")


def held_by_marks() -> int:
    """Bytes of what the module of marks made and still holds."""
    gc.collect()  # Python keeps empty tuples for their next use until then
    filters = [tracemalloc.Filter(True, "*/count/marks.py")]  # noqa: FBT003 - takes no keywords
    return sum(each.size for each in tracemalloc.take_snapshot().filter_traces(filters).traces)


@pytest.mark.slow
def test_a_key_is_destroyed_on_time_and_nothing_that_stands_for_it_is_left_in_any_process(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    day = day_now()
    clock = tmp_path / "clock"
    clock.write_text(str(day * DAY_S + 1800), "ascii")
    stack = start_stack(program="tests.stepped_serve", config=CONFIG, environ={CLOCK: str(clock)})
    memory = epoch_memory(stack.process.pid)
    assert memory.slot(day + 1) is None
    key = key_of(memory, day)
    words = words_of(key)
    send(stack, 300)
    stack.wait_loaded(300)
    (worker,) = stack.children("worker")
    assert found_in_memory(worker, words)  # what the search is for

    fill(memory, day)
    clock.write_text(str((day + 1) * DAY_S + KEY_DIES_AFTER_S), "ascii")
    eventually(lambda: memory.slot(day) is None, "the key is dead", TEND_S)
    assert stack.said("over capacity") == 1
    assert key_of(memory, day + 1) != key
    eventually(lambda: filled(stack) == 0, "the worker let go of what it had made", TEND_S)
    assert (stack.children("worker"), key) == ([worker], key)
    for pid in (stack.process.pid, worker):
        assert found_in_memory(pid, words) == set()

    before = stack.ask("traffic", property="www.example.org", **today())["totals"]
    send(stack, 5, network=2)
    stack.wait_loaded(305)
    after = stack.ask("traffic", property="www.example.org", **today())["totals"]
    assert after["events"] - before["events"] == 5
    assert after["visitors"] == before["visitors"] == 250
    assert found_in_memory(worker, words) == set()


def fill(memory: SharedMemory, day: int) -> None:
    """Set as many bits as more tokens than the capacity would."""
    slot = memory.slot(day)
    assert slot
    for place in range(0, WORDS, WORDS // 4096):
        slot.words[place] = (1 << 12) - 1
    assert slot.is_over_capacity()


def filled(stack: Stack) -> float:
    return stack.metrics()['collector_filter_fill_ratio{day="today"}']
