"""How often anybody may try to sign in: so many at once, then one every few seconds, by name and over all.

No address plays a part, so nobody gets around it by having many, and nothing of a caller is remembered. A name that
somebody else tries all the time is free again seconds after he stops; who signed in gets the try back. In memory only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from collector.clock import Clock

OF_A_NAME, NAME_EVERY_S = 10, 6.0
OVER_ALL, ALL_EVERY_S = 30, 0.5  # an argon2 takes a sixth of a second of a core or two


@dataclass(slots=True)
class Allowance:
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


class Tries:
    """Counts tries to sign in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over_all = Allowance(OVER_ALL, ALL_EVERY_S, OVER_ALL, clock.now())
        self._of_names: dict[str, Allowance] = {}  # few: a try over all comes first, and a full one is forgotten

    def take(self, name: str) -> int:
        """One try: 0 if it may be made, else after how many seconds another one may."""
        now = self._clock.now()
        of_name = self._of_names.get(name) or Allowance(OF_A_NAME, NAME_EVERY_S, OF_A_NAME, now)
        if wait_s := max(of_name.wait_s(now), self._over_all.wait_s(now)):
            return math.ceil(wait_s)
        for allowance in (of_name, self._over_all):
            allowance.left -= 1
        for other in [
            other for other, each in self._of_names.items() if not each.wait_s(now) and each.left >= each.most
        ]:
            del self._of_names[other]
        self._of_names[name] = of_name
        return 0

    def give_back(self, name: str) -> None:
        """That one was right."""
        for allowance in (self._of_names.get(name), self._over_all):
            if allowance:
                allowance.left = min(allowance.most, allowance.left + 1)
