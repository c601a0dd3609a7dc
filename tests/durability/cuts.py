"""Connections cut by the client when the answer is on the wire and unread: it cannot know, and sends the same again.

Three requests in ten are cut so, some more right after they were sent, up to five times in a row, and the next attempt
goes to the other worker as often as not. With ids every event counts once; without, every cut is one count too many,
which shows that this package sees what is doubled. A round is one request.
"""

from __future__ import annotations

import random
import select
from collections import Counter
from pathlib import Path

from collector.tools.wire import hear, request
from tests.durability.bodies import Bodies, Body
from tests.durability.connections import Connection, Connections
from tests.durability.ledger import Ledger
from tests.durability.outcome import Outcome
from tests.durability.progress import rounds_of
from tests.durability.rest import assert_adds_up, judged
from tests.durability.running import running
from tests.stack import Stack

NAME = "cut after the acknowledgement"
CUT_ANSWERED = 0.3
CUT_SENT = 0.05
MOST_CUTS = 5
ANSWER_PATIENCE_S = 10.0


def after_answer(folder: Path, rounds: int, seed: int) -> Outcome:
    """Every event carries an id: counted exactly once."""
    return cut(folder, rounds, seed, ids=True)


def cut(folder: Path, rounds: int, seed: int, *, ids: bool) -> Outcome:
    """Send so many requests, each until its answer was read."""
    with running(folder) as stack:
        sender = _Sender(stack, random.Random(f"{seed}/cuts"))
        bodies = Bodies(seed, ids=ids)
        for _ in rounds_of(NAME, rounds):
            sender.send(bodies.draw())
        sender.connections.close()
        verdict = judged(stack, sender.ledger)
        assert_adds_up(stack)
    seen = sender.seen
    return Outcome(
        fault=NAME,
        rounds=rounds,
        acknowledged=sender.ledger.acknowledged,
        lost=verdict.lost,
        doubled=verdict.doubled,
        seed=seed,
        note=f"{seen['answered']:,} cut when answered, {seen['sent']:,} when sent; "
        f"{seen['elsewhere']:,} sent again to another worker",
    )


class _Sender:
    """Sends requests one after the other and cuts some; `seen` counts what was done."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self.connections = Connections(stack, chance)
        self.ledger = Ledger()
        self.seen: Counter[str] = Counter()
        self._chance = chance

    def send(self, body: Body) -> None:
        """Send it until its answer was read."""
        sent = request(body.json, body.headers)
        connection = self.connections.take()
        for _ in range(MOST_CUTS):
            if not self._is_cut(connection, sent):
                break
            before = connection.worker
            connection = self.connections.take(before if self._chance.random() < 0.5 else None)
            self.seen["elsewhere"] += connection.worker != before
        else:
            connection.socket.sendall(sent)
        answer = hear(connection.socket)
        assert answer.status in (200, 204), f"answered {answer.status}"
        if answer.status == 200:
            assert answer.json == {"accepted": len(body.paths), "rejected": []}
        self.ledger.acknowledge(body.paths)
        self.connections.give_back(connection)

    def _is_cut(self, connection: Connection, sent: bytes) -> bool:
        """Send it once; whether the connection was cut before the answer was read."""
        moment = self._chance.random()
        connection.socket.sendall(sent)
        if moment < CUT_ANSWERED:
            readable, _, _ = select.select([connection.socket], [], [], ANSWER_PATIENCE_S)
            assert readable, f"no answer within {ANSWER_PATIENCE_S:g} s"
            self.seen["answered"] += 1
        elif moment < CUT_ANSWERED + CUT_SENT:
            self.seen["sent"] += 1
        else:
            return False
        connection.reset()
        return True
