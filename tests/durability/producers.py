"""Sends requests to a collector over several connections, from a thread of its own, and keeps what became of them.

With `resend` a request is sent again until it is answered with success: its events count exactly once if they carry
ids. Without, it is sent once: refused (503, no connection) it must not count, unanswered it counts once or not at all.
Any answer but success and 503 with Retry-After is a failure of the collector, raised by check() and finish().
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from tests.durability.bodies import Bodies, Body
from tests.durability.ledger import Ledger

SENDERS = 8
ANSWER_PATIENCE_S = 5.0
FINISH_PATIENCE_S = 60.0
LEAST_PAUSE_S, MOST_PAUSE_S = 0.02, 0.1  # before the same is sent again


class Became(Enum):
    """What became of a request, as far as the client can know."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNREACHED = "not connected"
    UNANSWERED = "unanswered"


class Producers:
    """Send until told that it is enough, or so many requests at most.

    ledger    what became of every event
    requests  how many became what; one that is sent again counts again
    """

    def __init__(
        self,
        address: str,
        bodies: Bodies,
        *,
        seed: int,
        resend: bool,
        senders: int = SENDERS,
        pace_s: float = 0.04,
        most: int | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.requests: Counter[Became] = Counter()
        self._left = most
        self._url = f"http://{address}/v1/events"
        self._bodies = bodies
        self._pauses = random.Random(f"{seed}/pauses")
        self._resend = resend
        self._senders = senders
        self._pace_s = pace_s
        self._enough = threading.Event()
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._sending: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="producers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing running, whatever happened."""
        with suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()

    def finish(self, patience_s: float = FINISH_PATIENCE_S) -> Ledger:
        """Begin no new request, wait for what is under way; what became of everything."""
        self._enough.set()
        self._thread.join(patience_s)
        self.check()
        assert not self._thread.is_alive(), f"not everything is answered within {patience_s:g} s"
        return self.ledger

    def check(self) -> None:
        """Raise what went wrong so far."""
        if self._error:
            raise AssertionError(f"the producers failed: {self._error!r}") from self._error

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._send_all())
        except asyncio.CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 - told by check() in the thread that can do something about it
            self._error = error

    def _cancel(self) -> None:
        if self._sending:
            self._sending.cancel()

    async def _send_all(self) -> None:
        self._sending = asyncio.current_task()
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_PATIENCE_S)) as session,
            asyncio.TaskGroup() as senders,
        ):
            for _ in range(self._senders):
                senders.create_task(self._send_some(session))

    async def _send_some(self, session: aiohttp.ClientSession) -> None:
        while self._goes_on():
            body = self._bodies.draw()
            became = await self._send(body, session)
            while self._resend and became is not Became.TAKEN:
                await asyncio.sleep(self._pauses.uniform(LEAST_PAUSE_S, MOST_PAUSE_S))
                became = await self._send(body, session)
            if became is Became.TAKEN:
                self.ledger.acknowledge(body.paths)
            elif became is Became.UNANSWERED:
                self.ledger.doubt(body.paths)
            await asyncio.sleep(self._pace_s)

    def _goes_on(self) -> bool:
        if self._left is not None:
            self._left -= 1
            return self._left >= 0
        return not self._enough.is_set()

    async def _send(self, body: Body, session: aiohttp.ClientSession) -> Became:
        try:
            async with session.post(self._url, data=body.json, headers=body.headers) as response:
                text = await response.read()
                became = _told(response.status, text, response.headers.get("Retry-After"), len(body.paths))
        except aiohttp.ClientConnectorError:
            became = Became.UNREACHED
        except (aiohttp.ClientError, TimeoutError):
            became = Became.UNANSWERED
        self.requests[became] += 1
        return became


def _told(status: int, text: bytes, retry_after: str | None, events: int) -> Became:
    """What an answer says; fails unless every event was taken, or the request was refused as it may be."""
    if status == 503:
        assert retry_after, "a 503 without Retry-After"
        return Became.REFUSED
    if status == 200:
        answer = orjson.loads(text)
        assert answer == {"accepted": events, "rejected": []}, answer
    else:
        assert status == 204, f"answered {status}"
    return Became.TAKEN
