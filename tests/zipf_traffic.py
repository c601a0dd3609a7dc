"""Days of made-up traffic: few countries, pages and sources are met often and many hardly ever, as on any real site.

Every visitor of a day comes from one network, which has a country; a site's visitors make three hits each, a program
checks for updates once. Events are given reduced, with the two seeds of their sender under the day's key, so that
marks, cells and folds are the real ones. Called by zipf.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar

from collector.catalogue.declarations import Declarations
from collector.cell import DIRECT, UNKNOWN
from collector.count.filter import DaySlot
from collector.count.marks import HOURS_PER_DAY, Seeds
from collector.event import Event, Fact

Value = TypeVar("Value")

SITE, PLAYER = "www.example.org", "player"
NETWORKS = 1_000_000
HITS_A_VISITOR = 3
PATHS, SOURCES, CAMPAIGNS, VERSIONS = 2_000, 3_000, 60, 12

_PLATFORMS = (
    *((("windows", "desktop", browser), weight) for browser, weight in (("chrome", 30), ("edge", 10), ("firefox", 8))),
    *((("android", "mobile", browser), weight) for browser, weight in (("chrome", 18), ("samsung", 4))),
    *((("macos", "desktop", browser), weight) for browser, weight in (("safari", 6), ("chrome", 5))),
    *((("linux", "desktop", browser), weight) for browser, weight in (("firefox", 4), ("chrome", 3))),
    *(((os, device, "safari"), weight) for os, device, weight in (("ios", "mobile", 8), ("ios", "tablet", 2))),
    (("chromeos", "desktop", "chrome"), 1),
    (("other", "other", "other"), 1),
)
_FIRSTS = (("", 10), ("d", 70), ("dw", 14), ("dm", 1), ("dwm", 4), ("dwme", 1))
_ARCHS = (("x86_64", 80), ("aarch64", 15), ("i686", 4), ("other", 1))
_AGES = ("0", "1", "2", "3", "4", "8", "12", "26", "52")


class ZipfTraffic:
    """Days of one site and one product; the same seed makes the same days."""

    def __init__(self, declarations: Declarations, seed: int) -> None:
        self._facts = {kind: declarations.layouts[kind].facts for kind in ("page_hit", "update_check")}
        self._random = random.Random(seed)
        countries = _shuffled(declarations.dimensions["country"].values or (), self._random)
        self._languages = _shuffled(declarations.dimensions["language"].values or (), self._random)
        ranks = self._random.choices(range(len(countries)), cum_weights=_zipf(len(countries), 1.3), k=NETWORKS)
        self._country_of = [countries[rank] for rank in ranks]
        self._language_of = [self._languages[rank % len(self._languages)] for rank in ranks]
        self._path = self._drawn([f"/page/{n}" for n in range(PATHS)], 1.0)
        self._source = self._drawn([f"site{n}.example" for n in range(SOURCES)], 1.1)
        self._campaign = self._drawn([f"campaign{n}" for n in range(CAMPAIGNS)], 1.0)
        self._version = self._drawn([f"{n}.0" for n in range(VERSIONS, 0, -1)], 1.2)
        self._platform = self._weighted(_PLATFORMS)
        self._first = self._weighted(_FIRSTS)
        self._arch = self._weighted(_ARCHS)

    def day(self, day: int, visitors: int, slot: DaySlot) -> Iterator[tuple[Event, Seeds]]:
        """The events of so many visitors of the site and as many programs, each with its sender's seeds."""
        for _ in range(visitors):
            sender, facts = self._sender(slot)
            for hit in range(1 + int(self._random.expovariate(1 / (HITS_A_VISITOR - 0.5)))):
                yield self._event("page_hit", SITE, day, facts | self._hit(entry=hit == 0)), sender
            sender, facts = self._sender(slot)
            first = self._first()
            told: dict[str, Fact] = {
                "version": self._version(),
                "channel": "stable",
                "first": first or UNKNOWN,
                "arch": self._arch(),
            }
            told["age"] = self._random.choice(_AGES) if "w" in first else UNKNOWN
            yield self._event("update_check", PLAYER, day, facts | told), sender

    def _sender(self, slot: DaySlot) -> tuple[Seeds, dict[str, Fact]]:
        network = int(NETWORKS * self._random.random() ** 2)
        os, device, browser = self._platform()
        english = self._random.random() < 0.2
        address = network.to_bytes(3, "big")
        visitor = address + self._random.randbytes(1) + f"{os} {device} {browser}".encode()
        facts: dict[str, Fact] = {"os": os, "device": device, "browser": browser}
        facts |= {"country": self._country_of[network], "language": "en" if english else self._language_of[network]}
        return Seeds(slot.seed(visitor), slot.seed(address)), facts

    def _hit(self, *, entry: bool) -> dict[str, Fact]:
        told: dict[str, Fact] = {"entry": entry, "path": self._path(), "source": UNKNOWN}
        told |= dict.fromkeys(("utm_source", "utm_medium", "utm_campaign"), UNKNOWN)
        if entry:
            told["source"] = DIRECT if self._random.random() < 0.37 else self._source()
            if self._random.random() < 0.05:
                told |= {"utm_source": "newsletter", "utm_medium": "mail", "utm_campaign": self._campaign()}
        return told

    def _event(self, kind: str, property_id: str, day: int, told: dict[str, Fact]) -> Event:
        hour = day * HOURS_PER_DAY + self._random.randrange(HOURS_PER_DAY)
        return Event(kind, property_id, hour, tuple(told[name] for name in self._facts[kind]))

    def _drawn(self, values: Sequence[str], exponent: float) -> Callable[[], str]:
        weights = _zipf(len(values), exponent)
        return lambda: self._random.choices(values, cum_weights=weights)[0]

    def _weighted(self, choices: Sequence[tuple[Value, int]]) -> Callable[[], Value]:
        values = [value for value, _ in choices]
        weights = list(accumulate(weight for _, weight in choices))
        return lambda: self._random.choices(values, cum_weights=weights)[0]


def _zipf(count: int, exponent: float) -> list[float]:
    """Cumulative weights of ranks 1, 2, ..."""
    return list(accumulate(1 / rank**exponent for rank in range(1, count + 1)))


def _shuffled(values: frozenset[str] | tuple[str, ...], chance: random.Random) -> list[str]:
    ordered = sorted(values)
    chance.shuffle(ordered)
    return ordered
