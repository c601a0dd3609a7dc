"""Traffic of two days whose every event is known: who sent it, where, when; counted into a warehouse in memory.

Marks are what the door makes (count/marks.py), from exact sets in place of its filter. Each event is counted as a bit
of its own, not as 1: the number in any row of any answer, or difference of two, then says exactly whose events it is.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.catalogue.reports import Report
from collector.cell import UNKNOWN, Counters
from tests.memory_reading import DAY_S, OTHER_SITE, PLAYER, SITE, MemoryReading
from tests.stats_desk import declared

LARGE, SMALL = SITE, OTHER_SITE
NODES = {LARGE: (1, 2), SMALL: (1,), PLAYER: (1,)}

Values = tuple[str, ...]
Cell = tuple[int, Values, int, int, Counters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One event, `at` seconds since 1970-01-01."""

    at: int
    node: int
    property: str
    kind: str
    facts: dict[str, Any]
    visitor: object
    network: object


@dataclass(slots=True)
class KnownReading(MemoryReading):
    """The warehouse; `networks` says of every bit whose event it is. It is asked often: bounds are kept."""

    networks: list[object] = field(default_factory=list)
    epoch: int = 1
    _parts: defaultdict[tuple[str, str], defaultdict[int, dict[tuple[int, Values, int, int], Counters]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    _bounds: defaultdict[str, dict[tuple[int, int, str, int], tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _cell_networks: defaultdict[tuple[object, ...], int] = field(default_factory=lambda: defaultdict(int))
    _marked: set[tuple[object, ...]] = field(default_factory=set)

    def count(self, sent: Sent) -> None:
        """Add an event to every cell it enters."""
        bit = 1 << len(self.networks)
        self.networks.append(sent.network)
        layout = declared().layouts[sent.kind]
        facts = tuple(sent.facts.get(name, UNKNOWN) for name in layout.facts)
        for line in layout.lines:
            if line.touches(facts):
                events, amount = line.increments(facts)
                self._count(line.report, line.values(facts), Counters(events=bit * events, amount=bit * amount), sent)

    def people_behind(self, events: int) -> set[object]:
        """The networks these events came from."""
        found = set()
        while events:
            lowest = events & -events
            found.add(self.networks[lowest.bit_length() - 1])
            events ^= lowest
        return found

    def cells(self, report: Report, property_id: str, from_day: int, to_day: int) -> list[Cell]:
        parts = self._parts[report.name, property_id]
        return [
            (*place, counters)
            for day in range(from_day, to_day + 1)
            if day in parts
            for place, counters in parts[day].items()
        ]

    def bounds(self, property_id: str, from_day: int, to_day: int) -> list[tuple[int, int, str, int, int, int]]:
        return [(*key, *both) for key, both in self._bounds[property_id].items() if from_day <= key[0] <= to_day]

    def _count(self, report: Report, values: Values, counters: Counters, sent: Sent) -> None:
        day = sent.at // DAY_S
        bucket = sent.at // 3_600 * 3_600 if report.grain == "hour" else day * DAY_S
        whose = self.epoch, sent.node, report.name, sent.property, day
        if report.visitors:
            counters.visitors = self._new("visitor", *whose, values, sent.visitor)
        counters.networks = self._new("network", *whose, values, sent.network)
        counters.firsts = self._new("first", *whose, sent.network)
        cells = self._parts[report.name, sent.property][day]
        cells.setdefault((bucket, values, sent.node, self.epoch), Counters()).add(counters)
        cell = *whose, values
        self._cell_networks[cell] += counters.networks
        key = day, sent.node, report.name, self.epoch
        largest, firsts = self._bounds[sent.property].get(key, (0, 0))
        self._bounds[sent.property][key] = max(largest, self._cell_networks[cell]), firsts + counters.firsts

    def _new(self, *token: object) -> int:
        if token in self._marked:
            return 0
        self._marked.add(token)
        return 1


def traffic(seed: int, day: int, people: dict[str, int]) -> list[Sent]:
    """A day's events in their order: so many people at each property, with skewed countries, sources, platforms."""
    dice = random.Random(seed)
    sent: list[Sent] = []
    for property_id, count in people.items():
        sends = _installation if property_id == PLAYER else _visit
        for person in range(count):
            node = dice.choice(NODES[property_id])  # a balancer keeps a client on one
            network = f"{property_id} {seed} {node} {person if dice.random() < 0.8 else person // 3}"
            begins = day * DAY_S + int(dice.betavariate(2, 2) * (DAY_S - 2_000))
            for after, kind, facts in sends(dice):
                sent.append(
                    Sent(
                        at=begins + after,
                        node=node,
                        property=property_id,
                        kind=kind,
                        facts=facts,
                        visitor=f"{property_id} {person}",
                        network=network,
                    )
                )
    return sorted(sent, key=lambda one: one.at)


Step = tuple[int, str, dict[str, Any]]


def _visit(dice: random.Random) -> Iterator[Step]:
    sender = {
        "country": _zipf(dice, "country", 40),
        "os": _zipf(dice, "os", 5),
        "device": _zipf(dice, "device", 3),
        "browser": _zipf(dice, "browser", 6),
        "language": _zipf(dice, "language", 20),
    }
    campaign = {f"utm_{name}": _zipf(dice, name, 4) for name in ("source", "medium", "campaign")}
    source = _zipf(dice, "source", 60)
    for hit in range(dice.choice([1, 1, 1, 2, 4])):
        came = {"entry": True, "source": source, **(campaign if dice.random() < 0.3 else {})} if not hit else {}
        yield hit * 40, "page_hit", {"entry": False, "path": _zipf(dice, "/", 30), **sender, **came}


def _installation(dice: random.Random) -> Iterator[Step]:
    sender = {
        "version": _zipf(dice, "version", 2),
        "channel": "stable",
        "os": _zipf(dice, "os", 4),
        "arch": _zipf(dice, "arch", 3),
        "country": _zipf(dice, "country", 15),
        "age": _zipf(dice, "age", 5),
    }
    yield 0, "update_check", {"first": _zipf(dice, "first", 3), **sender}
    if dice.random() < 0.4:
        yield 60, "install", {"outcome": "ok", **sender}
    if dice.random() < 0.4:
        yield 120, "uninstall", {"reason": "other", **sender}


def _zipf(dice: random.Random, name: str, values: int) -> str:
    return f"{name}{min(values - 1, int(dice.paretovariate(0.9)) - 1)}"
