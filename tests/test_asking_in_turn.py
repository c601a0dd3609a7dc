"""Many who ask at once: one of them cannot keep the others waiting, and who asks too much is told when to try again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from collector.analyst.blocking import MAX_WAITING
from tests.front_desk import ANALYST_TOKEN, DECLARATIONS, Desk, front_desk
from tests.memory_reading import SITE, MemoryReading

QUESTION = f"/api/v1/reports/traffic?property={SITE}"


class Held(MemoryReading):
    """A warehouse that answers as many questions as it is let."""

    def hold(self) -> None:
        self.asked = 0
        self.let = threading.Semaphore(0)

    def sealed_through(self) -> dict[int, int]:
        self.asked += 1
        self.let.acquire()
        return super().sealed_through()


async def test_one_who_asks_everything_at_once_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    reading = Held(DECLARATIONS)
    reading.hold()
    async with front_desk(tmp_path, reading=reading) as desk:
        greedy = [asyncio.create_task(ask(desk, ANALYST_TOKEN)) for _ in range(MAX_WAITING + 3)]
        done, waiting = await asyncio.wait(greedy, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            done, waiting = await asyncio.wait(greedy, timeout=0.05)
        assert {task.result() for task in done} == {(503, "5")}
        other = asyncio.create_task(ask(desk, desk.operator_token))
        while not other.done():
            assert reading.asked <= 3, "the other waits for more than the one question before it"
            reading.let.release()
            await asyncio.wait((other,), timeout=0.05)
        assert other.result() == (200, None)
        reading.let.release(MAX_WAITING * 2)
        assert {await task for task in waiting} == {(200, None)}
        assert await ask(desk, ANALYST_TOKEN) == (200, None)


async def ask(desk: Desk, token: str) -> tuple[int, str | None]:
    response = await desk.call("GET", QUESTION, token=token)
    return response.status, response.headers.get("Retry-After")
