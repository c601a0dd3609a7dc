"""The spool's disk fills up while events are sent, and has room again later: refused meanwhile, healed soon, exact.

The spool lies on a small file system of its own. Ballast takes all room, again and again, until many requests were
refused: always with 503 and Retry-After, which the producers insist on; a pixel is still answered with its picture.
Then the ballast goes, and the seconds until the first success are measured. A round is once full and healed.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.durability.bodies import BROWSER, SITES, Bodies
from tests.durability.outcome import Outcome
from tests.durability.producers import Became, Producers
from tests.durability.progress import rounds_of
from tests.durability.rest import assert_adds_up, judged
from tests.durability.running import running
from tests.durability.small_disk import Ballast, small_disk
from tests.stack import Stack, eventually

NAME = "disk full"
DISK_MB = 24
SEGMENT_MB = 4
REFUSALS = 20  # in every round
SUCCESSES = 20  # between two rounds
PATIENCE_S = 20.0
ASK_EVERY_S = 0.005


def disk_full(folder: Path, rounds: int, seed: int) -> Outcome:
    """Everything carries an id and is sent until it is acknowledged: counted once, exactly."""
    with (
        small_disk(Stack.data_in(folder) / "spool", DISK_MB),
        running(folder, {"COLLECTOR_SEGMENT_MB": str(SEGMENT_MB)}) as stack,
    ):
        return _filled(stack, rounds, seed)


def _filled(stack: Stack, rounds: int, seed: int) -> Outcome:
    with Producers(stack.public, Bodies(seed), seed=seed, resend=True, pace_s=0.02) as producers:
        healed_s = [_fill_and_heal(stack, producers, number) for number in rounds_of(NAME, rounds)]
        ledger = producers.finish()
    for number in range(rounds):
        ledger.doubt([_pixel_path(number)])  # a picture says nothing about whether it was counted
    verdict = judged(stack, ledger)
    assert_adds_up(stack)
    return Outcome(
        fault=NAME,
        rounds=rounds,
        acknowledged=ledger.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        seed=seed,
        note=f"{producers.requests[Became.REFUSED]:,} requests refused, {producers.requests[Became.UNANSWERED]:,} "
        f"unanswered; first success at most {max(healed_s):.2f} s after there was room",
    )


def _fill_and_heal(stack: Stack, producers: Producers, number: int) -> float:
    """One round; how many seconds it took until a request succeeded again."""
    ballast = Ballast(stack.data / "spool")
    refused = producers.requests[Became.REFUSED]

    def is_refused_often() -> bool:
        producers.check()
        ballast.fill()  # again: what the loader let go of is free
        return producers.requests[Became.REFUSED] >= refused + REFUSALS

    eventually(is_refused_often, "requests are refused while the disk is full", PATIENCE_S)
    _assert_picture(stack, number)
    ballast.drop()
    room = time.monotonic()
    succeeded = producers.ledger.acknowledged
    while producers.ledger.acknowledged == succeeded:
        assert time.monotonic() - room < PATIENCE_S, f"nothing succeeds within {PATIENCE_S:g} s of there being room"
        time.sleep(ASK_EVERY_S)
    healed_s = time.monotonic() - room
    eventually(lambda: producers.ledger.acknowledged >= succeeded + SUCCESSES, "events flow again", PATIENCE_S)
    return healed_s


def _pixel_path(number: int) -> str:
    return f"/pixel/{number:04}"


def _assert_picture(stack: Stack, number: int) -> None:
    path = f"/v1/pixel.gif?site={SITES[0]}&p={_pixel_path(number)}"
    reply = stack.request("GET", path, headers={"User-Agent": BROWSER, "X-Forwarded-For": "20.7.1.1"})
    assert reply.status == 200, f"a pixel is answered {reply.status} while the disk is full"
    assert reply.body.startswith(b"GIF89a")
