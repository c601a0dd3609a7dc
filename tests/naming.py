"""Several processes that name values in step: `python -m tests.naming MEMORY_FD SHARED_FD WHO` is one of them."""

from __future__ import annotations

import mmap
import os
import random
import sys

from collector.catalogue.declarations import read_declarations
from collector.cell import OTHER, UNKNOWN
from collector.count.caps import Caps
from collector.count.filter import SharedMemory
from collector.event import Event, Fact

DAY = 20_000
CAP = 300
PROCESSES = 3
VALUES = 900
STEPS = 3_000
IN_STEP = 10  # values between two waits for the others
SITE = "www.example.org"
SHARED_BYTES = 64 + PROCESSES * VALUES

LAYOUT = read_declarations().layouts["page_hit"]
PATH = LAYOUT.facts.index("path")


def hit(path: str, told: dict[str, Fact] | None = None, *, day: int = DAY, site: str = SITE) -> Event:
    """A page hit that says nothing but its path, unless told more."""
    known = {**(told or {}), "path": path}
    facts = tuple(
        known.get(name, UNKNOWN if role == "bucket" else False)
        for name, role in zip(LAYOUT.facts, LAYOUT.roles, strict=True)
    )
    return Event("page_hit", site, day * 24 + 12, facts)


def caps_in(memory: SharedMemory, cap: int = CAP) -> Caps:
    return Caps(read_declarations().layouts, cap, memory)


def path_of(event: Event) -> str:
    return str(event.facts[PATH])


def name_in_step(memory_fd: int, shared_fd: int, who: int) -> None:
    """Name values at random, many of them those that the others name at the same moment; begin anew now and then."""
    memory = SharedMemory(memory_fd)
    common, own = random.Random(7), random.Random(100 + who)
    turns = memoryview(mmap.mmap(shared_fd, SHARED_BYTES))[:64].cast("Q")
    named = named_by(shared_fd, who)
    caps = caps_in(memory)
    for number in range(STEPS):
        if number % IN_STEP == 0:
            turns[who] = number + 1
            while min(turns[:PROCESSES]) <= number:
                os.sched_yield()
        if number % 500 == 499:
            caps = caps_in(memory)  # as after a restart: nothing is remembered
        value = (common if number % 2 else own).randrange(VALUES)
        if path_of(caps.capped(hit(f"/{value}"))) != OTHER:
            named[value] = 1
    turns[who] = STEPS + 1


def named_by(shared_fd: int, who: int) -> memoryview:
    """Per value, whether that process ever named it."""
    start = 64 + who * VALUES
    return memoryview(mmap.mmap(shared_fd, SHARED_BYTES))[start : start + VALUES]


if __name__ == "__main__":
    name_in_step(*map(int, sys.argv[1:]))
