"""The database stands still and the spool fills to its quota: refused before that, nothing dropped, healed, exact.

The warehouse process is stopped where it stands (SIGSTOP) while events come as fast as they can. From some moment on
they are refused, and what waits on disk is never more than the quota, however long they are sent. Then the process
goes on, and the seconds until the first success are measured. A round is once full and healed.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.durability.bodies import Bodies
from tests.durability.outcome import Outcome
from tests.durability.producers import Became, Producers
from tests.durability.progress import rounds_of
from tests.durability.rest import assert_adds_up, judged
from tests.durability.running import running
from tests.stack import Stack, eventually

NAME = "quota"
QUOTA_MB = 4
SEGMENT_MB = 1
MEGABYTE = 1_000_000
BATCH = 50
REFUSALS = 100  # in every round: the quota is asked for long after it is reached
PATIENCE_S = 30.0
ASK_EVERY_S = 0.005


def quota(folder: Path, rounds: int, seed: int) -> Outcome:
    """Everything carries an id and is sent until it is acknowledged: counted once, exactly."""
    environ = {"COLLECTOR_SPOOL_MB": str(QUOTA_MB), "COLLECTOR_SEGMENT_MB": str(SEGMENT_MB)}
    with running(folder, environ) as stack:
        bodies = Bodies(seed, size=BATCH)
        with Producers(stack.public, bodies, seed=seed, resend=True, pace_s=0) as producers:
            seen = [_fill_and_heal(stack, producers) for _ in rounds_of(NAME, rounds)]
            ledger = producers.finish()
        verdict = judged(stack, ledger)
        assert_adds_up(stack)
    most = max(most_bytes for most_bytes, _ in seen)
    return Outcome(
        fault=NAME,
        rounds=rounds,
        acknowledged=ledger.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        seed=seed,
        note=f"{producers.requests[Became.REFUSED]:,} requests refused; at most {most / MEGABYTE:.2f} of {QUOTA_MB} MB "
        f"waited; first success at most {max(healed_s for _, healed_s in seen):.2f} s after the database went on",
    )


def _fill_and_heal(stack: Stack, producers: Producers) -> tuple[int, float]:
    """One round; the most bytes that waited, and how many seconds it took until a request succeeded again."""
    most = 0
    stack.kill("warehouse", signal.SIGSTOP)
    try:
        refused = producers.requests[Became.REFUSED]

        def is_refused_often() -> bool:
            nonlocal most
            producers.check()
            most = max(most, waiting_bytes(stack))
            assert most <= QUOTA_MB * MEGABYTE, f"{most:,} bytes wait, and the quota is {QUOTA_MB} MB"
            return producers.requests[Became.REFUSED] >= refused + REFUSALS

        eventually(is_refused_often, "requests are refused at the quota", PATIENCE_S)
        succeeded = producers.ledger.acknowledged
    finally:
        stack.kill("warehouse", signal.SIGCONT)
    went_on = time.monotonic()
    while producers.ledger.acknowledged == succeeded:
        assert time.monotonic() - went_on < PATIENCE_S, f"nothing succeeds within {PATIENCE_S:g} s"
        time.sleep(ASK_EVERY_S)
    return most, time.monotonic() - went_on


def waiting_bytes(stack: Stack) -> int:
    """What lies in the spool and in frozen batches."""
    size = 0
    for file in [*stack.data.glob("spool/*/*"), *stack.data.glob("frozen/*")]:
        try:
            size += file.stat().st_size
        except FileNotFoundError:
            continue
    return size
