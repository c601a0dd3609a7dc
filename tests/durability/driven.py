"""The chain (chain.py) as a process to send groups of events through, kill and start again; keeps what it was told.

It knows for every group what was acknowledged, what refused, and what neither, and what the table says about each.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.durability.chain import APPENDS, NODE, events_of, pages_of
from tests.loading import Place

ANSWER_S = 60.0
DEAD_EPOCH = 1_000_000  # of the dead worker's segments: they come after those of the chain every time
CHECKOUT = Path(__file__).parents[2]


@dataclass
class Group:
    """The events of one run of the chain, by what their senders know."""

    number: int
    pages: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class Driven:
    """Chains on one DATA, one after the other."""

    def __init__(self, data: Path, package: Path = CHECKOUT) -> None:
        self.data = data
        self.groups: list[Group] = []
        self.starts = 0
        self.pid = 0
        self._place = Place(data, node=NODE)
        self._package = package
        self.start()

    def start(self) -> bool:
        """A new chain on the same DATA; whether nothing waits there any more once it has begun."""
        self.starts += 1
        here, there = socket.socketpair()
        here.settimeout(ANSWER_S)
        with there:
            command = [sys.executable, "-m", "tests.durability.chain", str(self.data), str(self.starts)]
            environment = os.environ | {"PYTHONHASHSEED": "0"}  # sets are walked in the same order every time
            self._process = subprocess.Popen(
                [*command, str(there.fileno())], cwd=self._package, pass_fds=[there.fileno()], env=environment
            )
        self._socket = here
        self._lines = here.makefile("rwb")
        begun = self._answer()
        if begun is None:
            raise RuntimeError(f"the chain does not start: exit code {self.stop()}")
        self.pid = begun["pid"]
        return bool(begun["settled"])

    def stop(self) -> int:
        """End the chain if it has not ended yet; its exit code."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        return self._process.wait(ANSWER_S)

    def prepare(self) -> Group:
        """The next group, with the segment of a worker that died while it wrote: two events and a torn write."""
        group = Group(len(self.groups))
        self.groups.append(group)
        events = events_of(group.number, "dead")
        path = self._place.write([(event, 0) for event in events], worker=1, epoch=DEAD_EPOCH, closed=False)
        with path.open("ab") as file:
            file.write(b"CLF1 torn")
        group.acknowledged.update(pages_of(events))
        group.pages.update(group.acknowledged)
        for number in range(APPENDS):
            group.pages.update(pages_of(events_of(group.number, f"worker{number}")))
        return group

    def run(self, group: Group) -> bool | None:
        """Send a group through: whether nothing waits on disk afterwards, or None if the chain died of it."""
        self._ask(group=group.number)
        while said := self._answer():
            group.acknowledged.update(said.get("acknowledged", ()))
            group.refused.update(said.get("refused", ()))
            if "settled" in said:
                return bool(said["settled"])
        return None

    def wrong(self, *groups: Group) -> tuple[int, int]:
        """How many events of these groups are lost and how often too often counted, by the table as it is now."""
        self._ask(ask=f"/{groups[0].number}/" if len(groups) == 1 else "/")
        answer = self._answer()
        if answer is None:
            raise RuntimeError(f"the chain died of a question: exit code {self.stop()}")
        counts = answer["counts"]
        lost = doubled = 0
        for group in groups:
            lost += sum(counts.get(page, 0) < 1 for page in group.acknowledged)
            doubled += sum(max(0, counts.get(page, 0) - (page not in group.refused)) for page in group.pages)
        return lost, doubled

    def _ask(self, **request: object) -> None:
        self._lines.write(orjson.dumps(request) + b"\n")
        self._lines.flush()

    def _answer(self) -> dict[str, Any] | None:
        """The next line, or None where the chain has ended."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            return None
        answer: dict[str, Any] | None = orjson.loads(line) if line else None
        return answer
