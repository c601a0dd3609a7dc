"""How often anybody may try to sign in: so many at once, then one every few seconds, by name and over all.

No address plays a part, so nobody gets around it by having many, and nothing of a caller is remembered. A name that
somebody else tries all the time is free again seconds after he stops; who signed in gets the try back. In memory only.

Made-up names can use up what there is over all. So every name that exists has a few tries in reserve for that time.
Nothing that depends on the reserve, and so on whether a name exists, may be told but to who has the password
(sign_in.py): `take` and `is_free` are the same for any two names, whoever exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collector.clock import Clock

OF_A_NAME, NAME_EVERY_S = 10, 6.0
OVER_ALL, ALL_EVERY_S = 30, 0.5  # an argon2 takes a sixth of a second of a core or two
IN_RESERVE, RESERVE_EVERY_S = 5, 12.0


@dataclass(slots=True)
class Budget:
    """So many at once, and one more every `every_s`."""

    most: int
    every_s: float
    left: float
    at: float

    def wait_s(self, now: float) -> float:
        """How long until there is one left; 0 if there is."""
        self.left = min(self.most, self.left + max(0.0, now - self.at) / self.every_s)
        self.at = now
        return 0.0 if self.left >= 1 else (1 - self.left) * self.every_s

    def give_back(self) -> None:
        """One that was taken counts no more."""
        self.left = min(self.most, self.left + 1)


class Tries:
    """Counts tries to sign in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over_all = Budget(OVER_ALL, ALL_EVERY_S, OVER_ALL, clock.now())
        self._of_names: dict[str, Budget] = {}  # few: a try over all comes first, and a full one is forgotten
        self._in_reserve: dict[str, Budget] = {}  # of names that exist

    def take(self, name: str) -> int:
        """One try: 0 if it may be made, else after how many seconds another one may."""
        now = self._clock.now()
        of_name = self._of_name(name)
        if wait_s := max(of_name.wait_s(now), self._over_all.wait_s(now)):
            return math.ceil(wait_s)
        for budget in (of_name, self._over_all):
            budget.left -= 1
        _forget_full(self._of_names, now)
        self._of_names[name] = of_name
        return 0

    def is_free(self, name: str) -> bool:
        """Whether the name has tries left, so that it waits for what others use up only."""
        return not self._of_name(name).wait_s(self._clock.now())

    def take_reserve(self, name: str) -> bool:
        """One try of a name that exists, of those kept for it; whether there was one."""
        now = self._clock.now()
        kept = self._in_reserve.get(name) or Budget(IN_RESERVE, RESERVE_EVERY_S, IN_RESERVE, now)
        if kept.wait_s(now):
            return False
        kept.left -= 1
        _forget_full(self._in_reserve, now)
        self._in_reserve[name] = kept
        return True

    def give_back(self, name: str) -> None:
        """That one was right."""
        for budget in (self._of_names.get(name), self._over_all):
            if budget:
                budget.give_back()

    def give_back_reserve(self, name: str) -> None:
        """The one of the reserve was right."""
        if kept := self._in_reserve.get(name):
            kept.give_back()

    def _of_name(self, name: str) -> Budget:
        return self._of_names.get(name) or Budget(OF_A_NAME, NAME_EVERY_S, OF_A_NAME, self._clock.now())


def _forget_full(budgets: dict[str, Budget], now: float) -> None:
    for name in [name for name, each in budgets.items() if not each.wait_s(now) and each.left >= each.most]:
        del budgets[name]
