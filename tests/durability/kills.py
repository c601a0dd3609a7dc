"""kill -9 over every process of the collector while events are sent (killer.py). A round is one kill."""

from __future__ import annotations

from pathlib import Path

from tests.durability.bodies import SITES, Bodies
from tests.durability.killer import Killer
from tests.durability.outcome import Outcome
from tests.durability.producers import Producers
from tests.durability.rest import waiting
from tests.durability.running import running
from tests.stack import Stack

WITH_IDS, WITHOUT_IDS = "kills with ids", "kills without ids"


def with_ids(folder: Path, rounds: int, seed: int) -> Outcome:
    """Everything carries an id and is sent until it is acknowledged: counted exactly once."""
    with running(folder) as stack, sending(stack, seed, ids=True) as producers:
        killer = Killer(stack, [producers], fault=WITH_IDS, seed=seed)
        killer.strike_often(rounds)
        return killer.outcome(killer.finish())


def without_ids(folder: Path, rounds: int, seed: int) -> Outcome:
    """Everything is sent once, without an id: counted if acknowledged, and never twice.

    The last kill takes all processes together, and the command line loads what they left, without a server.
    """
    with running(folder) as stack, sending(stack, seed, ids=False) as producers:
        killer = Killer(stack, [producers], fault=WITHOUT_IDS, seed=seed)
        killer.strike_often(rounds)
        stack.sweep()
        ledger = killer.finish()
        load_offline(stack)
        stack.start()
        return killer.outcome(ledger)


def sending(stack: Stack, seed: int, *, ids: bool) -> Producers:
    """Producers that send again what carries an id, and nothing else."""
    bodies = Bodies(seed, name="/with" if ids else "/without", ids=ids)
    return Producers(stack.public, bodies, seed=seed, resend=ids)


def load_offline(stack: Stack) -> None:
    """Ask something by the command line while no server runs: everything on disk is loaded for that, and first."""
    told = stack.command("query", "pages", "--property", SITES[0], "--format", "json")
    assert told.returncode == 0, told.stderr
    assert waiting(stack) == []
