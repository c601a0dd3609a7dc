"""Hitting syscalls finds what it is there to find: a collector that is wrong on purpose loses events by it.

Each control is wrong about one thing that the frozen file, the marker or the look at the disk is there for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.controls import wrong_package
from tests.durability.injection import Injection
from tests.requires import needs

RENAMED = "rename clickhouse/hot/tmp_insert_PART/ #1"  # a part gets its name


@pytest.mark.parametrize(
    ("control", "fault", "point"),
    [
        ("token-only retry", "SIGKILL", RENAMED),
        ("delete before verify", "EIO", RENAMED),
        ("the engine's memory is believed", "ENOSPC", "write clickhouse/hot/tmp_insert_PART/partition.dat #1"),
    ],
)
def test_a_collector_that_is_wrong_on_purpose_loses_events(
    tmp_path: Path, control: str, fault: str, point: str
) -> None:
    needs("strace")
    outcome = Injection(tmp_path, fault, wrong_package(tmp_path, control)).outcome(1, 1, only=point)
    assert outcome.rounds == 1
    assert (outcome.lost, outcome.doubled) == (3, 0), outcome
