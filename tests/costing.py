"""What a piece of work costs, compared within one run: no clock of a machine decides a test, growth does."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUNDS = 3


def growth(work: Callable[[int], Callable[[], object]], small: int, large: int) -> float:
    """How many times the CPU time of `work(small)` the one of `work(large)` is; what makes the work is not counted.

    Linear work grows as its size does, quadratic work as its square. The best of three rounds each, taken in turns.
    """
    works = work(small), work(large)
    costs: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for run, times in zip(works, costs, strict=True):
            began = time.process_time()
            run()
            times.append(time.process_time() - began)
    return min(costs[1]) / min(costs[0])
