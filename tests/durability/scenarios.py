"""Every scenario there is, with how many rounds it runs quickly (`make test`) and fully (`make test-slow`).

A new one is a function `(folder, rounds, seed) -> Outcome` in a module of its own, and one line here. Together the
quick forms take 80 seconds on two cores.
"""

from __future__ import annotations

from tests.durability import away, cuts, damage, disk_full, injection, kills, model, mutants, quota, server_kills
from tests.durability.outcome import Scenario

SCENARIOS = (
    Scenario(kills.WITH_IDS, kills.with_ids, quick=5, full=500),
    Scenario(kills.WITHOUT_IDS, kills.without_ids, quick=5, full=200),
    Scenario(server_kills.NAME, server_kills.clickhouse, quick=5, full=200),
    Scenario(injection.KILLED, injection.killed, quick=6, full=1000),
    Scenario(injection.IO_ERROR, injection.io_error, quick=6, full=1000),
    Scenario(injection.NO_SPACE, injection.no_space, quick=6, full=1000),
    Scenario(model.NAME, model.model, quick=60, full=10_000),
    Scenario(damage.DAMAGE, damage.damage, quick=2_000, full=100_000),
    Scenario(mutants.NAME, mutants.mutants, quick=1, full=len(mutants.MUTANTS)),
    Scenario(cuts.NAME, cuts.after_answer, quick=200, full=10_000),
    Scenario(disk_full.NAME, disk_full.disk_full, quick=2, full=20),
    Scenario(quota.NAME, quota.quota, quick=1, full=10),
    Scenario(away.NAME, away.clickhouse_away, quick=200, full=10_000),
)
