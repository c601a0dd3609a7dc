"""What is tried again and fails at any step, by a failing disk or by a death, is in the collector's counters once.

Every operation of a retry fails in turn, on the disk of the model (durability/), which forgets what was not synced.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.durability.simulated_node import SimulatedNode
from tests.durability.simulated_processes import Parts

OPERATIONS = 12
FAULTS = [
    *(("fail", "any", passing, error) for passing, error in product(range(OPERATIONS), ("EIO", "ENOSPC"))),
    *(("die", "any", passing, when, None) for passing, when in product(range(OPERATIONS), ("before", "after"))),
]
AFTERWARDS: tuple[list[tuple[Any, ...]], ...] = ([("retry",)], [("load", 2), ("retry",)], [("kill", 0), ("retry",)])


@pytest.mark.parametrize("answers", ["good denied denied", "denied good denied"])
def test_a_retry_that_fails_at_any_step_leaves_counters_that_add_up(answers: str) -> None:
    for fault, afterwards in product(FAULTS, AFTERWARDS):
        node = SimulatedNode(Parts())
        set_aside = [("append", 0, 2, 0), ("rotate", 0), ("database", False, answers.split()), ("load", 1)]
        for step in [*set_aside, ("append", 0, 1, 0), fault, ("retry",), *afterwards]:
            node.do(*step)
        node.come_to_rest()  # says what does not add up
