"""Lets handlers of the analyst port run plain functions in a thread that others want, too: the engine's, the loader's.

Bounded in number and in time, and fair where askers share a thread: of each one question at a time is in it or before
it, so that many of one wait for each other and not the others for them. Who is too many or waits too long gets 503
(access.py); what had not begun by then never runs, what had goes on to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from collector.errors import Unavailable

ANSWER_PATIENCE_S = 25  # a query may take 10 s, and others may be before it; the commands wait 30
MAX_WAITING = 32  # in a line; a page of the dashboard asks some twenty questions, over HTTP/2 all at once

Result = TypeVar("Result")


class RunBlocking(Protocol):
    """Runs a plain function in its thread."""

    def __call__(self, ask: Callable[[], Result], /) -> Awaitable[Result]: ...


class Bounded:
    """A thread for at most MAX_WAITING at a time, each for ANSWER_PATIENCE_S; raises Unavailable or TimeoutError."""

    def __init__(self, run_blocking: RunBlocking) -> None:
        self._run_blocking = run_blocking
        self.waiting = 0

    async def run(self, ask: Callable[[], Result]) -> Result:
        """What `ask` returns or raises."""
        if self.waiting >= MAX_WAITING:
            raise Unavailable("too many wait already")
        self.waiting += 1
        try:
            async with asyncio.timeout(ANSWER_PATIENCE_S):
                return await self._in_thread(ask)
        finally:
            self.waiting -= 1

    async def _in_thread(self, ask: Callable[[], Result]) -> Result:
        return await self._run_blocking(ask)


class _Line(Bounded):
    """The questions of one asker, one after the other."""

    def __init__(self, run_blocking: RunBlocking) -> None:
        super().__init__(run_blocking)
        self._turn = asyncio.Lock()

    async def _in_thread(self, ask: Callable[[], Result]) -> Result:
        async with self._turn:
            return await super()._in_thread(ask)


class InTurn:
    """A thread that askers share, by their names; raises Unavailable or TimeoutError."""

    def __init__(self, run_blocking: RunBlocking) -> None:
        self._run_blocking = run_blocking
        self._lines: dict[str, _Line] = {}

    async def run(self, asker: str, ask: Callable[[], Result]) -> Result:
        """What `ask` returns or raises, once the earlier questions of that asker are answered."""
        line = self._lines.setdefault(asker, _Line(self._run_blocking))
        try:
            return await line.run(ask)
        finally:
            if not line.waiting:
                self._lines.pop(asker, None)
