"""What a scenario found out: the row it becomes in the table of the durability proof."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How often a fault was played and what became of the acknowledged events; exact if nothing is lost or doubled."""

    fault: str
    rounds: int
    acknowledged: int
    lost: int
    doubled: int
    seed: int
    note: str = ""
