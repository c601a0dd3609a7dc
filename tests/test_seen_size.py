"""The memory of event ids at its limit of twenty million: what it costs; prints what it measured."""

from __future__ import annotations

import os
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from collector.spool.seen import LIMIT, Seen
from tests.seeing import DAY_S, NOW_S, Ids, name_of

GROUP = 250_000  # what the loader reads at once, in 64 segments


def fresh(number: int) -> list[str | None]:
    """Random event ids, as clients write them."""
    digits = os.urandom(16 * number).hex()
    whole = (digits[at : at + 32] for at in range(0, len(digits), 32))
    return [f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}" for id_ in whole]


class Filled:
    """A memory that is filled, with the time this takes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = Seen(path)
        self.now_s = NOW_S
        self.numbers = count(1)

    def claim_s(self, number: int) -> float:
        """How long it takes to remember so many new ids."""
        ids, each = fresh(number), -(-number // 64)
        group: Ids = {name_of(next(self.numbers)): ids[at : at + each] for at in range(0, number, each)}
        began = time.perf_counter()
        assert not any(self.seen.repeats(group, self.now_s).values())
        return time.perf_counter() - began

    def measure(self) -> str:
        """What groups cost at this size."""
        tens = sorted(self.claim_s(10_000) for _ in range(5))
        hundreds = sorted(self.claim_s(100) for _ in range(20))
        return (
            f"{self.seen.size / 1e6:.2f} million ids: groups of 10,000 {tens[2] * 100:.1f} us an id, "
            f"longest {tens[-1]:.2f} s; of 100 {hundreds[10] * 1e3:.1f} ms; {self.size_bytes() / 1e6:.0f} MB with WAL"
        )

    def fill(self, size: int) -> str:
        """Go on to this size within two days; what the groups of 250,000 cost."""
        times = []
        while self.seen.size < size - GROUP:
            self.now_s += 2_000
            times.append(self.claim_s(GROUP))
        self.claim_s(size - self.seen.size)
        return f"groups of 250,000: {sum(times) / len(times) / GROUP * 1e6:.1f} us an id, longest {max(times):.1f} s"

    def size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.path.parent.iterdir())


@pytest.mark.slow
def test_twenty_million_ids_cost_25_bytes_each_and_are_forgotten_in_short_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")
            sys.stdout.flush()

    filled = Filled(tmp_path / "ids.sqlite")
    say(filled.measure())
    for million in (5, 10, 15, 20):
        say(filled.fill(million * 1_000_000))
        say(filled.measure())
    assert filled.seen.size <= LIMIT
    assert filled.seen.forgotten_early > 0
    filled.seen.close()
    each_bytes = filled.size_bytes() / LIMIT
    began = time.perf_counter()
    filled.seen = Seen(filled.path)
    filled.seen.forget(filled.now_s)
    say(f"{each_bytes:.1f} bytes an id, opened and checked in {time.perf_counter() - began:.2f} s")
    assert LIMIT - GROUP < filled.seen.size <= LIMIT

    filled.now_s += DAY_S
    filled.claim_s(100)
    say(f"a day later {filled.seen.size / 1e6:.2f} million are remembered")
    steps = []
    for _ in range(300):
        began = time.perf_counter()
        filled.seen.forget(filled.now_s)
        steps.append(time.perf_counter() - began)
    steps.sort()
    say(f"a step of forgetting while idle: {steps[150] * 1e3:.0f} ms, longest {steps[-1] * 1e3:.0f} ms")
    say(filled.measure())
    filled.seen.close()
    assert each_bytes < 25
    assert steps[-1] < 10
