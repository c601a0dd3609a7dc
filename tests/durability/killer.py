"""kill -9 at random moments over the supervisor, its workers and the warehouse process, while events are sent.

What is struck is drawn among what lives at that moment, children that just start included. Three kills in five come
when something was acknowledged since the one before; the others do not wait for that, so that they meet recoveries.
The supervisor is started again at once on the same data. Children that die young are started again ever more slowly:
when no worker lives, the supervisor is struck, for that begins anew.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from tests.durability.ledger import Ledger
from tests.durability.outcome import Outcome
from tests.durability.producers import Became, Producers
from tests.durability.progress import rounds_of
from tests.durability.rest import judged
from tests.stack import Role, Stack, eventually, is_alive

LEAST_DELAY_S, MOST_DELAY_S = 0.05, 0.6
OVERLAPPING = 0.4  # of all kills
SUPERVISOR, SERVER = "supervisor", "ClickHouse"
PATIENCE_S = 30.0


class Server(Protocol):
    """A database of its own that can be killed, too."""

    def restart(self) -> None:
        """SIGKILL it, and start it again on the same data."""


class Killer:
    """Strikes one process after another of a stack that producers send to."""

    def __init__(
        self, stack: Stack, producers: Sequence[Producers], *, fault: str, seed: int, server: Server | None = None
    ) -> None:
        self._stack = stack
        self._producers = producers
        self._fault = fault
        self._seed = seed
        self._server = server
        self._chance = random.Random(f"{seed}/kills")
        self._struck: Counter[Role] = Counter()
        self._seconds = 0.0
        self._acknowledged_at_strike = self._acknowledged_at_start = 0
        self._starts = False

    def strike_often(self, rounds: int) -> None:
        """Kill so often, and in the middle of it stop everything in order; all of it runs again at the end."""
        began = time.monotonic()
        for number in rounds_of(self._fault, rounds):
            if number == rounds // 2:
                self._stop()
            time.sleep(self._chance.uniform(LEAST_DELAY_S, MOST_DELAY_S))
            for producers in self._producers:
                producers.check()
            strike = partial(self._strike, in_progress=self._chance.random() >= OVERLAPPING)
            eventually(strike, "something to kill", PATIENCE_S)
        self._seconds = time.monotonic() - began
        self._stack.wait_healthy()

    def finish(self) -> Ledger:
        """Let the producers finish; what became of all they sent."""
        ledger = Ledger()
        for producers in self._producers:
            ledger.add(producers.finish())
        return ledger

    def outcome(self, ledger: Ledger) -> Outcome:
        """What became of it; the note says who was struck, how often a minute, and what was not answered well."""
        verdict = judged(self._stack, ledger)
        requests = sum((producers.requests for producers in self._producers), Counter[Became]())
        kills = self._struck.total()
        struck = ", ".join(f"{role} {times}" for role, times in self._struck.most_common())
        return Outcome(
            fault=self._fault,
            rounds=kills,
            acknowledged=ledger.acknowledged,
            lost=verdict.lost,
            doubled=verdict.doubled,
            seed=self._seed,
            note=f"{struck}; {60 * kills / self._seconds:.0f} kills a minute; {requests[Became.UNANSWERED]:,} requests "
            f"of {requests.total():,} unanswered, {ledger.unanswered:,} events in doubt",
        )

    def _stop(self) -> None:
        """End the whole group as a stop of the service does, by SIGTERM, and start it again."""
        children = self._stack.children()
        os.killpg(self._stack.process.pid, signal.SIGTERM)
        status = self._stack.process.wait(10)
        # Told to end in the middle of its start it may end by the signal itself.
        assert status in (0, -signal.SIGTERM), f"serve ended with {status}"
        eventually(lambda: not [pid for pid in children if is_alive(pid)], "every child ended")
        self._begin()

    def _strike(self, *, in_progress: bool) -> bool:
        """Kill one of what lives; `in_progress`: once something was acknowledged since the last kill."""
        assert self._stack.process.poll() is None, f"serve ended by itself:\n{self._stack.log_text[-2000:]}"
        acknowledged = self._acknowledged()
        children = [(role, pid) for pid, role in self._stack.living().items()]
        if self._starts:  # what is acknowledged now was taken by children of the supervisor before
            self._starts = not children
            self._acknowledged_at_start = acknowledged
        victims = self._victims(children) if acknowledged > self._acknowledged_at_start else children
        if in_progress and acknowledged == self._acknowledged_at_strike and victims != [self._supervisor()]:
            return False
        if not victims:
            return False
        role, pid = self._chance.choice(sorted(victims))
        if not self._kill(role, pid):
            return False
        self._struck[role] += 1
        self._acknowledged_at_strike = acknowledged
        return True

    def _victims(self, children: list[tuple[Role, int]]) -> list[tuple[Role, int]]:
        """What may be struck once something was acknowledged since the start; the supervisor, slow to start, less."""
        if not [role for role, _ in children if role == "worker"]:
            return [self._supervisor()]
        return [*children, *children, self._supervisor(), *([(SERVER, 0)] if self._server else [])]

    def _kill(self, role: Role, pid: int) -> bool:
        if role == SERVER and self._server:
            self._server.restart()
            return True
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        if role == SUPERVISOR:
            self._stack.process.wait()
            self._begin()
        return True

    def _begin(self) -> None:
        self._stack.begin()
        self._starts = True

    def _acknowledged(self) -> int:
        return sum(producers.ledger.acknowledged for producers in self._producers)

    def _supervisor(self) -> tuple[Role, int]:
        return SUPERVISOR, self._stack.process.pid
