"""Lets handlers of the analyst port run plain functions in a thread that others want, too: the engine's, the loader's.

Bounded in number and in time. Who is too many or waits too long gets 503 (access.py); what had not begun by then never
runs, what had goes on to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from collector.errors import Unavailable

ANSWER_PATIENCE_S = 25  # a query may take 10 s, and others may be before it; the commands wait 30
MAX_WAITING = 32

Result = TypeVar("Result")


class RunBlocking(Protocol):
    """Runs a plain function in its thread."""

    def __call__(self, ask: Callable[[], Result], /) -> Awaitable[Result]: ...


class Bounded:
    """A thread for at most MAX_WAITING at a time, each for ANSWER_PATIENCE_S; raises Unavailable or TimeoutError."""

    def __init__(self, run_blocking: RunBlocking) -> None:
        self._run_blocking = run_blocking
        self._waiting = 0

    async def run(self, ask: Callable[[], Result]) -> Result:
        """What `ask` returns or raises."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("too many wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(ANSWER_PATIENCE_S):
                return await self._run_blocking(ask)
        finally:
            self._waiting -= 1
