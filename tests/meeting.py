"""Two processes that mark the same callers in step: `python -m tests.meeting MEMORY_FD SHARED_FD` is the second one."""

from __future__ import annotations

import mmap
import random
import sys

from collector.catalogue.declarations import read_declarations
from collector.count.filter import DAY_S, SharedMemory
from collector.count.marks import VISITOR, Marks, Seeds
from collector.event import Event

CALLERS = 4_800
IN_STEP = 16  # callers between two waits for the other: nearly every one is met twice within microseconds
SHARED_BYTES = 16 + 2 * CALLERS
DAY = 20_000


def meet(memory_fd: int, shared_fd: int, who: int) -> memoryview:
    """Mark every caller, in step with the other process; which of them were new visitors here."""
    draw = random.Random(5)
    memory = SharedMemory(memory_fd)
    memory.tend(DAY * DAY_S + DAY_S / 2)
    memory.share()
    marks = Marks(read_declarations().layouts, memory)
    slot = marks.slot(DAY * 24)
    assert slot
    facts = (True, "/a", "(direct)", *("(unknown)",) * 3, "DE", "linux", "desktop", "firefox", "de")
    event = Event("page_hit", "www.example.org", DAY * 24, facts)
    turns = memoryview(mmap.mmap(shared_fd, SHARED_BYTES))[:16].cast("Q")
    found = found_by(shared_fd, who)
    for number in range(CALLERS):
        seeds = Seeds(draw.getrandbits(64), draw.getrandbits(64))
        if number % IN_STEP == 0:
            turns[who] = number + 1
            while turns[1 - who] <= number:
                pass
        found[number] = marks.of(event, seeds, slot) & VISITOR
        marks.release()
    turns[who] = CALLERS + 1
    while turns[1 - who] <= CALLERS:
        pass
    return found


def found_by(shared_fd: int, who: int) -> memoryview:
    """Per caller, whether that process found it new."""
    start = 16 + who * CALLERS
    return memoryview(mmap.mmap(shared_fd, SHARED_BYTES))[start : start + CALLERS]


if __name__ == "__main__":
    meet(int(sys.argv[1]), int(sys.argv[2]), who=1)
