"""kill -9 over the collector and a ClickHouse server, with ids and without side by side. A round is one kill."""

from __future__ import annotations

from pathlib import Path

from tests.clickhouse_http import ClickHouseHttp
from tests.durability.killer import Killer
from tests.durability.kills import load_offline, sending
from tests.durability.outcome import Outcome
from tests.durability.running import running

NAME = "kills, ClickHouse server"


def clickhouse(folder: Path, rounds: int, seed: int) -> Outcome:
    """What carries an id counts exactly once, the rest once if acknowledged; the command line loads what is left."""
    server = ClickHouseHttp(folder / "clickhouse")
    try:
        with (
            running(folder, {"COLLECTOR_CLICKHOUSE": server.url()}) as stack,
            sending(stack, seed, ids=True) as with_ids,
            sending(stack, seed, ids=False) as without_ids,
        ):
            killer = Killer(stack, [with_ids, without_ids], fault=NAME, seed=seed, server=server)
            killer.strike_often(rounds)
            ledger = killer.finish()
            stack.sweep()
            load_offline(stack)
            stack.start()
            return killer.outcome(ledger)
    finally:
        server.stop()
