"""What tests of the memory of event ids share: names, ids, a model of it in dicts, and what a kill leaves of it."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

from collector.spool.seen import Seen
from collector.spool.segment import Life, segment_name

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NOW_S = 1_800_000_000.0

Ids = dict[str, list[str | None]]


def name_of(number: int) -> str:
    """The name of a segment."""
    return segment_name(Life(0xABCDEF, 1), 0, number)


def id_of(number: int) -> str:
    """An event's id, in either case."""
    text = str(UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128))
    return text.upper() if number % 2 else text


class Model:
    """The memory as it is meant, in dicts: forgetting by age, then by limit, whole segments in the order they came."""

    def __init__(self, *, limit: int, keep_s: float) -> None:
        self.limit = limit
        self.keep_s = keep_s
        self.forgotten_early = 0
        self.number = 0
        self.numbers: dict[str, int] = {}
        self.met_s: dict[int, float] = {}
        self.owners: dict[str, int] = {}

    @property
    def size(self) -> int:
        return len(self.owners)

    def repeats(self, group: Ids, now_s: float) -> dict[str, set[int]]:
        for number in sorted(self.met_s):
            if self.met_s[number] + self.keep_s <= now_s:
                self.forget(number)
        asked = {name: [id_ and id_.lower() for id_ in ids] for name, ids in group.items() if any(ids)}
        numbers = {name: self.numbers.get(name) or self.next() for name in asked}
        for name, id_ in [(name, id_) for name, ids in asked.items() for id_ in ids if id_]:
            if id_ not in self.owners:
                self.owners[id_] = self.numbers[name] = numbers[name]
                self.met_s.setdefault(numbers[name], now_s)
        repeats: dict[str, set[int]] = {name: set() for name in group}
        for name, ids in asked.items():
            own = [id_ if id_ and self.owners[id_] == numbers[name] else None for id_ in ids]
            repeats[name] = {at for at, id_ in enumerate(ids) if id_ and (own[at] is None or id_ in own[:at])}
        for number in sorted(self.met_s):
            if numbers and number < min(numbers.values()) and self.size > self.limit:
                self.forgotten_early += self.forget(number)
        return repeats

    def next(self) -> int:
        self.number += 1
        return self.number

    def forget(self, number: int) -> int:
        gone = [id_ for id_, owner in self.owners.items() if owner == number]
        for id_ in gone:
            del self.owners[id_]
        self.numbers = {name: known for name, known in self.numbers.items() if known != number}
        del self.met_s[number]
        return len(gone)


def left_by_a_kill(seen: Seen, folder: Path, to: Path) -> Seen:
    """The memory as the next process finds it, in another folder: a kill leaves the files as they are while open."""
    for file in folder.iterdir():
        shutil.copy(file, to)
    seen.close()
    return Seen(to / "ids.sqlite")


def held_in(path: Path, ids: list[str | None]) -> int:
    """How many of these ids' hashes stand in the file, as SQLite writes a whole number of 64 bits."""
    data = path.read_bytes()
    runs = {data[at : at + 9] for at in range(len(data) - 8) if data[at] > 0x7F}
    return sum(_written(id_) in runs for id_ in ids if id_)


def _written(id_: str) -> bytes:
    number = int.from_bytes(blake2b(id_.lower().encode(), digest_size=8).digest(), "big")
    return bytes([number >> shift & 0x7F | 0x80 for shift in range(57, 7, -7)] + [number & 0xFF])


def group_of(number: int) -> Ids:
    """One segment with two thousand ids that no other group has."""
    return {name_of(number): [id_of(number * 2000 + each) for each in range(2000)]}
