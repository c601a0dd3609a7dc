"""The fold of a day that is not sealed yet, and when it may be made anew.

Asked every ten seconds, a fresh fold would show each new event as a difference and so rebuild single visits. So a fold
of a report with a dimension of theirs is kept and shown again until `live_fold_s` have passed AND the property has
gained k networks; at 0 the rule is off (tests). A fold that names nothing of theirs need not wait for the time, only
for the k networks: whoever asks in the first minute of a day is not left with `(other)` for an hour. And when late
events can no longer arrive, 48 h after the day's end, the final fold is made once, as sealing does. Folds live in
memory, of at most so many rows, oldest question out first: what was dropped, or a restart lost, is folded afresh when
it is next asked for. One thread at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from collector.day_part import PartKey
from collector.fold import Row

DAY_S = 86_400
# An event counts for the day it happened if it arrives within 48 h (reduce/moment.py); after that a day is sealed.
LATE_S = 172_800
MAX_ROWS = 500_000  # about 100 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One node's part of one day, folded at `at` (epoch seconds), when the property-day's bound was `crowd`.

    epochs  how many epochs counted in it; names  whether any row has a value of theirs that is not `(other)`
    """

    rows: tuple[Row, ...]
    at: float
    crowd: int
    epochs: int
    names: bool


class LiveFolds:
    """The folds that are shown until they may be renewed."""

    def __init__(self, k: int, live_fold_s: float, max_rows: int = MAX_ROWS) -> None:
        self._k = k
        self._live_fold_s = live_fold_s
        self._max_rows = max_rows
        self._folds: OrderedDict[PartKey, Fold] = OrderedDict()
        self._rows = 0

    def standing(self, key: PartKey, now: float, crowd: int) -> Fold | None:
        """The fold to show again, `crowd` being the property-day's bound now; None if one is to be made."""
        fold = self._folds.get(key)
        if fold is None or self._may_renew(fold, key.day, now, crowd):
            return None
        self._folds.move_to_end(key)
        return fold

    def keep(self, key: PartKey, fold: Fold) -> None:
        """Show this fold from now on; drop those nobody asked for longest if it gets too much."""
        if self._live_fold_s == 0:
            return
        known = self._folds.pop(key, None)
        self._rows += _cost(fold) - (_cost(known) if known else 0)
        self._folds[key] = fold
        while self._rows > self._max_rows and len(self._folds) > 1:
            self._rows -= _cost(self._folds.popitem(last=False)[1])

    def _may_renew(self, fold: Fold, day: int, now: float, crowd: int) -> bool:
        settled = (day + 1) * DAY_S + LATE_S
        if fold.at < settled <= now:
            return True
        waited = now - fold.at >= self._live_fold_s or not fold.names
        return waited and crowd - fold.crowd >= self._k


def _cost(fold: Fold) -> int:
    return len(fold.rows) + 1
