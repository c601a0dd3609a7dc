"""Random days that grow, every event of which is known, and what states of one must not tell.

Every event adds a bit of its own as its amount, so the amount of any row, sum or difference says exactly whose events
are in it: whoever holds these answers knows as much as an attacker could.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from collector.cell import OTHER, Counters
from collector.fold import Entry, Row

K = 10
DIMENSIONS = 3

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day's cells at every look at them, and the network of every event (by its bit)."""

    theirs: int
    looks: list[list[Entry]]
    networks: list[int]

    @property
    def ours(self) -> int:
        return DIMENSIONS - self.theirs

    def crowd_of(self, events: int) -> int:
        """How many networks stand behind these events."""
        return len({self.networks[bit] for bit in bits(events & ((1 << len(self.networks)) - 1))})


def bits(events: int) -> Iterator[int]:
    while events:
        lowest = events & -events
        yield lowest.bit_length() - 1
        events ^= lowest


def random_day(seed: int) -> Day:
    """A table that grows, with skewed values and lost marks, over restarts; looked at after random increments."""
    dice = random.Random(seed)
    theirs = dice.randint(1, DIMENSIONS)
    people = int(2 ** dice.uniform(4, 8))
    skew = dice.choice([1.0, 2.0, 4.0])
    lost = dice.choice([0.0, 0.0, 0.02])
    vocabularies = [
        [f"v{n}" for n in range(dice.choice([1, 1, 2] if place < DIMENSIONS - theirs else [1, 2, 3, 8]))]
        + dice.choice([[], [], [OTHER]])
        for place in range(DIMENSIONS)
    ]
    shared = dice.choice([1, 1, 3])
    restart = dice.choice([0.0, 0.0, 0.2])
    epoch = 0
    cells: dict[tuple[Values, int], Counters] = {}
    marked: set[tuple[object, ...]] = set()
    networks: list[int] = []
    looks: list[list[Entry]] = []

    def new(*token: object) -> int:
        if token in marked:
            return 0
        marked.add(token)
        return 1

    for _ in range(dice.randint(2, 12)):
        epoch += dice.random() < restart
        for _ in range(int(people * dice.uniform(0, 0.6))):
            person = dice.randrange(people)
            values = tuple(words[int(dice.random() ** skew * len(words))] for words in vocabularies)
            counters = Counters(events=1, amount=1 << len(networks))
            networks.append(person // shared)
            if dice.random() >= lost:
                counters.visitors = new("visitor", epoch, person, values)
                counters.networks = new("network", epoch, networks[-1], values)
                counters.firsts = new("first", epoch, networks[-1])
            cells.setdefault((values, epoch), Counters()).add(counters)
        looks.append([(values, at, replace(counters)) for (values, at), counters in cells.items()])
    return Day(theirs=theirs, looks=looks, networks=networks)


def broken_promises(day: Day, states: list[list[Row]]) -> list[str]:
    """Every set of events under k networks about which any state, or the difference of any two, tells theirs.

    A sum that leaves out what is told by ours only may be compared at any two times. One that holds it says "none of
    those that are named" just when something was named: then, and until the next time, it may be compared, too.
    """
    broken = [
        f"total at {at}"
        for at, (rows, entries) in enumerate(zip(states, [*day.looks, day.looks[-1]], strict=True))
        if sum_of(rows) != sum(counters.amount for _, _, counters in entries)
    ]
    labels = _labels(day, states)
    for ours in {row.values[: day.ours] for rows in states for row in rows}:
        inside = [[row for row in rows if row.values[: day.ours] == ours] for rows in states]
        named = [sum_of(row for row in rows if is_named(day, row)) for rows in inside]
        just_named = [at for at, sum_ in enumerate(named) if sum_ != (named[at - 1] if at else 0)]
        for label in labels:
            told = [sum_of(row for row in rows if _is_in(day, row, label)) for rows in inside]
            broken += _too_few(day, [0, *told], f"{ours} {label}")
            broken += [f"{ours} {label} is taken back" for then, now in pairwise(told) if then & ~now]
            beside = [sum_of(inside[at]) - told[at] for at in just_named]
            broken += _too_few(day, [0, *beside], f"{ours} without {label}")
        others = [sum_of(inside[at]) - named[at] for at in just_named]
        broken += _too_few(day, [0, *others], f"{ours} without any name")
    return broken


def _too_few(day: Day, sums: list[int], what: str) -> list[str]:
    """Differences of any two of these sums that are a set of events of fewer than k networks."""
    found = []
    for then, now in combinations(sums, 2):
        gone, came = then & ~now, now & ~then
        if not (gone and came) and 0 < day.crowd_of(gone | came) < K:
            found.append(f"{what}: {day.crowd_of(gone | came)}")
    return found


def _labels(day: Day, states: list[list[Row]]) -> set[Values]:
    """What any rows can be asked to say about theirs: every choice of dimensions and values, (other) among them."""
    labels = set()
    for values in {row.values[day.ours :] for rows in states for row in rows}:
        for size in range(1, day.theirs + 1):
            for places in combinations(range(day.theirs), size):
                label = tuple(value if place in places else "" for place, value in enumerate(values))
                if any(value not in ("", OTHER) for value in label):
                    labels.add(label)
    return labels


def _is_in(day: Day, row: Row, label: Values) -> bool:
    return all(word in ("", value) for value, word in zip(row.values[day.ours :], label, strict=True))


def is_named(day: Day, row: Row) -> bool:
    return any(value != OTHER for value in row.values[day.ours :])


def sum_of(rows: Iterable[Row]) -> int:
    return sum(row.amount for row in rows)
