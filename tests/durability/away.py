"""The ClickHouse server is away while events come as fast as they can, and returns: no request fails, all is counted.

A round is a request of a hundred events; they fall on a twentieth as many paths, so that cells are added up, too.
The note has the pace of arrival and of what follows the return until nothing waits any more.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.clickhouse_http import ClickHouseHttp
from tests.durability.bodies import Bodies
from tests.durability.outcome import Outcome
from tests.durability.producers import Became, Producers
from tests.durability.progress import told
from tests.durability.rest import assert_adds_up, judged, wait_at_rest
from tests.durability.running import running

NAME = "ClickHouse away"
BATCH = 100
EVENTS_A_PATH = 20
SEND_PATIENCE_S = 1200.0
DRAIN_PATIENCE_S = 300.0


def clickhouse_away(folder: Path, rounds: int, seed: int) -> Outcome:
    """Everything is sent once, carries an id, and must be acknowledged at once: counted once, exactly."""
    server = ClickHouseHttp(folder / "clickhouse")
    try:
        with running(folder, {"COLLECTOR_CLICKHOUSE": server.url()}) as stack:
            server.kill()
            bodies = Bodies(seed, size=BATCH, paths=rounds * BATCH // EVENTS_A_PATH)
            told(f"{NAME}: {rounds * BATCH:,} events")
            began = time.monotonic()
            with Producers(stack.public, bodies, seed=seed, resend=False, pace_s=0, most=rounds) as producers:
                ledger = producers.finish(SEND_PATIENCE_S)
            came_s = time.monotonic() - began
            assert producers.requests == {Became.TAKEN: rounds}, f"requests failed: {producers.requests}"
            server.start()
            returned = time.monotonic()
            wait_at_rest(stack, DRAIN_PATIENCE_S)
            drained_s = time.monotonic() - returned
            verdict = judged(stack, ledger)
            assert_adds_up(stack)
    finally:
        server.stop()
    return Outcome(
        fault=NAME,
        rounds=rounds,
        acknowledged=ledger.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        seed=seed,
        note=f"came at {ledger.acknowledged / came_s:,.0f} events/s; drained in {drained_s:.1f} s, at "
        f"{ledger.acknowledged / drained_s:,.0f} events/s",
    )
