"""Runs one scenario in a folder of its own, and says what came of it, whatever that was.

Folders lie on a real disk and are removed after a scenario that went well; after any other they stay, with the log of
the collector, and are named on stderr. Called by __main__.py and by tests/test_durability.py.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from collector.tools.bench.machine import real_disk
from tests.durability.outcome import NotHereError, Outcome, Scenario
from tests.durability.progress import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run of a scenario.

    outcome  None if it did not come to its end
    failure  why it failed besides counts, "" if it did not; the first line is enough for a table
    missing  what it needs and this machine does not have, "" if it ran
    """

    scenario: Scenario
    rounds: int
    seed: int
    seconds: float
    outcome: Outcome | None = None
    failure: str = ""
    missing: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or otherwise wrong, as far as it could run here."""
        return not self.failure and (self.outcome is None or self.outcome.is_clean)

    @property
    def again(self) -> str:
        """The command that does the same."""
        return f'python -m tests.durability --only "{self.scenario.name}" --rounds {self.rounds} --seed {self.seed}'


def run(scenario: Scenario, rounds: int, seed: int) -> Ran:
    """Run it; once more if it went wrong around midnight UTC, when a few hits alone on a day show their total only."""
    day = datetime.now(UTC).date()
    ran = _run(scenario, rounds, seed)
    return ran if ran.is_good or datetime.now(UTC).date() == day else _run(scenario, rounds, seed)


def _run(scenario: Scenario, rounds: int, seed: int) -> Ran:
    folder = Path(tempfile.mkdtemp(prefix="durability-", dir=real_disk()))
    began = time.monotonic()
    outcome, failure, missing = None, "", ""
    try:
        outcome = scenario.run(folder, rounds, seed)
    except NotHereError as error:
        missing = str(error)
    except Exception as error:  # noqa: BLE001 - one scenario that breaks does not keep the others from running
        failure = f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - began
    ran = Ran(
        scenario=scenario,
        rounds=rounds,
        seed=seed,
        seconds=seconds,
        outcome=outcome,
        failure=failure,
        missing=missing,
    )
    if ran.is_good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        told(f"{scenario.name}: {failure or outcome}\n  its folder: {folder}\n  once more: {ran.again}")
    return ran
