"""What the installations of one program do: check for updates as clients of the counting contract, and age, and go.

Each installation knows the last day, week and month in which it was counted, and the week it was installed, as a real
client does; the first letters and the age it sends are made of these. With a check go the counts of what was
recommended and used since. Called by days.py, once a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from collector.catalogue.registry import Product, Registry
from collector.tools.simulate.releases import Release, Releases
from collector.tools.simulate.requests import Happening, Person, Request
from collector.tools.simulate.visitors import DAY_S, HOURS
from collector.tools.simulate.world import Weighted, World, zipf

LOWER_BOUNDS = (52, 26, 13)
LIFETIME_DAYS, LIFETIME_SHAPE = 260, 0.55  # Weibull: many leave within days, who stayed long stays longer
OLDEST_DAYS = 700
BETA, AGAIN, TELLS, REMOVED = (
    0.06,
    0.25,
    0.45,
    0.6,
)  # who tries betas, checks twice, says why, uninstalls before it goes
TAKES, NEVER_TAKES = 1 / 6, 0.04  # a new version: of those who have an older one, a day; of all, never
SYSTEMS = Weighted(
    (
        (("windows", "x86_64", "Windows NT 10.0; Win64; x64"), 66),
        (("windows", "i686", "Windows NT 10.0"), 3),
        (("windows", "aarch64", "Windows NT 10.0; ARM64"), 2),
        (("macos", "aarch64", "Macintosh"), 12),
        (("macos", "x86_64", "Macintosh"), 4),
        (("linux", "x86_64", "Linux x86_64"), 12),
        (("linux", "aarch64", "Linux aarch64"), 1),
    )
)
OUTCOMES = Weighted((("ok", 94), ("failed", 3), ("cancelled", 3)))
REASONS = Weighted(
    (
        *(("switched", 24), ("missing_feature", 22), ("temporary", 20), ("other", 14), ("crashes", 9)),
        *(("hard_to_use", 7), ("too_slow", 4)),
    )
)


class Installation:
    """One installation: where it stands in its own life, and what it was last counted in."""

    __slots__ = ("arch", "beta", "born", "counted", "ends", "habit", "number", "os", "person", "stuck", "version")

    def __init__(self, number: int, person: Person, os: str, arch: str, born: int) -> None:
        self.number, self.person, self.os, self.arch, self.born = number, person, os, arch, born
        self.counted = (-1, -1, -1)
        self.habit = 0.0
        self.ends = 0
        self.beta = self.stuck = False
        self.version = ""

    def first(self, day: int) -> list[str]:
        """Of which periods this is the first check, as the contract spells it; they are over with it."""
        now = (day, week_of(day), month_of(day))
        new = [
            name for name, is_in, was in zip(("day", "week", "month"), now, self.counted, strict=True) if is_in != was
        ]
        if self.counted == (-1, -1, -1):
            new.append("ever")
        self.counted = now
        return new

    def age(self, day: int) -> str:
        """Whole weeks since the week of the installation; from 13 on a lower bound."""
        weeks = week_of(day) - week_of(self.born)
        return str(next((bound for bound in LOWER_BOUNDS if weeks >= bound), weeks))


class Fleet:
    """The installations of one product; the same seed makes the same days."""

    def __init__(
        self, product: Product, registry: Registry, world: World, seed: int, releases: Releases, people: float
    ) -> None:
        self._product = product
        self._world = world
        self._releases = releases
        self._dice = Random(f"{seed} {product.id}")
        self._channels = sorted(product.channels, key=lambda name: (name != "stable", name != "beta", name))
        self._slots, self._items = (zipf(sorted(names)) if names else None for names in (product.slots, product.items))
        self._features = zipf(sorted(product.features)) if product.features else None
        links = [link.id for link in registry.links.values() if link.property == product.id]
        self._links = zipf(links) if links else None
        self._made = 0
        self._all: list[Installation] = []
        self._people = people

    def begin(self, first_day: int) -> None:
        """Have those who came before the first day, with ages that such a fleet has."""
        dice = self._dice
        for _ in range(int(self._people)):
            born = first_day - 1 - int(OLDEST_DAYS * dice.random() ** 2)
            made = self._installed(None, born)
            made.ends = first_day + int((first_day - born + 20) * dice.paretovariate(1.1) * dice.random())
            week = first_day - 7  # they were counted before, in weeks and months that are over
            made.counted = (week, week_of(week), month_of(first_day - 31))

    def day(self, day: int, downloaders: Iterable[Person]) -> Iterator[Request]:
        """The requests of a day, with the installations of those who downloaded."""
        for person in downloaders:
            if person.device == "desktop" and self._dice.random() < 0.85:  # noqa: PLR2004 - most who download install
                yield from self._install(person, day)
        for _ in range(int(self._people / 260 + self._dice.random())):  # from elsewhere: shops, magazines, friends
            yield from self._install(None, day)
        weekend = 0.8 if week_of(day) != week_of(day + 2) else 1.0
        out = self._releases.out(day), self._releases.out(day, beta=True)
        staying = []
        for each in self._all:
            if each.ends < day:
                yield from self._uninstall(each, day)
                continue
            staying.append(each)
            if each.born == day or self._dice.random() < each.habit * weekend:
                yield from self._use(each, day, out[each.beta])
        self._all = staying

    # --- one installation -------------------------------------------------------------------------------------------

    def _installed(self, person: Person | None, born: int) -> Installation:
        dice = self._dice
        os, arch, system = SYSTEMS.draw(dice)
        if person and person.os in ("windows", "macos", "linux"):
            os, arch, system = next(each for each in SYSTEMS.values if each[0] == person.os)
        agent = f"{self._product.id}/1 ({system})"
        at_home = person._replace(agent=agent, accept_language="") if person else None
        made = Installation(self._made, at_home or self._world.machine(dice, agent, os), os, arch, born)
        self._made += 1
        made.beta = len(self._channels) > 1 and dice.random() < BETA
        made.stuck = dice.random() < NEVER_TAKES
        made.version = self._releases.out(born, beta=made.beta)[-1].version
        made.habit = 0.08 + 0.87 * dice.betavariate(1.3, 1.6)
        made.ends = born + int(dice.weibullvariate(LIFETIME_DAYS, LIFETIME_SHAPE))
        self._all.append(made)
        return made

    def _install(self, person: Person | None, day: int) -> Iterator[Request]:
        outcome = OUTCOMES.draw(self._dice)
        made = self._installed(person, day)
        told = {"kind": "install", "product": self._product.id, "version": made.version, "outcome": outcome}
        told |= {"channel": self._channel(made), "os": made.os}
        if outcome != "ok":
            self._all.pop()
        yield Request(self._moment(day), made.person, (Happening(told),))

    def _uninstall(self, gone: Installation, day: int) -> Iterator[Request]:
        if self._dice.random() > REMOVED:
            return
        told = {"kind": "uninstall", "product": self._product.id, "version": gone.version, "os": gone.os}
        told["age"] = gone.age(day)
        if self._dice.random() < TELLS:
            told["reason"] = REASONS.draw(self._dice)
        yield Request(self._moment(day), gone.person, (Happening(told),))

    def _use(self, user: Installation, day: int, out: list[Release]) -> Iterator[Request]:
        """A check, perhaps a second one the same day, and what was counted since."""
        dice = self._dice
        if not user.stuck and user.version != out[-1].version and dice.random() < TAKES:
            user.version = out[-1].version
        at = self._moment(day)
        yield Request(at, user.person, (self._check(user, day), *self._since(dice)))
        if dice.random() < AGAIN:
            yield Request(min(at + 7200, (day + 1) * DAY_S - 1), user.person, (self._check(user, day),))

    def _check(self, user: Installation, day: int) -> Happening:
        told = {"kind": "update_check", "product": self._product.id, "version": user.version, "os": user.os}
        told |= {"channel": self._channel(user), "arch": user.arch, "age": user.age(day)}
        return Happening({**told, "first": user.first(day)}, who=user.number)

    def _since(self, dice: Random) -> Iterator[Happening]:
        product = self._product.id
        if self._slots and self._items and dice.random() < 0.5:  # noqa: PLR2004 - the side window is often closed
            shown = dice.randrange(1, 7)
            told: dict[str, Any] = {"kind": "recommendation", "product": product, "slot": self._slots.draw(dice)}
            told |= {"item": self._items.draw(dice), "shown": shown}
            told["clicked"] = sum(dice.random() < 0.03 for _ in range(shown))  # noqa: PLR2004 - a share, told by its line
            told["dismissed"] = int(dice.random() < 0.1)  # noqa: PLR2004 - a share, told by its line
            yield Happening(told)
            if told["clicked"] and self._links:
                yield Happening({"kind": "link_click", "product": product, "link": self._links.draw(dice)})
        if self._features and dice.random() < 0.7:  # noqa: PLR2004 - a share, told by its line
            used = int(dice.paretovariate(1.3))
            feature = self._features.draw(dice)
            yield Happening({"kind": "feature_use", "product": product, "feature": feature, "count": min(used, 200)})

    def _channel(self, user: Installation) -> str:
        return self._channels[user.beta]

    def _moment(self, day: int) -> int:
        return day * DAY_S + HOURS.draw(self._dice) * 3600 + self._dice.randrange(3600)


def week_of(day: int) -> int:
    """The number of a day's week, from Monday to Sunday; 1970-01-01 was a Thursday."""
    return (day + 3) // 7


@cache
def month_of(day: int) -> int:
    """The number of a day's month."""
    date = datetime.fromtimestamp(day * DAY_S, UTC)
    return date.year * 12 + date.month
