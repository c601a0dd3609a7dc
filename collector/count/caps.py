"""How many values anybody may make up: of each open dimension a property names the first `cap` of a UTC day.

A further one becomes `(other)` at the door, before marks are made and before anything is spooled. The cap holds over
all workers of a machine and over their restarts: how many values there are is counted in the epoch's memory, and that
a value is one of them is told by two tokens in the day's filter, made under its key (two, so that by the filter's error
no more than 1 in 100,000 is taken for known and gets in uncounted). A worker remembers hashes of values that got in, so
that a known one costs one look-up. Only a new one is claimed; it is counted first and marked afterwards, so that who is
killed in between leaves less room, never more.

A late event, whose day's key is dead, is counted against the cap of its own day all the same: the counts of two days
back are still there. Its tokens are those of the first living day after it. A value met before the key's death is
counted once more then, for nobody can tell that it was met: again less room, never more.
"""

from __future__ import annotations

from hashlib import blake2b

from collector.catalogue.layout import Layout
from collector.cell import DIRECT, OTHER, UNKNOWN
from collector.count.filter import COUNTS, DaySlot, SharedMemory
from collector.count.marks import HOURS_PER_DAY, is_known, is_new
from collector.event import Event, Fact

REMEMBERED = 400_000  # hashes of all days and properties together: some 30 MB

_RESERVED = (OTHER, UNKNOWN, DIRECT)  # never counted
_SHIFT = 80  # where is_known looks for a token


class _Vocabulary:
    """The values of one open dimension of one property on one day.

    number    stands for the dimension of the property in the table of counts; never 0
    admitted  hashes of the values that this process knows to be in
    """

    __slots__ = ("admitted", "day", "number", "words")

    def __init__(self, day: int, property_id: str, dimension: str) -> None:
        named = f"{property_id}\0{dimension}"
        self.day = day
        self.words = f"{day}\0{named}\0"
        self.number = int.from_bytes(blake2b(named.encode(), digest_size=8).digest(), "little") or 1
        self.admitted = set(map(hash, _RESERVED))

    def tokens(self, value: str, slot: DaySlot) -> tuple[int, int]:
        """What stands for a value in the filter, as is_known takes it."""
        data = blake2b(f"{self.words}{value}".encode(), digest_size=16, key=slot.key, person=b"open value").digest()
        return int.from_bytes(data[:8], "little") << _SHIFT, int.from_bytes(data[8:], "little") << _SHIFT


# Of a kind, property and day: the place of each open fact, what is known to be in, and all else about its values
_OpenFacts = tuple[tuple[int, set[int], _Vocabulary], ...]


class Caps:
    """Bounds what events name; one per worker, one thread."""

    def __init__(self, layouts: dict[str, Layout], cap: int, memory: SharedMemory) -> None:
        self._open = {kind: layout.open_facts for kind, layout in layouts.items() if layout.open_facts}
        self._cap = cap
        self._memory = memory
        self._vocabularies: dict[tuple[int, str, str], _Vocabulary] = {}
        self._known: dict[tuple[int, str, str], _OpenFacts] = {}
        self._remembered = 0

    def capped(self, event: Event) -> Event:
        """The event, with `(other)` for each open value that is one too many in its property and day."""
        kind, property_id, hour, facts, _ = event
        if kind not in self._open:
            return event
        day = hour // HOURS_PER_DAY
        over = [
            place
            for place, admitted, values in self._known.get((day, kind, property_id))
            or self._begin(day, kind, property_id)
            if hash(facts[place]) not in admitted and not self._admit(str(facts[place]), values)
        ]
        if not over:
            return event
        kept: list[Fact] = list(facts)
        for place in over:
            kept[place] = OTHER
        return event._replace(facts=tuple(kept))

    def forget(self) -> None:
        """Drop what is remembered of days that no event is counted for any more. Called twice a minute."""
        for known in (self._known, self._vocabularies):
            for key in [key for key in known if self._memory.counts(key[0]) is None]:
                del known[key]
        self._remembered = sum(len(values.admitted) for values in self._vocabularies.values())

    def _begin(self, day: int, kind: str, property_id: str) -> _OpenFacts:
        """The open facts of a kind, property and day that had no event yet; all kinds share a dimension's values."""
        found: list[tuple[int, set[int], _Vocabulary]] = []
        for place, dimension in self._open[kind]:
            key = (day, property_id, dimension)
            values = self._vocabularies.get(key) or self._vocabularies.setdefault(key, _Vocabulary(*key))
            found.append((place, values.admitted, values))
        known = self._known[day, kind, property_id] = tuple(found)
        return known

    def _admit(self, value: str, values: _Vocabulary) -> bool:
        """Whether a value that is new to this process is in, or there is still room for it."""
        counts, slot = self._memory.counts(values.day), self._memory.living_slot(values.day)
        if counts is None or slot is None:
            return False  # no event of such a day is accepted but in the moments of a clock that was set
        tokens = values.tokens(value, slot)
        if not (_are_known(tokens, slot) or self._count(tokens, slot, values, counts)):
            return False
        if self._remembered >= REMEMBERED:
            self._remembered = 0
            self._known.clear()
            self._vocabularies.clear()
        self._remembered += 1
        values.admitted.add(hash(value))
        return True

    def _count(self, tokens: tuple[int, int], slot: DaySlot, values: _Vocabulary, counts: memoryview) -> bool:
        """Count a value and mark it as met, unless another process just did; False if there is no room."""
        if _is_full(counts, values.number, self._cap):
            return False
        self._memory.claim_day(values.day)
        try:
            if _are_known(tokens, slot):
                return True
            if _is_full(counts, values.number, self._cap):
                return False
            place = _place(counts, values.number)
            counts[place] = values.number
            counts[place + 1] += 1
            for token in tokens:
                is_new(token, slot.words)
        finally:
            self._memory.release_day(values.day)
        return True


def _are_known(tokens: tuple[int, int], slot: DaySlot) -> bool:
    return is_known(tokens[0], slot.words) and is_known(tokens[1], slot.words)


def _is_full(counts: memoryview, number: int, cap: int) -> bool:
    """Whether there is no room for another value; a table in which there is no place left has no room either."""
    place = _place(counts, number)
    return place < 0 or counts[place + 1] >= cap


def _place(counts: memoryview, number: int) -> int:
    """Where in the table a number stands, or will: the first free place from where it belongs; -1 if there is none."""
    for step in range(COUNTS):
        place = (number + step) % COUNTS * 2
        if counts[place] in (number, 0):
            return place
    return -1
