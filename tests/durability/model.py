"""The model test: whatever is appended, failed, cut, killed and corrupted in whatever order, events count exactly once.

Hypothesis draws the steps of a simulated node (simulated_node.py) and, when a run fails, makes it short; the run is in
the message as a list of steps, to be written down as a case of tests/test_durability_model.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.durability.expected import MiscountedError
from tests.durability.outcome import Outcome
from tests.durability.simulated_disk import ANY, CHANGES, KEEP_ALL, LOOKS, LOSE_ALL
from tests.durability.simulated_node import SimulatedNode, Step
from tests.durability.simulated_processes import WORKERS, Parts
from tests.durability.simulated_warehouse import PLANS

NAME = "model"
STEPS = 50

_worker = st.integers(0, WORKERS - 1)
_passing = st.integers(0, 12)
_crash = st.one_of(st.sampled_from((LOSE_ALL, KEEP_ALL)), st.integers(2, 1_000))
_row = st.tuples
_FAULTS = st.one_of(
    _row(st.just("fail"), st.sampled_from((ANY, *CHANGES, *LOOKS)), _passing, st.sampled_from(("EIO", "ENOSPC"))),
    _row(
        st.just("die"),
        st.sampled_from((ANY, *CHANGES)),
        _passing,
        st.sampled_from(("before", "after", "half")),
        st.one_of(st.none(), _crash),
    ),
    _row(st.just("fill"), st.integers(1, 6)),
    _row(st.just("forget"), st.sampled_from(("EIO", "before", "after"))),
)
_ENDS = st.one_of(
    _row(st.just("kill"), st.integers(0, WORKERS)),
    _row(st.just("stop")),
    _row(st.just("lose_power"), _crash),
)


class Model(RuleBasedStateMachine):
    """One run. `parts` is what its node is made of, `runs` and `acknowledged` add up over the runs of a class."""

    parts = Parts()
    runs = 0
    acknowledged = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self._node = SimulatedNode(self.parts)

    @rule(worker=_worker, events=st.integers(1, 5), ids=st.integers(0, 5))
    def append(self, worker: int, events: int, ids: int) -> None:
        self._node.do("append", worker, events, ids)

    @rule(worker=_worker, events=st.integers(1, 5), ids=st.integers(0, 5))
    def append_and_close(self, worker: int, events: int, ids: int) -> None:
        self._node.do("append", worker, events, ids)
        self._node.do("rotate", worker)

    @rule(worker=_worker, events=st.integers(1, 5), ids=st.integers(0, 5))
    def append_and_load(self, worker: int, events: int, ids: int) -> None:
        self.append_and_close(worker, events, ids)
        self._node.do("load", 1)

    @rule(worker=_worker, which=st.integers(0, 20), events=st.integers(1, 3))
    def resend(self, worker: int, which: int, events: int) -> None:
        self._node.do("resend", worker, which, events)

    @rule(worker=_worker)
    def rotate(self, worker: int) -> None:
        self._node.do("rotate", worker)

    @rule(passes=st.integers(1, 3))
    def load(self, passes: int) -> None:
        self._node.do("load", passes)

    @rule(passes=st.integers(1, 60), minutes=st.integers(5, 20))
    def wait(self, passes: int, minutes: int) -> None:
        self._node.do("wait", minutes)
        self._node.do("load", passes)

    @rule(away=st.booleans(), plans=st.lists(st.sampled_from(PLANS), max_size=4))
    def database(self, away: bool, plans: list[Any]) -> None:  # noqa: FBT001 - a rule's arguments are named
        self._node.do("database", away, plans)

    @rule(step=_ENDS)
    def end(self, step: Step) -> None:
        self._node.do(*step)

    @rule(step=_FAULTS)
    def fault(self, step: Step) -> None:
        self._node.do(*step)

    @precondition(lambda self: self._node.has_set_aside())
    @rule()
    def retry(self) -> None:
        self._node.do("retry")

    @rule(which=st.integers(0, 5), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip(self, which: int, where: float, bit: int) -> None:
        self._node.do("flip", which, where, bit)

    def teardown(self) -> None:
        if not self._node.failed:
            try:
                self._node.come_to_rest()
            except BaseException as error:
                error.add_note(f"steps: {self._node.steps}")
                raise
        type(self).acknowledged += self._node.expected.acknowledged


def explore(machine: type[Model], examples: int, number: int | None = None, *, shrink: bool = True) -> None:
    """Do so many runs of a model, from a seed if one is given; raises what the shortest failing run raised."""
    run_state_machine_as_test(
        machine if number is None else seed(number)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=False,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )


def model(folder: Path, rounds: int, number: int) -> Outcome:
    """So many runs of the model; a round is one run. Nothing is written in `folder`."""

    class Machine(Model):
        """One set of runs: they add up by class."""

    lost = doubled = 0
    note = f"{STEPS} steps a run"
    try:
        explore(Machine, rounds, number)
    except MiscountedError as error:
        lost, doubled = error.lost, error.doubled
        note = str(error)
    return Outcome(
        fault=NAME,
        rounds=Machine.runs,
        acknowledged=Machine.acknowledged,
        lost=lost,
        doubled=doubled,
        seed=number,
        note=note,
    )
