"""A process that makes seeds and marks, waits, lets go of them, and waits: `python -m tests.deriving MEMORY_FD`.

It does nothing else in between, so that what hashing left behind is not overwritten by accident. One line of input
lets it go on, one of output says that it did.
"""

from __future__ import annotations

import sys

from collector.catalogue.declarations import read_declarations
from collector.count.filter import SharedMemory
from collector.count.marks import Marks, Seeds
from tests.naming import DAY, caps_in, hit


def derive(marks: Marks, memory: SharedMemory) -> None:
    """Count events of many callers in many cells."""
    slot, caps = memory.slot(DAY), caps_in(memory)
    assert slot
    for number in range(2000):
        seeds = Seeds(slot.seed(number.to_bytes(4, "big")), slot.seed(number.to_bytes(3, "big")))
        marks.of(caps.capped(hit(f"/{number}")), seeds, slot)


def main(memory_fd: int) -> None:
    memory = SharedMemory(memory_fd)
    marks = Marks(read_declarations().layouts, memory)
    derive(marks, memory)
    sys.stdout.write("derived\n")
    sys.stdout.flush()
    sys.stdin.readline()
    marks.forget()
    sys.stdout.write("forgot\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main(int(sys.argv[1]))
