"""An acknowledged event counts exactly once, whatever is killed, filled or cut: every scenario of tests/durability/.

And that the evidence would see it: what is doubled or lost on purpose is told as such.
"""

from __future__ import annotations

import random
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.durability import away, cuts, injection, kills, mutants, quota, server_kills
from tests.durability.__main__ import LARGEST_SEED, main
from tests.durability.bodies import Bodies
from tests.durability.ledger import Ledger
from tests.durability.outcome import NotHereError, Outcome, Scenario
from tests.durability.rest import judged, waiting
from tests.durability.run import run
from tests.durability.running import running
from tests.durability.scenarios import SCENARIOS
from tests.durability.small_disk import BLOCK_BYTES, Ballast, small_disk
from tests.requires import lacks
from tests.stack import eventually

# What takes longest runs in many rounds below, and in `make prove-durability`.
LONG = {
    kills.WITHOUT_IDS,
    server_kills.NAME,
    injection.NO_SPACE,
    injection.IO_ERROR,
    mutants.NAME,
    quota.NAME,
    away.NAME,
}
OFTEN = [each for each in SCENARIOS if each.name not in LONG]


@pytest.mark.parametrize("scenario", OFTEN, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_doubled(scenario: Scenario) -> None:
    _assert_proven(scenario, scenario.quick)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_doubled_in_many_rounds(scenario: Scenario) -> None:
    _assert_proven(scenario, scenario.full)


def _assert_proven(scenario: Scenario, rounds: int) -> None:
    ran = run(scenario, rounds, random.SystemRandom().randint(1, LARGEST_SEED))
    if ran.missing:
        lacks(ran.missing)
    assert not ran.failure, f"{ran.failure}\nonce more: {ran.again}"
    assert ran.outcome
    assert (ran.outcome.lost, ran.outcome.doubled) == (0, 0), f"{ran.outcome}\nonce more: {ran.again}"
    assert ran.outcome.acknowledged > 0


@pytest.mark.slow
def test_an_event_that_was_sent_again_without_an_id_is_told_as_doubled(tmp_path: Path) -> None:
    outcome = cuts.cut(tmp_path, 20, 7, ids=False)
    assert outcome.lost == 0
    assert outcome.doubled > 0


@pytest.mark.slow
def test_events_that_vanished_from_the_spool_are_told_as_lost(tmp_path: Path) -> None:
    ledger, bodies = Ledger(), Bodies(7)
    with running(tmp_path) as stack:
        stack.kill("warehouse", signal.SIGSTOP)
        for body in (bodies.draw() for _ in range(20)):
            assert stack.post(body.json, body.headers).status < 300
            ledger.acknowledge(body.paths)
        eventually(lambda: all(name.endswith(".segment") for name in waiting(stack)), "every segment is closed")
        stack.sweep()
        for segment in stack.data.glob("spool/*/*.segment"):
            segment.unlink()
        stack.start()
        assert judged(stack, ledger) == (ledger.acknowledged, 0)


def test_a_small_disk_is_taken_away_when_its_scenario_fails(tmp_path: Path) -> None:
    place = tmp_path / "small"
    with ExitStack() as opened:
        try:
            with pytest.raises(OSError, match="No space left"):
                _fail_on_a_full_disk(place, opened)
        except NotHereError as error:
            lacks(str(error))
        assert not place.is_mount()


def _fail_on_a_full_disk(place: Path, opened: ExitStack) -> None:
    with small_disk(place, 1):
        assert place.is_mount()
        opened.enter_context((place / "open").open("wb"))  # something still uses it at the end
        Ballast(place).fill()
        (place / "more").write_bytes(bytes(BLOCK_BYTES))


def _told(lost: int, doubled: int) -> Scenario:
    def outcome(folder: Path, rounds: int, seed: int) -> Outcome:
        return Outcome(fault="made up", rounds=rounds, acknowledged=7, lost=lost, doubled=doubled, seed=seed, note="!")

    return Scenario("made up", outcome, quick=3, full=30)


def _broken(folder: Path, rounds: int, seed: int) -> Outcome:
    raise AssertionError("answered 500")


def _not_here(folder: Path, rounds: int, seed: int) -> Outcome:
    raise NotHereError("mounting needs root")


@pytest.mark.parametrize(
    ("scenario", "status", "cells"),
    [
        (_told(0, 0), 0, "| 7 | 0 | 0 | 5 |"),
        (_told(1, 0), 1, "| 7 | 1 | 0 | 5 |"),
        (_told(0, 2), 1, "| 7 | 0 | 2 | 5 |"),
        (Scenario("broken", _broken, quick=1, full=1), 1, "FAILED: AssertionError: answered 500"),
        (Scenario("not here", _not_here, quick=1, full=1), 0, "not run: mounting needs root"),
    ],
    ids=("good", "lost", "doubled", "broken", "not here"),
)
def test_the_runner_tells_what_came_of_it_and_ends_by_it(
    tmp_path: Path, scenario: Scenario, status: int, cells: str
) -> None:
    file = tmp_path / "proof.md"
    ran = CliRunner().invoke(main, ["--seed", "5", "--output", str(file)], obj=(scenario,))
    assert ran.exit_code == status, ran.output
    assert cells in ran.stdout
    assert file.read_text("utf-8") == ran.stdout
    versions = ran.stdout.splitlines()[0]
    for name in ("collector", "Python", "aiohttp", "clickhouse-connect", "chDB", "(engine", "kernel", "file system"):
        assert f"{name} " in versions


def test_the_same_seed_sends_the_same() -> None:
    first, second, other = Bodies(1), Bodies(1), Bodies(2)
    sent = [first.draw() for _ in range(50)]
    assert sent == [second.draw() for _ in range(50)]
    assert sent != [other.draw() for _ in range(50)]
