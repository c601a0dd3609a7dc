"""Every fuzz target on its seeds, on a few variations of them that are always the same, and on all that was found."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.found import rows, smaller
from tests.fuzz.target import Target, plain, varied
from tests.fuzz.targets import TARGETS

VARIATIONS = 250
SEEDS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_a_promise(name: str) -> None:
    target = TARGETS[name]
    seeds, dice = [*target.seeds()], random.Random(name)
    found = [row.data for row in rows() if row.target == name]
    with target.opened() as try_it:
        for data in [*found, *dice.sample(seeds, min(SEEDS, len(seeds)))]:
            try_it(data)
        for _ in range(VARIATIONS):
            try_it(varied(seeds, target.words, dice))


def test_every_row_of_what_was_found_is_of_a_target() -> None:
    assert {row.target for row in rows()} <= set(TARGETS)


def test_what_was_found_is_made_small() -> None:
    def try_it(data: bytes) -> None:
        assert b"!" not in data, "a mark"

    target = Target(name="marks", opened=plain(try_it), seeds=lambda: ())
    found = smaller(target, b"a" * 500 + b"!" + b"b" * 77)
    assert found is not None
    assert found.data == b"!"
    assert smaller(target, b"aa") is None
