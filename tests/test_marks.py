"""The filter and the marks: new once a day, per cell, and gone with the day's key."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from collector.catalogue.declarations import read_declarations
from collector.count.cells import Cells
from collector.count.filter import (
    CAPACITY,
    DAY_S,
    FILL_AT_CAPACITY,
    KEY_DIES_AFTER_S,
    MAX_ERROR,
    WORD_BITS,
    WORDS,
    DaySlot,
    SharedMemory,
)
from collector.count.marks import FIRST, NETWORK, VISITOR, Marks, Seeds, is_new
from collector.event import Event, Fact
from tests.meeting import CALLERS, SHARED_BYTES, found_by, meet

LAYOUTS = read_declarations().layouts
DAY = 20_000
NOON_S = DAY * DAY_S + DAY_S / 2


def hit(path: str, country: str = "DE", *, day: int = DAY, hour: int = 12) -> Event:
    facts: tuple[Fact, ...] = (
        True,
        path,
        "(direct)",
        *("(unknown)",) * 3,
        country,
        "linux",
        "desktop",
        "firefox",
        "de",
    )
    return Event("page_hit", "www.example.org", day * 24 + hour, facts)


def new_marks(now_s: float = NOON_S) -> tuple[Marks, SharedMemory]:
    memory = SharedMemory.create(epoch=1)
    memory.tend(now_s)
    return Marks(LAYOUTS, memory), memory


def of(marks: Marks, event: Event, visitor: bytes, network: bytes) -> dict[str, int]:
    """The marks of an event by report."""
    slot = marks.slot(event.hour)
    assert slot
    number = marks.of(event, Seeds(slot.seed(visitor), slot.seed(network)), slot)
    return {line.report.name: number >> 3 * index & 7 for index, line in enumerate(LAYOUTS["page_hit"].lines)}


def test_a_caller_is_new_to_a_cell_once_a_day_whatever_the_hour() -> None:
    marks, _ = new_marks()
    first = of(marks, hit("/a", hour=3), b"v", b"n")
    assert first["traffic"] == first["pages"] == first["countries"] == VISITOR | NETWORK | FIRST
    assert not any(of(marks, hit("/a", hour=9), b"v", b"n").values())


def test_another_visitor_of_a_known_network_is_a_visitor_only() -> None:
    marks, _ = new_marks()
    of(marks, hit("/a"), b"v", b"n")
    assert of(marks, hit("/a"), b"w", b"n")["pages"] == VISITOR


def test_a_network_meets_a_report_for_the_first_time_in_one_cell_only() -> None:
    marks, _ = new_marks()
    of(marks, hit("/a"), b"v", b"n")
    assert of(marks, hit("/b"), b"v", b"n")["pages"] == VISITOR | NETWORK


def test_lines_an_event_does_not_touch_have_no_marks() -> None:
    marks, _ = new_marks()
    assert of(marks, hit("/a"), b"v", b"n")["campaigns"] == 0


def test_two_processes_share_one_filter() -> None:
    marks, memory = new_marks()
    other = Marks(LAYOUTS, SharedMemory(os.dup(memory.fd)))
    of(marks, hit("/a"), b"v", b"n")
    assert not any(of(other, hit("/a"), b"v", b"n").values())


def test_two_processes_that_meet_a_caller_at_once_find_it_new_once() -> None:
    _, memory = new_marks()
    shared = os.memfd_create("meeting")
    os.ftruncate(shared, SHARED_BYTES)
    other = subprocess.Popen(  # not a fork: the engine may be in this process
        [sys.executable, "-m", "tests.meeting", str(memory.fd), str(shared)], pass_fds=(memory.fd, shared)
    )
    mine, others = meet(os.dup(memory.fd), shared, who=0), found_by(shared, who=1)
    assert other.wait() == 0
    assert not any(found and again for found, again in zip(mine, others, strict=True))
    assert sum(found or again for found, again in zip(mine, others, strict=True)) > 0.99 * CALLERS


def test_the_filter_is_left_out_of_core_dumps() -> None:
    _, memory = new_marks()
    maps = Path("/proc/self/smaps").read_text("utf-8").split("VmFlags:")
    of_epoch = [flags for before, flags in itertools.pairwise(maps) if "collector-epoch" in before]
    assert memory.epoch == 1
    assert of_epoch
    assert all(" dd" in flags.splitlines()[0] for flags in of_epoch)


def test_yesterdays_key_dies_within_an_hour_of_midnight() -> None:
    marks, memory = new_marks()
    midnight_s = (DAY + 1) * DAY_S
    old_key = bytes(memory_slot(memory, DAY).key)
    memory.tend(midnight_s + 1)
    assert bytes(memory_slot(memory, DAY).key) == old_key
    memory.tend(midnight_s + KEY_DIES_AFTER_S)
    assert memory.slot(DAY) is None
    assert marks.slot(DAY * 24) is None
    assert old_key not in os.pread(memory.fd, 4096 * 3, 0)


def test_a_day_gets_a_key_of_its_own_and_an_empty_filter() -> None:
    marks, memory = new_marks()
    of(marks, hit("/a"), b"v", b"n")
    keys = {bytes(memory_slot(memory, DAY).key)}
    for day in range(DAY + 1, DAY + 5):
        memory.tend(day * DAY_S + DAY_S / 2)
        keys.add(bytes(memory_slot(memory, day).key))
        assert memory_slot(memory, day).fill_ratio() == 0
        assert of(marks, hit("/a", day=day), b"v", b"n")["pages"] == VISITOR | NETWORK | FIRST
    assert len(keys) == 5


@pytest.mark.parametrize("hours_back", [3, 26, 24 * 20])
def test_no_network_counts_twice_in_an_epoch_when_the_clock_is_set_back(hours_back: int) -> None:
    marks, memory = new_marks()
    ahead_s = DAY * DAY_S + hours_back * 3600 + DAY_S * 23 / 24
    assert of(marks, hit("/a"), b"v", b"n")["pages"] == VISITOR | NETWORK | FIRST
    memory.tend(ahead_s)
    assert memory.slot(DAY) is None
    memory.tend(ahead_s - hours_back * 3600)
    assert marks.slot(DAY * 24) is None
    if memory.slot(DAY + 1) is None:
        memory.tend((DAY + 1) * DAY_S + DAY_S / 2)
    assert memory_slot(memory, DAY + 1).day == DAY + 1


def test_a_day_that_was_only_prepared_gets_its_key_when_it_comes() -> None:
    marks, memory = new_marks()
    assert memory.slot(DAY + 1)
    memory.tend(NOON_S - DAY_S)
    assert memory.slot(DAY - 1)
    assert memory.slot(DAY + 1) is None
    memory.tend(NOON_S + DAY_S)
    assert of(marks, hit("/a", day=DAY + 1), b"v", b"n")["pages"] == VISITOR | NETWORK | FIRST


def test_a_worker_never_gets_a_segment_number_twice_in_an_epoch() -> None:
    memory = SharedMemory.create(epoch=3)
    numbers = [SharedMemory(os.dup(memory.fd)).next_sequence(2) for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert memory.epoch == 3
    assert memory.next_sequence(0) == 1


def test_a_mark_errs_low_and_in_at_most_three_of_a_thousand_cases_at_capacity() -> None:
    """One word in 64 is filled as it would be then, by the code that fills it, and its error is what is shown."""
    words = memory_slot(new_marks()[1], DAY).words
    draw = random.Random(1)

    def total() -> int:  # a sum whose token falls into the part that is filled
        return (draw.getrandbits(WORD_BITS - 6) << 24 | draw.getrandbits(24)) << 80

    for _ in range(CAPACITY // 64):
        is_new(total(), words)
    before = words[: len(words) // 64].tolist()
    trials = 50_000
    wrong = 0
    for _ in range(trials):
        probe = total()
        wrong += not is_new(probe, words)
        at = probe >> 104
        words[at] = before[at]
    assert 0 < wrong / trials < MAX_ERROR
    shown = DaySlot(DAY, memoryview(b""), words[: len(words) // 64])
    assert wrong / trials == pytest.approx(shown.error_ratio(), rel=0.3)
    assert shown.fill_ratio() == pytest.approx(FILL_AT_CAPACITY, rel=0.04)


def test_a_filter_is_over_capacity_when_more_tokens_than_declared_were_met() -> None:
    slot, draw = memory_slot(new_marks()[1], DAY), random.Random(3)
    sampled = range(0, WORDS, WORDS // 4096)
    for tokens in (0.9, 0.2):  # of those at capacity
        assert not slot.is_over_capacity()
        for _ in range(int(tokens * CAPACITY / WORDS * len(sampled))):
            is_new((draw.choice(sampled) << 24 | draw.getrandbits(24)) << 80, slot.words)
    assert slot.is_over_capacity()
    assert slot.error_ratio() < MAX_ERROR


def test_marks_add_up_to_the_distinct_callers_of_every_cell() -> None:
    marks, _ = new_marks()
    cells = Cells(LAYOUTS)
    draw = random.Random(2)
    seen: dict[tuple[str, str], set[tuple[bytes, bytes]]] = {}
    hits: Counter[str] = Counter()
    for _ in range(5_000):
        event = hit(f"/{draw.randrange(20)}", draw.choice(["DE", "FR", "US"]), hour=draw.randrange(24))
        network = draw.randrange(200).to_bytes(2, "big")
        visitor = network + draw.randrange(3).to_bytes(1, "big")
        slot = memory_slot_of(marks, event)
        cells.add(event, marks.of(event, Seeds(slot.seed(visitor), slot.seed(network)), slot), epoch=1)
        for report, value in (("pages", str(event.facts[1])), ("countries", str(event.facts[6])), ("traffic", "")):
            seen.setdefault((report, value), set()).add((visitor, network))
        hits[str(event.facts[1])] += 1
    counted: dict[tuple[str, str], Counter[str]] = {}
    for key, counters in cells.days()[DAY].items():
        if key.report in ("pages", "countries", "traffic"):
            total = counted.setdefault((key.report, "".join(key.values)), Counter())
            total.update(visitors=counters.visitors, networks=counters.networks, events=counters.events)
    for cell, callers in seen.items():
        assert abs(counted[cell]["visitors"] - len({visitor for visitor, _ in callers})) <= 1
        assert abs(counted[cell]["networks"] - len({network for _, network in callers})) <= 1
    assert {key[1]: total["events"] for key, total in counted.items() if key[0] == "pages"} == hits
    firsts = sum(counters.firsts for key, counters in cells.days()[DAY].items() if key.report == "pages")
    assert abs(firsts - len({network for callers in seen.values() for _, network in callers})) <= 1


def memory_slot(memory: SharedMemory, day: int) -> DaySlot:
    slot = memory.slot(day)
    assert slot
    return slot


def memory_slot_of(marks: Marks, event: Event) -> DaySlot:
    slot = marks.slot(event.hour)
    assert slot
    return slot
